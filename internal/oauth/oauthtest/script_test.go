package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// statuses sends the same request n times.
func statuses(s *Server, n int) []int {
	var got []int
	for range n {
		got = append(got, post(s, sfrPath, sfrForm).Code)
	}
	return got
}

func TestTheScriptIsFollowedInItsOrder(t *testing.T) {
	s := New()
	s.Fail(Match{Vendor: SFR}, Status(500, "", ""), Times(2))
	s.Fail(Match{Vendor: SFR}, Status(502, "", ""), After(1), Times(1))
	if diff := cmp.Diff([]int{500, 500, 200, 502, 200}, statuses(s, 5)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestFaultsStrikeOnlyWhatMatches(t *testing.T) {
	tests := map[string]struct {
		match Match
		hit   bool
	}{
		"everything":                       {Match{}, true},
		"the vendor":                       {Match{Vendor: SFR}, true},
		"the client, known from the body":  {Match{ClientID: "sfr-api"}, true},
		"the grant":                        {Match{Grant: Password}, true},
		"every endpoint":                   {Match{Endpoint: AnyEndpoint}, true},
		"another vendor":                   {Match{Vendor: Genesys}, false},
		"another client":                   {Match{ClientID: "other"}, false},
		"another grant":                    {Match{Grant: ClientCredentials}, false},
		"another endpoint":                 {Match{Endpoint: RevocationEndpoint}, false},
		"a client of this name, elsewhere": {Match{Vendor: ABBYY, ClientID: "sfr-api"}, false},
	}
	for name, test := range tests {
		for kind, fault := range map[string]Fault{"status": Status(500, "", ""), "unread": DropUnread()} {
			t.Run(name+", "+kind, func(t *testing.T) {
				s := New()
				s.Fail(test.match, fault)
				func() {
					defer func() { _ = recover() }() // a dropped connection
					post(s, sfrPath, sfrForm)
				}()
				if hit := s.Requests()[0].Outcome == Faulted; hit != test.hit {
					t.Errorf("hit: %v, want %v", hit, test.hit)
				}
			})
		}
	}
}

func TestAnOutageHitsEveryEndpointUntilRecovery(t *testing.T) {
	s := New()
	s.Fail(Match{Vendor: Generic}, Status(500, "", ""))
	s.Outage(Generic, Unavailable(nil))
	for _, path := range []string{genericPath, "/generic/oauth2/revoke", "/generic/.well-known/openid-configuration"} {
		if w := post(s, path, ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: status %d in the outage", path, w.Code)
		}
	}
	if got := statuses(s, 1); got[0] != 200 {
		t.Errorf("another vendor answered %d in the outage", got[0])
	}
	s.Recover(Generic)
	if w := (call{path: genericPath, basic: genericBasic, form: genericForm}).do(s); w.Code != 200 {
		t.Errorf("status %d after the recovery", w.Code)
	}
}

func TestAFaultCanBeTakenBack(t *testing.T) {
	s := New()
	takeBack := s.Fail(Match{}, Status(500, "", ""))
	s.Fail(Match{}, Status(502, "", ""))
	takeBack()
	if got := statuses(s, 1); got[0] != 502 {
		t.Errorf("status %d, want the other fault's", got[0])
	}
}

func TestChanceRepeatsWithItsSeed(t *testing.T) {
	run := func(seed uint64) []int {
		s := New(WithSeed(seed))
		s.Fail(Match{}, Status(500, "", ""), Probability(0.3))
		return statuses(s, 200)
	}
	first := run(7)
	if diff := cmp.Diff(first, run(7)); diff != "" {
		t.Errorf("one seed, two runs:\n%s", diff)
	}
	if cmp.Equal(first, run(8)) {
		t.Error("two seeds, one run")
	}
	failures := strings.Count(fmt.Sprint(first), "500")
	if failures < 40 || failures > 80 {
		t.Errorf("%d of 200 failed with probability 0.3", failures)
	}
}

func TestTheJournalKnowsWhatWasSent(t *testing.T) {
	s := New()
	post(s, sfrPath, sfrForm)
	r := s.Requests()[0]
	if r.Vendor != SFR || r.ClientID != "sfr-api" || r.Grant != Password || r.Path != sfrPath || r.Body() != sfrForm ||
		r.Form().Get("tenant") != "sfrxxx01-sfrresell" || r.Header().Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("the journal says %+v", r)
	}
}

func TestAPrintedRequestHoldsNoSecret(t *testing.T) {
	s := New()
	call{path: genesysPath, basic: genesysBasic, form: "grant_type=client_credentials&x=change-me"}.do(s)
	printed := fmt.Sprintf("%v %+v", s.Requests(), s.Requests()[0])
	if strings.Contains(printed, "change-me") || strings.Contains(printed, "Basic") || !strings.Contains(printed, "issued") {
		t.Errorf("printed: %s", printed)
	}
}

func TestAPathThatNobodyDocumentsIsNotedDown(t *testing.T) {
	s := New()
	w := post(s, "/sfr/other", "")
	if got := s.Count(Match{Endpoint: UnknownEndpoint, Outcome: NotFound}); w.Code != 404 || got != 1 {
		t.Errorf("status %d, noted %d", w.Code, got)
	}
}

func TestALimitedHistoryStillCountsEverything(t *testing.T) {
	s := New(WithHistory(10))
	statuses(s, 95)
	if kept, counted := len(s.Requests()), s.Count(Match{Vendor: SFR}); kept != 10 || counted != 95 {
		t.Errorf("kept %d, want 10; counted %d, want 95", kept, counted)
	}
	if held := cap(s.journal.requests); held > 64 {
		t.Errorf("room for %d requests is held", held)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New().Await(ctx, Match{}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestManyClientsAtOnceGetTokensOfTheirOwn(t *testing.T) {
	const clients, rounds = 20, 50
	s := New(WithHistory(100))
	for i := range clients {
		s.Register(Client{
			Vendor: Generic, ID: fmt.Sprint("c", i), Secret: "s", Authentication: Post, Grants: []string{ClientCredentials},
		})
	}
	var seen sync.Map
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			id := fmt.Sprint("c", i)
			for range rounds {
				w := post(s, genericPath, "grant_type=client_credentials&client_secret=s&client_id="+id)
				token, _ := object(t, w.Body.String())["access_token"].(string)
				if _, double := seen.LoadOrStore(token, id); double {
					t.Errorf("%s got a token that was issued before", id)
				}
				if vendor, owner := s.OwnerOf(token); vendor != Generic || owner != id {
					t.Errorf("%s got the token of %s at %s", id, owner, vendor)
				}
			}
		})
	}
	await(t, s, Match{Vendor: Generic, Outcome: Issued}, clients*rounds)
	wait.Wait()
	if got := s.Count(Match{Outcome: Pending}); got != 0 {
		t.Errorf("%d requests are still pending", got)
	}
}

func BenchmarkToken(b *testing.B) {
	s := New(WithHistory(100))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			post(s, sfrPath, sfrForm)
		}
	})
}
