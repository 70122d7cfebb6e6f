// Package leaks gives the real manager secrets that can be told apart, has every grant fail in every way, and looks for them wherever they
// have no business: in its log, in what it sends to the API server, in every object of the cluster but the Secrets meant for them, in its
// metrics, in its pages, and in the dump that a crash writes. A secret that is found is named with its kind, its encoding and the place.
//
//	canary.go          what is secret, and the forms in which it may leak
//	vendor.go          a vendor that notes down every secret that passes
//	echoes.go          the answers by which a vendor gives away what it was sent
//	stage.go           a world with that vendor; what is sent to its API server is kept
//	tokens.go          OAuthTokens of every grant, with secrets of their own
//	places.go          the places that are searched
//	leaks_test.go      every grant, every failure, at both ends of the log levels
//	traps_test.go      faults of users, Secrets of others, refusals that quote what they refuse
//	crash_test.go      the dump that a crash writes
//	canary_test.go     a secret is found in every form
package leaks
