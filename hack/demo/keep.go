package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// invite prints the links that wait for a person.
func (s *stage) invite(ctx context.Context) error {
	v, err := s.look(ctx)
	if err != nil {
		return err
	}
	s.screen.heading("Connect these in a browser on this machine:")
	lines := []string{""}
	for _, t := range v.those(func(t tokenView) bool { return t.link != "" }) {
		lines = append(lines, fmt.Sprintf("    %-20s %s", t.name, t.link))
	}
	s.screen.say(strings.Join(append(lines,
		"", "The played vendor knows "+personName+", with the password "+personPassword+". Your browser will warn of its certificate, which is the demo's own.",
		"A link works once; the next one is in status.authorization.url.",
	), "\n"))
	return nil
}

// stay leaves everything running, and the table live, until a signal comes.
func (s *stage) stay(ctx context.Context) error {
	bin, err := filepath.Abs(filepath.Dir(s.cluster.kubectlPath()))
	if err != nil {
		return err
	}
	if err := s.invite(ctx); err != nil {
		return err
	}
	s.screen.heading("It goes on until Ctrl-C. In another terminal:")
	s.screen.say(strings.Join([]string{
		"",
		"    export KUBECONFIG=" + s.cluster.kubeconfig,
		"    export PATH=" + bin + ":$PATH",
		"",
		"    kubectl get oauthtokens --all-namespaces --output=wide",
		"    kubectl describe oauthtoken genesys-user             # conditions, and what has happened",
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
