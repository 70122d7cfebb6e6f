package soak

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/fleet"
)

// refresh is one use of a refresh token, and whether its user keeps what the answer brings.
type refresh struct {
	fault oauthtest.Fault
	kept  bool
}

// spend uses a refresh token, and returns the new one; "": none came.
func spend(t *testing.T, vendor *oauthtest.Server, token string) (next string) {
	t.Helper()
	form := url.Values{"grant_type": {oauthtest.RefreshToken}, "refresh_token": {token}}
	request := httptest.NewRequest(http.MethodPost, "/generic/oauth2/token", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("api", "secret")
	answer := httptest.NewRecorder()
	func() {
		defer func() {
			if ended := recover(); ended != nil && ended != http.ErrAbortHandler { //nolint:errorlint // what was thrown
				panic(ended)
			}
		}()
		vendor.ServeHTTP(answer, request)
	}()
	var issued struct {
		RefreshToken string `json:"refresh_token"`
	}
	_ = json.Unmarshal(answer.Body.Bytes(), &issued) // nothing came: none
	return issued.RefreshToken
}

func TestARefreshTokenIsLostForAReasonOfItsOwn(t *testing.T) {
	lost := oauthtest.AfterActing(oauthtest.Drop())
	now := time.Now()
	for about, c := range map[string]struct {
		uses            []refresh
		stored          string // instead of what was kept: "nothing", or "the seed"
		kill            time.Duration
		isLost, hadToBe bool
	}{
		"all are kept": {uses: []refresh{{kept: true}, {kept: true}}},
		"an answer did not come, and nothing was spent":      {uses: []refresh{{kept: true}, {fault: oauthtest.Drop()}}},
		"the last answer was cut":                            {uses: []refresh{{kept: true}, {fault: lost}}, isLost: true, hadToBe: true},
		"the last answer was cut, and what it spent refused": {uses: []refresh{{fault: lost}, {}}, isLost: true, hadToBe: true},
		"the same, and the refused one was given up":         {uses: []refresh{{fault: lost}, {}}, stored: "nothing", isLost: true, hadToBe: true},
		"the last answer was cut, and an older token kept":   {uses: []refresh{{kept: true}, {fault: lost}}, stored: "the seed", isLost: true},
		"the last answer had no access token":                {uses: []refresh{{fault: oauthtest.WithoutMember("access_token"), kept: true}}},
		"its refresh token was not kept":                     {uses: []refresh{{fault: oauthtest.WithoutMember("access_token")}}, isLost: true},
		"a good answer was not kept":                         {uses: []refresh{{kept: true}, {}}, isLost: true},
		"a good answer was not kept after a failure":         {uses: []refresh{{fault: oauthtest.Drop()}, {}}, isLost: true},
		"a good answer was not kept, and nobody knows why":   {uses: []refresh{{}}, stored: "nothing", isLost: true},
		"the leader was killed meanwhile":                    {uses: []refresh{{kept: true}, {}}, kill: time.Second, isLost: true, hadToBe: true},
		"the leader was killed long before":                  {uses: []refresh{{kept: true}, {}}, kill: -10 * time.Second, isLost: true},
		"the leader was killed long after":                   {uses: []refresh{{kept: true}, {}}, kill: 10 * time.Second, isLost: true},
	} {
		t.Run(about, func(t *testing.T) {
			vendor := oauthtest.New()
			vendor.Register(oauthtest.Client{
				Vendor: oauthtest.Generic, ID: "api", Secret: "secret", Grants: []string{oauthtest.RefreshToken}, RefreshTokens: true, Rotation: oauthtest.Rotate,
			})
			seed := vendor.NewRefreshToken(oauthtest.Generic, "api", "")
			held := seed
			for _, use := range c.uses {
				takeBack := vendor.Fail(oauthtest.Match{}, use.fault)
				if next := spend(t, vendor, held); use.kept {
					held = next
				}
				takeBack()
			}
			stored := map[string]string{"": held, "nothing": "", "the seed": seed}[c.stored]
			b := newBooks(&fleet.Vendor{Server: vendor}, &chaos{}, map[string]string{"api": stored}, nil, nil)
			if c.kill != 0 {
				b.kills = []span{{now.Add(c.kill), now.Add(c.kill + time.Second)}}
			}
			if b.isLost("api") != c.isLost || b.isLost("api") && b.hadToBeLost("api") != c.hadToBe {
				t.Errorf("lost: %t, had to be: %t; want %t and %t; %v", b.isLost("api"), b.hadToBeLost("api"), c.isLost, c.hadToBe, b.requests["api"])
			}
		})
	}
}

func TestATokenEndsForAReasonOfItsOwn(t *testing.T) {
	issued := time.Now().Truncate(time.Second)
	end := issued.Add(40 * time.Second)
	at := func(after time.Duration, fault string) []oauthtest.Request {
		return []oauthtest.Request{{Time: issued.Add(after), ClientID: "api", Fault: fault}}
	}
	around := func(after time.Duration) []span {
		return []span{{issued.Add(after), issued.Add(after + 2*time.Second)}}
	}
	inUse := func(from, to time.Duration, alone []span) books {
		use := fleet.Use{From: issued.Add(from), Deadline: issued.Add(from + 10*time.Second)}
		if to != 0 {
			use.To = issued.Add(to)
		}
		return books{alone: alone, uses: map[string][]fleet.Use{"api": {use}}}
	}
	for about, c := range map[string]struct {
		replaced time.Duration
		books    books
		inPeace  bool
	}{
		"replaced in time":                             {replaced: 20 * time.Second},
		"replaced within the slack":                    {replaced: 43 * time.Second},
		"replaced late":                                {replaced: 44 * time.Second, inPeace: true},
		"after a failure in the last quarter":          {replaced: 44 * time.Second, books: books{requests: map[string][]oauthtest.Request{"api": at(35*time.Second, "dropped")}}},
		"after a failure before":                       {replaced: 44 * time.Second, books: books{requests: map[string][]oauthtest.Request{"api": at(20*time.Second, "dropped")}}, inPeace: true},
		"after a slow answer":                          {replaced: 44 * time.Second, books: books{requests: map[string][]oauthtest.Request{"api": at(35*time.Second, "slow")}}, inPeace: true},
		"after a failure of another":                   {replaced: 44 * time.Second, books: books{requests: map[string][]oauthtest.Request{"other": at(35*time.Second, "dropped")}}, inPeace: true},
		"after a short pause that was asked for":       {replaced: 44 * time.Second, books: books{requests: map[string][]oauthtest.Request{"api": at(20*time.Second, "too many requests")}}, inPeace: true},
		"while nobody led":                             {replaced: 44 * time.Second, books: books{alone: around(37 * time.Second)}},
		"after a time in which nobody led":             {replaced: 44 * time.Second, books: books{alone: around(20 * time.Second)}, inPeace: true},
		"while the vendor could not be reached":        {replaced: 44 * time.Second, books: books{away: around(37 * time.Second)}},
		"after the vendor could not be reached":        {replaced: 44 * time.Second, books: books{away: around(20 * time.Second)}, inPeace: true},
		"while its refresh token was in use by nobody": {replaced: 44 * time.Second, books: inUse(20*time.Second, 0, around(21*time.Second))},
		"the same, and its result came to be known":    {replaced: 44 * time.Second, books: inUse(20*time.Second, 30*time.Second, around(21*time.Second)), inPeace: true},
		"while its refresh token was in use":           {replaced: 44 * time.Second, books: inUse(20*time.Second, 0, nil), inPeace: true},
		"when its refresh token had been in use by nobody": {
			replaced: 44 * time.Second, books: inUse(-40*time.Second, 0, around(-39*time.Second)), inPeace: true,
		},
		"after a pause beyond it was asked for":    {replaced: 44 * time.Second, books: longPause(at(20*time.Second, "too many requests"), 24*time.Second)},
		"after a pause that was over":              {replaced: 44 * time.Second, books: longPause(at(10*time.Second, "too many requests"), 24*time.Second), inPeace: true},
		"after a pause that was asked for earlier": {replaced: 44 * time.Second, books: longPause(at(-time.Second, "too many requests"), time.Minute), inPeace: true},
	} {
		t.Run(about, func(t *testing.T) {
			complaint := c.books.expiredInPeace(fleet.Replaced{ID: "api", Token: fleet.Served{IssuedAt: issued, ExpiresAt: end}, At: issued.Add(c.replaced)})
			if (complaint != "") != c.inPeace {
				t.Errorf("complaint %q", complaint)
			}
		})
	}
}

func longPause(requests []oauthtest.Request, pause time.Duration) books {
	return books{requests: map[string][]oauthtest.Request{"api": requests}, pauses: map[string]time.Duration{"api": pause}}
}
