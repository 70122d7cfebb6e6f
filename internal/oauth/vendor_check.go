package oauth

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Forms of names in an entry.
var (
	vendorName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hintName   = regexp.MustCompile(`^([a-z][a-z0-9_]{0,62}|[A-Z][A-Za-z0-9]{0,62})$`)
)

// longestHint keeps a hint short enough for a condition.
const longestHint = 400

// vendorFaults collects what is wrong with an entry, with the path of each field.
type vendorFaults struct {
	vendor *Vendor
	found  []string
}

func (f *vendorFaults) add(format string, args ...any) {
	f.found = append(f.found, fmt.Sprintf(format, args...))
}

// faults names everything that would make an entry fail later, or do something other than it says.
func (v *Vendor) faults() []string {
	f := &vendorFaults{vendor: v}
	f.checkHead()
	for _, name := range slices.Sorted(maps.Keys(v.Parameters)) {
		f.checkParameter("parameters."+name, name, v.Parameters[name])
	}
	for _, endpoint := range v.Endpoints.all() {
		f.checkEndpoint("endpoints."+endpoint.field, *endpoint.url)
	}
	f.checkGrants()
	for _, name := range slices.Sorted(maps.Keys(v.FailureHints)) {
		f.checkHint("failureHints."+name, name, v.FailureHints[name])
	}
	return f.found
}

func (f *vendorFaults) checkHead() {
	v := f.vendor
	switch {
	case v.Name == "":
		f.add("name: is missing")
	case !vendorName.MatchString(v.Name):
		f.add("name: must be of lower-case letters, digits and hyphens, at most 63 characters")
	}
	if strings.TrimSpace(v.Title) == "" {
		f.add("title: is missing")
	}
	if u, err := url.Parse(v.Documentation); v.Documentation != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		f.add("documentation: must be a URL that starts with https://")
	}
	f.checkAuthentication("clientAuthentication", v.ClientAuthentication)
	switch v.RefreshTokenRotation {
	case "", RotationUnknown, RotationYes, RotationNo:
	default:
		f.add("refreshTokenRotation: must be Rotating, Static or Unknown, not %s", quote(string(v.RefreshTokenRotation)))
	}
}

func (f *vendorFaults) checkAuthentication(path string, authentication ClientAuthentication) {
	if !authentication.known() {
		f.add("%s: must be ClientSecretBasic, ClientSecretPost or None, not %s", path, quote(string(authentication)))
	}
}

// checkEndpoint checks a template and that its parameters will have values.
func (f *vendorFaults) checkEndpoint(path, text string) {
	if text == "" {
		return
	}
	template, err := parseEndpointTemplate(text)
	if err != nil {
		f.add("%s: %s", path, err)
		return
	}
	for _, name := range template.parameters() {
		if _, declared := f.vendor.Parameters[name]; !declared {
			f.add("%s: parameter %s is not declared in parameters", path, name)
		}
	}
	for _, name := range template.requiredParameters() {
		parameter, declared := f.vendor.Parameters[name]
		if declared && !parameter.Required && parameter.Default == "" {
			f.add("%s: parameter %s must be required, have a default, or stand in an optional segment [...]", path, name)
		}
	}
	for _, name := range template.hostParameters() {
		f.checkHostValues(name)
	}
}

// checkHostValues refuses listed values that can't be part of a host.
func (f *vendorFaults) checkHostValues(name string) {
	for i, value := range f.vendor.Parameters[name].Values {
		if !isHostName(value.Value) {
			f.add("parameters.%s.values[%d].value: must be a host name or a part of one, since an endpoint's host holds it", name, i)
		}
	}
}

func (f *vendorFaults) checkHint(path, name, text string) {
	if !hintName.MatchString(name) {
		f.add("%s: the name must be an OAuth error code such as invalid_client, or a reason such as InvalidClient", path)
	}
	if length := len(strings.TrimSpace(text)); length == 0 || length > longestHint {
		f.add("%s: must be a sentence of at most %d bytes", path, longestHint)
	}
}
