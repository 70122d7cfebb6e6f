//go:build cluster

package e2e

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/e2e/actors"
)

// team is the namespace of the users.
const team = "team"

// The clients of the vendor, and OAuthTokens, of the stories.
const (
	brisk   = "brisk"   // lives as short as the kubelet allows
	steady  = "steady"  // is renewed every 30 s, but lives longer, so that it outlasts what happens to the cluster
	settled = "settled" // lives an hour
	seeded  = "seeded"  // the same, and its refresh token can be spent once
)

// pace is how fast things can go: applications see a renewal when the kubelet has looked.
type pace struct {
	look          time.Duration // how often it does
	brisk, steady time.Duration // how long these tokens live
}

func paceOf(look time.Duration) pace {
	if look <= time.Second {
		return pace{look: look, brisk: 30 * time.Second, steady: 120 * time.Second}
	}
	return pace{look: look, brisk: 5 * look, steady: 5 * look}
}

// TestLife is one cluster's life with the operator: the release before is installed and upgraded, tokens of all vendors are had, whatever
// can happen to a cluster happens, the operator is removed, and another one comes for a single namespace.
func TestLife(t *testing.T) {
	t.Parallel() // in somebody else's cluster, after the others
	c := Open(t, "fast", 0)
	c.DumpOnFailure()
	c.Load()
	key, certificate := identityProvider(t)
	pace := paceOf(c.Look())
	s := c.NewStage(actors.Play{Lifetime: time.Hour, IdentityProvider: certificate, Clients: []oauthtest.Client{
		Generic(brisk, pace.brisk), Generic(steady, pace.steady), Generic(settled, time.Hour), rotating(seeded),
	}})
	c.Namespace(team)
	before := c.Inventory()

	for _, step := range []struct {
		name string
		play func(*Stage)
	}{
		{"the upgrade requests nothing and loses nothing", upgrade},
		{"the example manifests work unchanged", func(s *Stage) { examples(s, key, certificate, pace) }},
		{"no call is rejected whatever happens to the cluster", func(s *Stage) { disruptions(s, pace) }},
		{"the removal leaves what deletionPolicy says", func(s *Stage) { removal(s, before) }},
		{"an operator for one namespace serves it and no other", namespaced},
	} {
		start := time.Now()
		ok := t.Run(step.name, func(t *testing.T) {
			inner := s.InTest(t)
			step.play(inner)
			t.Logf("took %s", time.Since(start).Round(time.Second))
		})
		if !ok {
			return // what follows builds on it
		}
	}
}

// rotating is a client of the generic vendor whose refresh tokens can be spent once.
func rotating(id string) oauthtest.Client {
	client := Generic(id, time.Hour)
	client.Grants, client.RefreshTokens, client.Rotation = []string{oauthtest.RefreshToken}, true, oauthtest.Rotate
	return client
}

// renewedEarly lets a token be renewed as if it lived for a minute: every 30 s.
func renewedEarly(token *v1alpha1.OAuthToken, _ *corev1.Secret) {
	age := v1alpha1.Duration("1m")
	token.Spec.Renewal = &v1alpha1.Renewal{MaxTokenAge: &age}
}

// wanted is a number that the environment may set.
func wanted(s *Stage, name string, otherwise int) int {
	s.TB.Helper()
	n, err := strconv.Atoi(setting(name, strconv.Itoa(otherwise)))
	if err != nil || n < 1 {
		s.TB.Fatalf("%s must be a number from 1 on", name)
	}
	return n
}
