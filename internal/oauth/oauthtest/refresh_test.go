package oauthtest

import (
	"sync"
	"testing"
	"time"
)

// settable is a clock that a test moves.
type settable struct {
	mu  sync.Mutex
	now time.Time
}

func (c *settable) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *settable) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rotator is a server with one client that refreshes.
func rotator(rotation Rotation) (*Server, *settable) {
	clock := &settable{now: epoch}
	s := New(WithClock(clock.read))
	s.Register(Client{
		Vendor: Generic, ID: "app", Secret: "s", Authentication: Post, Grants: []string{RefreshToken, Password},
		Scopes: []string{"a", "b"}, RefreshTokens: true, Rotation: rotation,
	})
	s.SetPassword(User{Vendor: Generic, Username: "u", Password: "p"})
	return s, clock
}

// refreshed sends a refresh and returns the status and the answer's tokens.
func refreshed(t *testing.T, s *Server, token, more string) (status int, access, next string) {
	t.Helper()
	w := post(s, genericPath, "grant_type=refresh_token&client_id=app&client_secret=s&refresh_token="+token+more)
	members := object(t, w.Body.String())
	access, _ = members["access_token"].(string)
	next, _ = members["refresh_token"].(string)
	return w.Code, access, next
}

func TestARotatedRefreshTokenWorksOnceAndItsReplayEndsTheFamily(t *testing.T) {
	s, _ := rotator(Rotate)
	first := s.NewRefreshToken(Generic, "app", "")
	status, access, second := refreshed(t, s, first, "")
	if status != 200 || second == "" || second == first {
		t.Fatalf("refresh: status %d, next %q", status, second)
	}
	if s.RefreshTokenIsLive(first) || !s.RefreshTokenIsLive(second) || !s.FamilyAlive(first) || !s.IsLive(access) {
		t.Error("after a rotation the second refresh token alone should be live, in a family that is alive")
	}
	if status, _, _ := refreshed(t, s, first, ""); status != 400 {
		t.Errorf("replay: status %d, want 400", status)
	}
	if s.RefreshTokenIsLive(second) || s.FamilyAlive(second) || s.IsLive(access) {
		t.Error("after a replay nothing of the family should be live")
	}
	if status, _, _ := refreshed(t, s, second, ""); status != 400 {
		t.Errorf("the successor after a replay: status %d, want 400", status)
	}
}

func TestRefreshTokensWithoutRotationWorkAgain(t *testing.T) {
	for name, test := range map[string]struct {
		rotation Rotation
		repeated bool
	}{
		"the answer holds none":    {Keep, false},
		"the answer holds the old": {Repeat, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := rotator(test.rotation)
			token := s.NewRefreshToken(Generic, "app", "")
			for range 2 {
				status, _, next := refreshed(t, s, token, "")
				if status != 200 || (next == token) != test.repeated {
					t.Errorf("status %d, next is the old one: %v", status, next == token)
				}
			}
		})
	}
}

func TestARefreshTokenEndsByItsAbsoluteTimeHoweverOftenItIsUsed(t *testing.T) {
	s, clock := rotator(Rotate)
	token := s.NewRefreshToken(Generic, "app", "")
	for range 29 {
		clock.advance(24 * time.Hour)
		_, _, token = refreshed(t, s, token, "")
	}
	clock.advance(24*time.Hour - time.Second)
	if !s.RefreshTokenIsLive(token) {
		t.Error("the refresh token is dead a second before its 30 days are over")
	}
	clock.advance(time.Second)
	if status, _, _ := refreshed(t, s, token, ""); status != 400 {
		t.Errorf("after 30 days: status %d, want 400", status)
	}
}

func TestARefreshKeepsToItsClientAndScope(t *testing.T) {
	s, _ := rotator(Rotate)
	token := s.NewRefreshToken(Generic, "app", "a")
	if status, _, _ := refreshed(t, s, token, "&scope=a+b"); status != 400 {
		t.Errorf("a wider scope: status %d, want 400", status)
	}
	if !s.RefreshTokenIsLive(token) {
		t.Error("a refused refresh spent the token")
	}
	s.Register(Client{Vendor: Generic, ID: "other", Secret: "s", Authentication: Post, Grants: []string{RefreshToken}})
	for path, client := range map[string]string{
		abbyyPath:   "client_id=vantage-integration&client_secret=change-me", // of another vendor
		genericPath: "client_id=other&client_secret=s",
	} {
		w := post(s, path, "grant_type=refresh_token&refresh_token="+token+"&"+client)
		if object(t, w.Body.String())["error"] != invalidGrant || !s.RefreshTokenIsLive(token) {
			t.Errorf("another client's token: status %d, %s; want invalid_grant and no harm", w.Code, w.Body)
		}
	}
}

func TestPasswordsStartAFamilyWhereTheClientHasRefreshTokens(t *testing.T) {
	s, _ := rotator(Rotate)
	w := post(s, genericPath, "grant_type=password&client_id=app&client_secret=s&username=u&password=p")
	token, _ := object(t, w.Body.String())["refresh_token"].(string)
	if !s.RefreshTokenIsLive(token) {
		t.Errorf("no live refresh token in %s", w.Body)
	}
	for name, test := range map[string]struct {
		form   string
		status int
		want   bool
	}{
		"ABBYY with offline_access":    {abbyyPasswordForm, 200, true},
		"ABBYY without offline_access": {with(abbyyPasswordForm, "scope", "openid permissions global.wildcard"), 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(s, abbyyPath, test.form)
			if _, given := object(t, w.Body.String())["refresh_token"]; w.Code != test.status || given != test.want {
				t.Errorf("status %d, refresh token given: %v: %s", w.Code, given, w.Body)
			}
		})
	}
	client, _ := s.Client(ABBYY, "vantage-integration")
	client.RefreshTokens = false
	s.Register(client)
	if w := post(s, abbyyPath, abbyyPasswordForm); object(t, w.Body.String())["error"] != invalidScope {
		t.Errorf("offline_access where it is switched off: %s", w.Body)
	}
}

func TestTwoRefreshesAtOnceSpendTheTokenOnce(t *testing.T) {
	s, _ := rotator(Rotate)
	token := s.NewRefreshToken(Generic, "app", "")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { refreshed(t, s, token, "") })
	}
	wait.Wait()
	if got := s.Count(Match{Grant: RefreshToken, Outcome: Issued}); got != 1 {
		t.Errorf("%d refreshes succeeded, want 1", got)
	}
	if s.FamilyAlive(token) {
		t.Error("the family survived a replay")
	}
}

func TestALongMemoryKnowsWhoseAnExpiredTokenWas(t *testing.T) {
	for _, long := range []bool{false, true} {
		s, clock := rotator(Rotate)
		if long {
			WithLongMemory()(s)
		}
		_, access, _ := refreshed(t, s, s.NewRefreshToken(Generic, "app", ""), "")
		for range 2000 {
			refreshed(t, s, s.NewRefreshToken(Generic, "app", ""), "")
			clock.advance(10 * time.Minute)
		}
		if _, owner := s.OwnerOf(access); (owner == "app") != long {
			t.Errorf("long memory %t: the first token is of %q", long, owner)
		}
	}
}

func TestTheVaultForgetsWhatHasExpired(t *testing.T) {
	s, clock := rotator(Rotate)
	for range 5000 {
		refreshed(t, s, s.NewRefreshToken(Generic, "app", ""), "")
		clock.advance(10 * time.Minute)
	}
	if held := len(s.vault.access) + len(s.vault.refreshers); held > 12_000 {
		t.Errorf("the vault holds %d entries after a month", held)
	}
}
