// Package oauthtest is a scripted vendor: an HTTP or HTTPS server that answers as the catalogue's vendors document it, refuses what
// they would refuse, and fails in the ways that a test or the demo asks for. It is not the client's code turned round: nothing of
// package oauth is used here, so that a mistake there isn't repeated by its judge.
//
//	server.go         Server and its options; one request from arrival to answer is exchange.go
//	listen.go         HTTP or HTTPS on a local port, with a certificate authority of its own (certificate.go)
//	route.go          which vendor and endpoint a path belongs to
//	registry.go       clients, users and identity providers; defaults.go holds those of the example manifests
//	form.go           reading a form strictly (RFC 6749, sections 3.2 and 2.3.1, appendix B)
//	grant.go          what all vendors share; dialect.go: in what they differ; sfr.go, genesys.go, bright_pattern.go, abbyy.go and
//	                  generic.go: what each documents
//	authorize.go      the authorization endpoint; sign_in.go: its pages; consent.go: the person who needs none
//	code.go           codes, code challenges and ID tokens
//	assertion.go      judging SAML 2.0 assertions (RFC 7522, section 3)
//	vault.go          tokens, rotation and reuse detection (RFC 9700, section 4.14.2); introspection.go: looking into it
//	answer.go         answers, in each vendor's own form
//	revocation.go     RFC 7009; discovery.go: RFC 8414 and OpenID Connect Discovery; resource.go: RFC 6750
//	fault.go          ways to fail; script.go: when to
//	journal.go        what was seen: Requests, Count, Await
//	snapshot.go       what was issued, for a server that takes another one's place
//	overrides.go      catalogue entries that point the vendors at this server
package oauthtest
