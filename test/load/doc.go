// Package load measures what the operator costs, and holds it against the bare cost of the same writes, made in the same run on the same
// machine: `make bench`.
//
//	bench_test.go        the run: which sizes, in which order; goals.go: what is to be kept, and the report
//	bring_up_test.go     from OAuthTokens without a token to target Secrets; bare.go: the same writes by a plain loop
//	restart_test.go      a manager stopped or killed, and another one in its place; among many unrelated Secrets
//	renewals_test.go     ten renewals a second, a tenth of which fail at first: lateness, processor time, API requests
//	storm_test.go        all due at once: a vendor that comes back, a manager that comes back
//
// Settings, by environment: BENCH_SIZES (1000,10000), BENCH_OUTAGE (1h; 0s: the manager alone is away; -1s: no storms), BENCH_REPORT (a file for the table),
// BENCH_BOUNDED (1: judge counts alone, not time and memory).
package load
