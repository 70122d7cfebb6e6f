// Package judge is an authorization server whose protocol this project did not write: ory/fosite, with two pages and a listener around it.
// It judges the operator from the vendor's side: which refresh tokens are alive, and whether one was ever used twice.
//
//	judge.go     the server, and what tests ask of it           pages.go        signing in, as a person sees it
//	clients.go   the clients and the person that it knows       routes.go       its endpoints
//	store.go     fosite's memory, watched                       assertions.go   SAML assertions, judged by xmlsec1
//	journal.go   what came
package judge
