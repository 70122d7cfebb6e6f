package oauth

import (
	"slices"
	"strings"
)

// hostRules say where credentials may be sent, and over what.
type hostRules struct {
	own      []endpointHost // fixed by the catalogue's entry, or stated by the credentials' owner
	allowed  []string       // patterns
	insecure []string       // patterns of hosts to which plain http may be spoken
	unowned  bool           // the credentials are absent: what their owner allows is not known yet
}

// check adds a fault where credentials may not be sent to an endpoint. Its URL is never quoted, since parts of it may come from a
// Secret; a host is, because one that comes from the Secret is allowed.
func (h hostRules) check(faults *faults, field, text string) {
	if text == "" {
		return
	}
	u, host, err := parseEndpoint(text)
	if err != nil {
		faults.addSpec("%s %s", field, err)
		return
	}
	if u.Scheme != "https" && !host.isInsecureAllowed(h.insecure) {
		faults.addEndpoint("%s must start with https://: plain http is spoken only to hosts that the manager's "+
			"--insecure-http-hosts names", field)
	}
	if !h.unowned && !slices.Contains(h.own, host) && !host.isAllowedBy(h.allowed) {
		faults.addEndpoint("%s: the credentials may not be sent to host %s; the owner of the credentials Secret allows it with the "+
			"annotation tokensync.dev/allowed-hosts: %s, a platform administrator with --allowed-hosts%s", field, host, host, h.mistakes())
	}
}

// mistakes names patterns that allow nothing, since whoever wrote one believes that it does. They stand in an annotation or a flag, and are no secret.
func (h hostRules) mistakes() string {
	const most = 3
	var wrong []string
	for _, pattern := range slices.Sorted(slices.Values(h.allowed)) {
		if !isHostPattern(pattern) && len(wrong) < most {
			wrong = append(wrong, quote(pattern))
		}
	}
	if len(wrong) == 0 {
		return ""
	}
	return "; nothing is allowed by " + strings.Join(wrong, ", ") +
		": write the name of a host or *.example.com, with :port where it is not 443, and nothing else"
}

// resolveEndpoints takes the user's endpoints, else the vendor's, and checks each.
func (r *resolution) resolveEndpoints() {
	r.hosts = hostRules{
		own:      r.ownHosts(),
		allowed:  r.settings.AllowedHosts,
		insecure: r.settings.InsecureHTTPHosts,
		unowned:  r.settings.Credentials == nil,
	}
	templates, stated := r.vendor.Endpoints.all(), r.settings.Endpoints.all()
	for i, endpoint := range r.endpoints.all() {
		if *stated[i].url != "" {
			*endpoint.url = *stated[i].url
			r.hosts.check(&r.faults, "spec.endpoints."+endpoint.field, *endpoint.url)
		} else if r.takesTemplate(endpoint.field) {
			*endpoint.url = r.expand(endpoint.field, *templates[i].url)
		}
	}
	r.checkEnoughEndpoints()
}

// takesTemplate tells whether the vendor's own endpoint is used where the user states none: not where the user wants discovery,
// and the authorization endpoint only with grants that visit it.
func (r *resolution) takesTemplate(field string) bool {
	return r.settings.Endpoints.IssuerURL == "" && (field != "authorizationURL" || r.grant.interactive())
}

// checkEnoughEndpoints names endpoints that the grant needs and that nobody states.
func (r *resolution) checkEnoughEndpoints() {
	entry, stated := r.vendor.Endpoints, r.settings.Endpoints
	if entry.IssuerURL+stated.IssuerURL != "" {
		return
	}
	if entry.TokenURL+stated.TokenURL == "" && r.grant != Implicit {
		r.faults.addSpec("spec.endpoints.tokenURL is missing: vendor %s has none; set it, or set issuerURL for discovery", r.vendor.Name)
	}
	if entry.AuthorizationURL+stated.AuthorizationURL == "" && r.grant.interactive() {
		r.faults.addSpec("spec.endpoints.authorizationURL is missing: vendor %s has none; set it, or set issuerURL for discovery",
			r.vendor.Name)
	}
}

// expand fills in and checks one of the vendor's templates. It is empty where a parameter is missing, which is named elsewhere. A
// host of which the spec's author chose one part and the Secret holds another is refused: a message about it would show the Secret's.
func (r *resolution) expand(field, text string) string {
	template, err := parseEndpointTemplate(text)
	if err != nil || !r.hasAll(template.requiredParameters()) { // templates were read when the catalogue was loaded
		return ""
	}
	expanded, err := template.expand(r.value)
	switch names := template.hostParameters(); {
	case err != nil:
		r.faults.addSpec("%s", err)
		return ""
	case !r.ownedHost(names) && slices.ContainsFunc(names, func(name string) bool { return r.given[name].fromSecret }):
		r.faults.addEndpoint("the vendor's %s: its host must not be made of values from spec.parameters and the credentials Secret "+
			"together: put %s into the credentials Secret", field, strings.Join(names, ", "))
		return ""
	}
	r.hosts.check(&r.faults, "the vendor's "+field, expanded)
	return expanded
}

// ownHosts are the hosts of the entry's templates, as far as they are fixed by the entry, or stated in the Secret itself.
func (r *resolution) ownHosts() []endpointHost {
	var hosts []endpointHost
	for _, endpoint := range r.vendor.Endpoints.all() {
		template, err := parseEndpointTemplate(*endpoint.url)
		if err != nil {
			continue
		}
		names := template.hostParameters()
		if !r.hasAll(names) || !r.ownedHost(names) {
			continue
		}
		template.rest = nil
		if expanded, expandErr := template.expand(r.value); expandErr == nil {
			if _, host, parseErr := parseEndpoint(expanded); parseErr == nil {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// ownedHost tells whether each parameter has its values listed by the entry or its value in the credentials Secret.
func (r *resolution) ownedHost(names []string) bool {
	for _, name := range names {
		if len(r.vendor.Parameters[name].Values) == 0 && !r.given[name].fromSecret {
			return false
		}
	}
	return true
}

func (r *resolution) hasAll(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return r.value(name) == "" })
}

// parametersOfURLs are the parameters of those templates that are used.
func (r *resolution) parametersOfURLs() []string {
	var names []string
	stated := r.settings.Endpoints.all()
	for i, endpoint := range r.vendor.Endpoints.all() {
		if template, err := parseEndpointTemplate(*endpoint.url); err == nil && *stated[i].url == "" && r.takesTemplate(endpoint.field) {
			names = append(names, template.parameters()...)
		}
	}
	return names
}
