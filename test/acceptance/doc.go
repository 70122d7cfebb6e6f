// Package acceptance goes every way from `kubectl apply` to a token, with the real manager as a process and a real API server, and asks
// programs that this project did not write whether it is right: ory/fosite whether it accepts the token, golang.org/x/oauth2 whether it would
// send the same request, coreos/go-oidc whether discovery and ID tokens are good, xmlsec1 whether assertions are signed.
//
//	flows_test.go     each flow ends in a token that fosite's introspection accepts
//	refresh_test.go   rotation, a reuse that costs the whole family, revocation
//	opinion_test.go   x/oauth2 and go-oidc judge what was sent and what came
//	stage_test.go     what a user does with kubectl
package acceptance
