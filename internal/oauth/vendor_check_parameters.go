package oauth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (f *vendorFaults) checkParameter(path, name string, p Parameter) {
	switch {
	case !parameterName.MatchString(name):
		f.add("%s: the name must be of lower-case letters, digits and underscores, and start with a letter", path)
	case isCredentialsKey(name) || isProtocolParameter(name):
		f.add("%s: the name belongs to the protocol or to a key of the credentials Secret", path)
	}
	if strings.TrimSpace(p.Description) == "" {
		f.add("%s.description: is missing", path)
	}
	if p.Required && p.Default != "" {
		f.add("%s.default: has no use, since the parameter is required", path)
	}
	for i, grant := range p.Grants {
		if _, served := f.vendor.Grants[grant]; !served {
			f.add("%s.grants[%d]: %s is not among the entry's grants", path, i, quote(string(grant)))
		}
	}
	f.checkValues(path, p)
	for i, placement := range p.Placements {
		f.checkPlacement(fmt.Sprintf("%s.placements[%d]", path, i), name, p, placement)
	}
}

// checkValues checks the list of allowed values: no way of writing may mean two of them.
func (f *vendorFaults) checkValues(path string, p Parameter) {
	seen := make(map[string]bool)
	for i, value := range p.Values {
		for _, written := range append([]string{value.Value}, value.Aliases...) {
			if written == "" {
				f.add("%s.values[%d]: must not be empty", path, i)
			} else if seen[written] {
				f.add("%s.values[%d]: %s is there twice", path, i, quote(written))
			}
			seen[written] = true
		}
	}
	if _, allowed := p.canonical(p.Default); p.Default != "" && !allowed {
		f.add("%s.default: %s is not among the values", path, quote(p.Default))
	}
}

func (f *vendorFaults) checkPlacement(path, name string, p Parameter, placement Placement) {
	switch placement.Request {
	case InTokenRequest, InRefreshRequest, InAuthorizationRequest:
	default:
		f.add("%s.request: must be Token, Refresh or Authorization, not %s", path, quote(string(placement.Request)))
	}
	switch {
	case !sentName.MatchString(placement.As):
		f.add("%s.as: must be of letters, digits and _ . : -", path)
	case placement.As == "scope":
		f.checkScopePlacement(path, p)
	case isProtocolParameter(placement.As):
		f.add("%s.as: %s belongs to the protocol", path, placement.As)
	}
	for _, other := range slices.Sorted(maps.Keys(placement.When)) {
		f.checkCondition(path+".when."+other, other, placement.When[other])
	}
	if f.isTaken(name, placement) {
		f.add("%s.as: %s is sent already by another parameter in the same case", path, placement.As)
	}
}

// checkScopePlacement lets a parameter take the place of the scope only where no scope is sent otherwise.
func (f *vendorFaults) checkScopePlacement(path string, p Parameter) {
	for _, grant := range slices.Sorted(maps.Keys(f.vendor.Grants)) {
		if p.takenWith(grant) && !f.vendor.Grants[grant].NoScope {
			f.add("%s.as: scope needs noScope in grants.%s, or it would be sent twice", path, grant)
		}
	}
}

// checkCondition checks that a condition can be true.
func (f *vendorFaults) checkCondition(path, name string, values []string) {
	parameter, declared := f.vendor.Parameters[name]
	if !declared {
		f.add("%s: is not declared in parameters", path)
		return
	}
	if len(values) == 0 {
		f.add("%s: must list values", path)
	}
	for i, value := range values {
		if canonical, allowed := parameter.canonical(value); !allowed || canonical != value {
			f.add("%s[%d]: %s is not among the parameter's values", path, i, quote(value))
		}
	}
}

// isTaken tells whether a parameter of a smaller name, or a fixed one, is sent under the same name whenever this one is.
func (f *vendorFaults) isTaken(name string, placement Placement) bool {
	for _, details := range f.vendor.Grants {
		_, inToken := details.TokenParameters[placement.As]
		_, inAuthorization := details.AuthorizationParameters[placement.As]
		if inToken && placement.Request == InTokenRequest || inAuthorization && placement.Request == InAuthorizationRequest {
			return true
		}
	}
	for other, parameter := range f.vendor.Parameters {
		for _, p := range parameter.Placements {
			if other < name && p.Request == placement.Request && p.As == placement.As && len(p.When) == 0 {
				return true
			}
		}
	}
	return false
}
