package main

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
)

// stay leaves everything running, and the table live, until a signal comes.
func (s *stage) stay(ctx context.Context) error {
	bin, err := filepath.Abs(filepath.Dir(s.cluster.kubectlPath()))
	if err != nil {
		return err
	}
	s.screen.heading("It goes on until Ctrl-C. In another terminal:")
	s.screen.say(strings.Join([]string{
		"",
		"    export KUBECONFIG=" + s.cluster.kubeconfig,
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
	s.quiet = true
	_, err = s.await(ctx, math.MaxInt64, "", func(*view) string { return "it goes on" })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
