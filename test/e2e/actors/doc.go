// Package actors are the programs that play in a cluster beside the operator. One image has them all; the first argument says which it is.
//
//	vendor.go   the scripted vendor and the resource server behind its tokens
//	caller.go   an application: it reads the token from a mounted Secret and calls the resource server; tally.go counts how that went
//	person.go   somebody with a browser who follows a link and consents
package actors
