// Package gitops judges what Argo CD and Flux make of OAuthTokens.
//
//	objects_test.go    the OAuthTokens: one of every situation, as the controller's own tests keep them
//	sandbox_test.go    Argo CD's Lua environment, without its clock
//	health_test.go     health in Argo CD
//	actions_test.go    actions in Argo CD
//	kstatus_test.go    what kstatus, and with it Flux, says
package gitops
