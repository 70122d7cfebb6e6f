// Package oauth obtains tokens from OAuth 2.0 authorization servers. It knows nothing of Kubernetes.
//
// A token takes three steps, each of which can be read by itself:
//
//	catalogue, err := LoadCatalogue(dir)      // what vendors want, as data
//	flow, err := catalogue.Resolve(settings)  // what the user wants, checked; all faults at once
//	request, err := flow.TokenRequest(now)    // what is sent
//	token, err := client.Token(ctx, request)  // the only step that talks to the network
//
// What a vendor wants:
//
//	vendor.go, vendors/*.yaml      the schema of an entry, and the entries
//	catalogue.go, vendor_parse.go  reading entries; unknown fields
//	vendor_check*.go               what is wrong with an entry, by field
//	endpoint_template.go           URLs over parameters, which no value can bend
//	endpoint_hosts.go              RFC 6749, section 3.2; hosts and the patterns that allow them
//	vendor_needs.go                what an entry asks of a user
//
// What is sent:
//
//	settings.go, config_error.go  what a user states, and what is wrong with it
//	resolve*.go, parameters.go    vendor + user = Flow
//	flow.go, request.go, form.go  RFC 6749, section 3.2 and appendix B
//	client_authentication.go      RFC 6749, section 2.3
//	authorization.go              RFC 6749, sections 4.1.1 and 4.2.1; RFC 7636
//	authorization_answer.go       RFC 6749, sections 4.1.2 and 4.2.2; RFC 9207
//	grant_authorization_code.go   RFC 6749, section 4.1.3
//	grant_client_credentials.go   RFC 6749, section 4.4
//	grant_password.go             RFC 6749, section 4.3
//	grant_refresh_token.go        RFC 6749, section 6
//	grant_saml2_bearer.go         RFC 7522, section 2.1
//	saml_assertion.go             RFC 7522, section 3
//	saml_signature.go             XML Signature, with exclusive canonicalisation
//
// How it is sent, and what comes back:
//
//	client.go, exchange.go, pool.go   one request, one answer, no redirects
//	dialer.go, gate.go                where connections may lead; whether anything was written
//	response.go, object.go            RFC 6749, section 5.1; answers that are almost JSON
//	lifetime.go, retry_after.go       expires_in in all its forms; RFC 9110, section 10.2.3
//	error.go, error_answer.go         RFC 6749, section 5.2: what a failure means
//	network_failure.go, quote.go      failures without an answer; words that are fit to be shown
//	discovery.go                      RFC 8414; OpenID Connect Discovery 1.0
//	id_token.go                       OpenID Connect Core, section 2: who it was
//	claims.go                         RFC 7519, section 4: what a token that is a JWT states
//	revocation.go                     RFC 7009
//	token.go, sensitive.go            the outcome, which nothing prints
package oauth
