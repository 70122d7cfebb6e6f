// Package e2e runs the operator in a real cluster, as users do, and counts what goes wrong for the applications that read its tokens.
//
//	make e2e-cluster LAB=/path/to/lab       # clusters that the script makes and removes
//	make e2e-cluster KUBECONFIG=/path       # a cluster of yours, with the images loaded; it must not have Tokensync yet
//	make e2e-cluster LAB=… RUN=TestLife     # one test, by a pattern as `go test -run` takes it
//
// # The clusters
//
// LAB is a script for a single-node cluster, of these commands: `up` (idempotent: starts what is missing), `down` (state is kept) and
// `down --purge`, `image NAME BINARY` (packs a static binary and imports it), `import FILE.tar`, `kubeconfig` (prints a path). Each test
// has a cluster of its own, with its own CLUSTER_LAB_HOME (a folder under E2E_HOME), LAB_PORT and CHECK_PORT (two ports, from E2E_PORT
// on); they run at once:
//
//	fast   TestLife          E2E_PORT, +1   its kubelet looks after mounted Secrets every second
//	slow   TestSlowKubelet         +2, +3   its kubelet looks once a minute (SYNC_FREQUENCY=1m), as it does by default
//	helm   TestHelm                +4, +5   as the first
//
// Other settings of the script, such as KUBE_BIN, reach it as they are. The operator's image is the one that `make image` builds, which
// needs docker, buildah or podman.
//
// With KUBECONFIG alone, the tests run one after the other, each with the kubelet as it is: where it looks less often, tokens live longer and
// the tests take longer. What a stranger
// can't do to a cluster is not run, and the output names it: restarting its node, restarting its API server, killing the leading process
// (its pod is deleted at once instead). What a failed test made stays there; a cluster of LAB is always removed.
//
// # Settings
//
//	LAB, KUBECONFIG      which cluster; one of them
//	E2E_HOME             with LAB: where its clusters live (default: tokensync-e2e in the user's cache folder)
//	E2E_PORT             with LAB: the first of six ports (default 36560)
//	BUILD_BASE           with LAB: the base of the image's build stage (default local: made of this machine's Go)
//	E2E_IMAGE            with KUBECONFIG: the operator's image (default tokensync:dev)
//	E2E_PREVIOUS_IMAGE   with KUBECONFIG: the image of PREVIOUS (default tokensync:previous)
//	E2E_ACTOR_IMAGE      with KUBECONFIG: the image of ./test/e2e/actors/actor (default tokensync-actor:dev)
//	PREVIOUS             the release before, a git ref (default: the newest tag before HEAD, else a commit before the first release)
//	E2E_RENEWALS         how many renewals the applications must see (default 10)
//	E2E_SLOW_RENEWALS    the same, where the kubelet looks once a minute (default 3; each takes two to three minutes)
//
// # The files
//
//	lab.go       a cluster by LAB: made, restarted, removed
//	cluster.go   any cluster: its clients, kubectl, what was not run
//	image.go     images from this tree
//	stage.go     the scripted vendor and the resource server in the cluster (actors has the programs)
//	install.go   the operator, installed as the documentation says
//	helm.go      the same with Helm, and a chart with an older CRD
//	calls.go     applications that call the resource server, and their tallies
//	tokens.go    OAuthTokens and Secrets: what came of them
//	person.go    somebody who consents
//	inventory.go all that a cluster holds
//	dump.go      what is printed when a test fails
package e2e
