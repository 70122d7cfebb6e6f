package oauth

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// longestCredential bounds a value that is sent: servers refuse longer headers and forms anyway, and a megabyte in each request
// would only be a mistake.
const longestCredential = 64 << 10

// resolveParameters gathers the value of every parameter and checks it.
func (r *resolution) resolveParameters() {
	r.checkStatedParameters()
	r.checkAuthorizationParameters()
	for _, name := range slices.Sorted(maps.Keys(r.vendor.Parameters)) {
		if declared := r.vendor.Parameters[name]; r.grant == "" || declared.takenWith(r.grant) {
			r.resolveParameter(name, declared)
		}
	}
	r.checkMissing()
	r.checkCollisions()
}

// checkStatedParameters checks the names in spec.parameters; values of undeclared ones are taken where the vendor accepts any.
func (r *resolution) checkStatedParameters() {
	undeclared := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(r.settings.Parameters)) {
		value := r.settings.Parameters[name]
		if !r.settings.Credentials[name].IsEmpty() && !isCredentialsKey(name) {
			r.faults.addSpec("parameter %s stands in spec.parameters and in the credentials Secret: remove one of them", name)
		}
		declared, ok := r.vendor.Parameters[name]
		switch {
		case !ok && (r.vendor.AcceptsAnyParameter || isProtocolParameter(name)):
			undeclared[name] = value
			r.given[name] = givenParameter{value: value}
		case !ok:
			r.faults.addSpec("spec.parameters: vendor %s has no parameter %s; it has %s", r.vendor.Name, quote(name), r.parameterNames())
		case r.grant != "" && !declared.takenWith(r.grant):
			r.faults.addSpec("spec.parameters: %s is taken only with grant %s: remove it", name, joinTexts(declared.Grants))
		}
	}
	checkSentNames("spec.parameters", undeclared, &r.faults)
}

// checkAuthorizationParameters checks names, and that there is an authorization request: where the user names no grant, the vendor's may have none.
func (r *resolution) checkAuthorizationParameters() {
	checkSentNames("spec.authorizationParameters", r.settings.AuthorizationParameters, &r.faults)
	if len(r.settings.AuthorizationParameters) == 0 || r.grant == "" || r.grant.interactive() {
		return
	}
	remedy := "remove them, or use spec.parameters for the token request"
	served := slices.DeleteFunc(slices.Sorted(maps.Keys(r.vendor.Grants)), func(g GrantType) bool { return !g.interactive() })
	if len(served) > 0 {
		remedy = "set spec.grantType to one of " + joinTexts(served) + ", or " + remedy
	}
	r.faults.addSpec("spec.authorizationParameters are never sent with grant %s, which asks nobody in a browser: %s", r.grant, remedy)
}

func (r *resolution) parameterNames() string {
	if len(r.vendor.Parameters) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(r.vendor.Parameters)), ", ")
}

// resolveParameter takes the value of one declared parameter: the spec's, the Secret's, or the default.
func (r *resolution) resolveParameter(name string, declared Parameter) {
	given := givenParameter{value: r.settings.Parameters[name]}
	if secret := r.settings.Credentials[name]; given.value == "" && !secret.IsEmpty() {
		given = givenParameter{value: secret.Reveal(), fromSecret: true}
		r.useCredential(name)
	}
	if given.value == "" {
		given.value = declared.Default
	}
	if given.value == "" {
		return
	}
	value, allowed := declared.canonical(given.value)
	switch {
	case allowed:
		r.given[name] = givenParameter{value: value, fromSecret: given.fromSecret}
	case given.fromSecret:
		r.faults.addSpec("parameter %s in the credentials Secret has a value that is not allowed: use one of %s",
			name, declared.allowedValues())
	default:
		r.faults.addSpec("spec.parameters.%s: %s is not allowed; use one of %s", name, quote(given.value), declared.allowedValues())
	}
}

// checkMissing names required parameters that have no value although something of this flow needs them. Before the credentials
// are there, they may still bring it. While the grant is not known, those count that every grant takes.
func (r *resolution) checkMissing() {
	if r.settings.Credentials == nil {
		return
	}
	inURLs := r.parametersOfURLs()
	for _, name := range slices.Sorted(maps.Keys(r.vendor.Parameters)) {
		declared := r.vendor.Parameters[name]
		needed := declared.takenWith(r.grant) && (len(declared.Placements) > 0 || slices.Contains(inURLs, name))
		if !declared.Required || !needed || r.hasStated(name) {
			continue
		}
		remedy := "set spec.parameters." + name + " or that key of the credentials Secret"
		if len(declared.Values) > 0 {
			remedy += " to one of " + declared.allowedValues()
		}
		r.faults.addSpec("parameter %s is missing: %s", name, remedy)
	}
}

// hasStated tells whether the user gave a value, allowed or not.
func (r *resolution) hasStated(name string) bool {
	return r.settings.Parameters[name] != "" || !r.settings.Credentials[name].IsEmpty()
}

// value is a parameter's value; empty where it has none.
func (r *resolution) value(name string) string { return r.given[name].value }

// form holds the parameters of one kind of request, beside those of grant and client.
func (r *resolution) form(kind RequestKind) form {
	sent := form{}
	r.eachSent(kind, func(name, value string) { sent[name] = NewSensitive(value) })
	if kind == InAuthorizationRequest {
		for name, value := range r.settings.AuthorizationParameters { // the user's count
			sent[name] = NewSensitive(value)
		}
	}
	return sent
}

// eachSent calls back for every parameter of one kind of request with the name under which it is sent.
func (r *resolution) eachSent(kind RequestKind, send func(name, value string)) {
	fixed := map[RequestKind]map[string]string{
		InTokenRequest:         r.vendor.Grants[r.grant].TokenParameters,
		InAuthorizationRequest: r.vendor.Grants[r.grant].AuthorizationParameters,
	}
	for name, value := range fixed[kind] {
		send(name, value)
	}
	for name, given := range r.given {
		declared, ok := r.vendor.Parameters[name]
		if !ok && kind != InAuthorizationRequest {
			send(name, given.value)
		}
		for _, placement := range declared.Placements {
			if placement.Request == kind && placement.applies(r.value) {
				send(placement.As, given.value)
			}
		}
	}
}

// checkCollisions finds names that would be sent twice (RFC 6749, section 3.2).
func (r *resolution) checkCollisions() {
	for _, kind := range []RequestKind{InTokenRequest, InRefreshRequest, InAuthorizationRequest} {
		seen := make(map[string]bool)
		r.eachSent(kind, func(name, _ string) {
			if seen[name] {
				r.faults.addSpec("parameter %s would be sent twice: state it once", name)
			}
			seen[name] = true
		})
	}
}

// useCredential marks a key of the credentials Secret as part of the requests, and checks that its value can be sent as text.
func (r *resolution) useCredential(key string) {
	value := r.settings.Credentials[key].Reveal()
	if value == "" {
		return
	}
	r.used[key] = true
	switch {
	case len(value) > longestCredential:
		r.faults.addCredentials("the value of %s in the credentials Secret is longer than 64 KiB: put the right one there", key)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		r.faults.addCredentials("the value of %s in the credentials Secret is not text in UTF-8: put the right one there", key)
	}
}
