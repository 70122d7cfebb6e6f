package oauthtest

import (
	"testing"
	"time"
)

// A vendor that is started from another's snapshot knows what that one issued, spent, revoked and counted.
func TestASnapshotBringsBackWhatWasIssued(t *testing.T) {
	first, clock := rotator(Rotate)
	seed, revoked := first.NewRefreshToken(Generic, "app", ""), first.NewRefreshToken(Generic, "app", "")
	first.Revoke(revoked)
	_, access, next := refreshed(t, first, seed, "")
	kept, err := first.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	second := New(WithClock(clock.read))
	if err := second.Restore(kept); err != nil {
		t.Fatal(err)
	}
	if n := second.Count(Match{Vendor: Generic, ClientID: "app", Outcome: Issued}); n != 1 {
		t.Errorf("%d issued tokens are counted, want 1", n)
	}
	for about, c := range map[string]struct{ got, want bool }{
		"the access token is live":           {second.IsLive(access), true},
		"the refresh token is live":          {second.RefreshTokenIsLive(next), true},
		"the spent refresh token is not":     {second.RefreshTokenIsLive(seed), false},
		"the family of the spent one lives":  {second.FamilyAlive(seed), true},
		"the revoked refresh token is not":   {second.RefreshTokenIsLive(revoked), false},
		"a token from elsewhere is not live": {second.IsLive("elsewhere"), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %t, want %t", about, c.got, c.want)
		}
	}
	clock.advance(time.Hour)
	if second.IsLive(access) {
		t.Error("the access token outlives its end")
	}
	clock.advance(-time.Hour)
	second.Revoke(next)
	if second.IsLive(access) {
		t.Error("the access token outlives its family: they were parted")
	}
	if err := second.Restore([]byte("{")); err == nil {
		t.Error("half a snapshot is taken for one")
	}
}
