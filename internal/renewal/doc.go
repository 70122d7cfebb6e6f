// Package renewal decides when a token is requested: now, or when to look again. It is pure. It reads no clock, keeps nothing between
// calls and does no I/O; all it knows is in its arguments, so a restart changes no decision.
//
// The files, in the order of a token's life:
//
//	schedule.go  Plan: when a token is due for renewal
//	decide.go    Decide: whether a request is wanted, and whether it may be sent
//	limits.go    what holds a wanted request back
//	backoff.go   AfterFailure, AfterSuccess: what is remembered of requests, and the pause before the next
//	jitter.go    spreading that is the same every time
//
// # Time
//
// Times that are stored are whole seconds, because annotations and status hold no more. A token's IssuedAt lies up to a second before
// the request, a failure's time up to a second after it; intervals counted from them are rounded so that they are never shorter in
// truth than promised. The time handed in as now may have a fraction.
//
// The wall clock may step by hours in both directions. A time that lies more than a minute ahead was written before a step back. What
// depends on it is not believed: a token costs one request, after which the times fit again, and a back-off ends. A step forward
// can't be told from time that passed.
//
// # Limits
//
// Whatever vendor, users and clock do, one object sends at most 600 successful requests an hour (one in 6 s; 720 are allowed), and at
// most 20 that fail. Each change of spec or credentials and each step back of the clock allows one more.
package renewal
