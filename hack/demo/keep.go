package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"
)

// stayUp leaves everything running, and the table live, until a signal comes.
func stayUp(ctx context.Context, scene *scene, s *screen) error {
	bin, err := filepath.Abs(filepath.Dir(scene.cluster.kubectlPath()))
	if err != nil {
		return err
	}
	s.heading("It goes on until Ctrl-C. In another terminal:")
	s.print(strings.Join([]string{
		"",
		"    export KUBECONFIG=" + scene.cluster.kubeconfig,
		"    export PATH=" + bin + ":$PATH",
		"",
		"    kubectl get oauthtokens --all-namespaces --output=wide",
		"    kubectl describe oauthtoken genesys-user             # a condition says what is missing",
		"    kubectl get secret genesys-api-token --output=yaml   # what a pod mounts",
		"    kubectl delete secret genesys-api-token              # comes back",
		"    kubectl annotate --overwrite oauthtoken genesys-scim tokensync.dev/renew-requested-at=\"$(date)\"",
		"    kubectl delete oauthtoken warehouse                  # its token is revoked at the vendor",
		"    kubectl get events --watch",
		"    kubectl explain oauthtoken.spec",
	}, "\n"))
	stage := newStage(scene, s)
	stage.quiet = true
	_, err = stage.await(ctx, time.Duration(1<<63-1), "", func(*view) string { return "for ever" })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
