//go:build cluster

package e2e

import (
	"maps"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/e2e/actors"
)

// belonging is what an upgrade must leave as it is.
type belonging struct {
	Requests      actors.Count
	Target, State map[string][]byte
}

// belongings are those of OAuthTokens of the generic vendor.
func belongings(s *Stage, names ...string) map[string]belonging {
	s.TB.Helper()
	found := map[string]belonging{}
	for _, name := range names {
		b := belonging{Requests: s.Count(oauthtest.Generic, name), Target: s.Secret(team, name).Data}
		if name == seeded {
			b.State = s.Secret(team, name+v1alpha1.StateSecretSuffix).Data
		}
		found[name] = b
	}
	return found
}

// upgrade installs the release before, lets it get tokens, and puts this tree's image and manifests in its place.
func upgrade(s *Stage) {
	t := s.TB
	t.Logf("the release before is %s", previousRef(t))
	s.Install(s.Write(Overlay{Sources: s.LoadPrevious(), Base: "config/default", Image: previousImage()}))
	s.Declare(team, settled)
	s.Declare(team, seeded, func(token *v1alpha1.OAuthToken, secret *corev1.Secret) {
		token.Spec.GrantType = v1alpha1.GrantRefreshToken
		token.Spec.Target = &v1alpha1.Target{DeletionPolicy: v1alpha1.DeletionRetain}
		secret.StringData["refresh_token"] = string(s.AtDesk("seed", oauthtest.Generic, seeded))
	})
	s.Declare(team, steady, renewedEarly)
	for _, name := range []string{settled, seeded, steady} {
		s.AwaitToken(team, name)
	}
	reader, keeper := s.Call(team, "reader", steady), s.Call(team, "keeper", steady, "--cache")
	before := belongings(s, settled, seeded)
	holder := s.LeaseHolder()

	s.Install(current(s))
	s.AwaitOtherLeader(holder)
	s.AwaitRenewals(s.Renewals(reader)+1, patience, reader) // the new one works
	after := belongings(s, settled, seeded)
	maps.DeleteFunc(after[seeded].State, func(key string, _ []byte) bool { return before[seeded].State[key] == nil }) // a release may note more
	if difference := cmp.Diff(before, after); difference != "" {
		t.Errorf("what the upgrade changed (-before +after), Secrets' values in bytes:\n%s", difference)
	}
	for _, name := range []string{settled, seeded} {
		s.Renew(team, name, "after the upgrade")
		s.AwaitRenewed(team, name, "after the upgrade")
		after := belongings(s, name)[name]
		if want := before[name].Requests.Requests + 1; after.Requests.Requests != want || after.Requests.Issued != want {
			t.Errorf("%s: %+v after a renewal, want %d requests, all of which brought a token", name, after.Requests, want)
		}
		if cmp.Equal(before[name].Target, after.Target) {
			t.Errorf("%s: the renewal left the token as it was", name)
		}
	}
	s.Accounts(reader, keeper)
}

// current writes the overlay of this tree's operator, with the portal.
func current(s *Stage) string {
	s.TB.Helper()
	return s.Write(Overlay{Base: "config/portal", Image: operatorImage(), Flags: []string{"--portal-url=" + portalURL, "--enable-implicit"}})
}
