// Package soak lets many short-lived tokens live through faults of the vendor and the deaths of managers, and then goes through the books:
// `make soak`. What happens depends on SOAK_SEED, but for the order in which processes run.
//
//	soak_test.go    the run               chaos.go    what befalls the managers
//	books.go        what may not be, of served tokens and of refresh tokens
//	books_test.go   the books are read rightly
//
// Settings, by environment: SOAK_TOKENS (1000), SOAK_TIME (10m), SOAK_SEED (1).
package soak
