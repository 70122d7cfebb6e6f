// Package gitops judges what Argo CD and Flux make of OAuthTokens.
//
//	objects_test.go    the OAuthTokens: one of every situation, as the controller's own tests keep them
//	sandbox_test.go    Argo CD's Lua environment, without its clock
//	health_test.go     health in Argo CD
//	actions_test.go    actions in Argo CD
//	kstatus_test.go    what kstatus, and with it Flux, says; flux_test.go: with expressions of one's own
//
// With the build tag cluster, a real Argo CD beside a real cluster is asked as well (make gitops):
//
//	stage_test.go        the cluster, the manager and a vendor
//	application_test.go  an Application, what is pushed to it and what it shows
//	argocd_test.go       the list of what is tried; life, suspension, secrets, removal, waves, appliers and own_lua are its parts
//
// ARGOCD_LAB is a script that runs Argo CD beside a cluster: `up --kubeconfig FILE`, `down`, `config FILE` (merged into argocd-cm),
// `app NAME REPO PATH NAMESPACE [PATCH]` (an Application with automated sync, prune and selfHeal), `cli ARGUMENTS...`, `kubectl ARGUMENTS...`.
// The cluster is that of KUBECONFIG, without Tokensync; or LAB is a script with `up`, `kubeconfig` and `down --purge`, whose cluster lives in
// CLUSTER_LAB_HOME (default: tokensync-gitops in the user's cache folder).
package gitops
