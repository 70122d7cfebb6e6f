// Package controller keeps the token of every OAuthToken fresh. A reconcile goes one way, and each step is a file:
//
//	observe.go   READ   the object, its credentials, its target (former.go: under a name before) and state Secret, mostly from the cache
//	plan.go      PURE   what is in the way (problem.go), what is held (hold.go), what is to be done, and when to look again
//	request.go   VENDOR one token request, at most; what came of it: outcome.go, failure.go
//	store.go     WRITE  the target Secret; refresh tokens first, into the state Secret (saver.go)
//	report.go    WRITE  conditions (status.go, pure), events.go, metrics.go (series.go)
//
// What has to be true is in objects. Memory holds only what may be lost: an answer that could not be written yet (answers.go), who
// waits for an endpoint (gate.go), how often something undid a repair (repairs.go), and what was announced and never sent (unsent.go).
package controller
