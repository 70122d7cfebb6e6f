package consent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/oauth"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func someOffer() Offer {
	return Offer{Vendor: "shop", Title: "Example Shop", Scopes: []string{"orders"}, Request: oauth.AuthorizationRequest{URL: "https://vendor.example/authorize"}}
}

// begun is a record with one attempt that a browser has begun, and what that browser has.
func begun(t *testing.T) (r Record, state, browser oauth.Sensitive) {
	t.Helper()
	ticket := NewSecret()
	state, browser = NewSecret(), NewSecret()
	r, err := Record{}.Invite(noon, ticket, someOffer()).Begin(noon, ticket, Attempt{State: Hash(state), Browser: Hash(browser), Verifier: oauth.NewVerifier()})
	if err != nil {
		t.Fatal(err)
	}
	return r, state, browser
}

// received is the same with a code.
func received(t *testing.T) (r Record, id string) {
	t.Helper()
	r, state, _ := begun(t)
	return r.Receive(noon.Add(time.Minute), Hash(state), oauth.NewSensitive("the code"), nil), Hash(state)
}

func TestTicketsAdmitOnce(t *testing.T) {
	ticket, other := NewSecret(), NewSecret()
	r := Record{}.Invite(noon, ticket, someOffer())
	used, err := r.Begin(noon, ticket, Attempt{State: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		record Record
		ticket oauth.Sensitive
		at     time.Duration
		want   error
	}{
		"the ticket":                    {r, ticket, 0, nil},
		"the ticket, a second too late": {r, ticket, TicketLife, ErrExpired},
		"another one":                   {r, other, 0, ErrUnknown},
		"none":                          {r, oauth.Sensitive{}, 0, ErrUnknown},
		"none, where there is none":     {Record{}, oauth.Sensitive{}, 0, ErrUnknown},
		"one that was used":             {used, ticket, 0, ErrUnknown},
		"one that was replaced":         {r.Invite(noon, other, someOffer()), ticket, 0, ErrUnknown},
		"one that was withdrawn":        {r.Withdraw(), ticket, 0, ErrUnknown},
	} {
		if err := test.record.Admit(noon.Add(test.at), test.ticket); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if !r.Invites(noon, ticket, someOffer()) || r.Invites(noon.Add(TicketLife-TicketRenewal), ticket, someOffer()) || r.Invites(noon, ticket, Offer{}) || r.Invites(noon, other, someOffer()) {
		t.Error("a link is shown as long as it has two hours to go and offers the same")
	}
}

func TestAnAttemptIsFoundByItsOwnBrowserOnly(t *testing.T) {
	r, state, browser := begun(t)
	for name, test := range map[string]struct {
		state, browser oauth.Sensitive
		at             time.Duration
		want           error
	}{
		"both":                  {state, browser, 0, nil},
		"in time":               {state, browser, AttemptLife - time.Second, nil},
		"too late":              {state, browser, AttemptLife, ErrExpired},
		"another browser":       {state, NewSecret(), 0, ErrUnknown},
		"another state":         {NewSecret(), browser, 0, ErrUnknown},
		"swapped":               {browser, state, 0, ErrUnknown},
		"no browser":            {state, oauth.Sensitive{}, 0, ErrUnknown},
		"the hash of the state": {oauth.NewSensitive(Hash(state)), browser, 0, ErrUnknown},
	} {
		if _, err := r.Find(noon.Add(test.at), test.state, test.browser); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestACodeIsTakenOnce(t *testing.T) {
	r, id := received(t)
	if w := r.Waiting(); w == nil || w.Answer.Reveal() != "the code" {
		t.Fatal("the code does not wait")
	}
	if again := r.Receive(noon.Add(2*time.Minute), id, oauth.NewSensitive("another"), nil); again.Waiting().Answer.Reveal() != "the code" {
		t.Error("a second callback replaces the code")
	}
	taken := r.Take(id, noon.Add(2*time.Minute))
	if taken.Waiting() != nil || strings.Contains(string(taken.Encode()), "the code") {
		t.Error("a code that is sent stays in the record")
	}
	if back := taken.PutBack(id, oauth.NewSensitive("the code"), noon.Add(3*time.Minute)); back.Waiting() == nil || back.Waiting().NotBefore.IsZero() {
		t.Error("a code that reached nobody is not put back")
	}
	ended := taken.Settle(id, Outcome{Result: ExchangeFailed})
	if back := ended.PutBack(id, oauth.NewSensitive("the code"), noon); back.Waiting() != nil {
		t.Error("a code comes back after the end")
	}
	done := taken.Complete(id, "ada", []string{"orders"})
	if done.Subject != "ada" || done.Ticket != "" || !done.RequestedAt.IsZero() || done.Attempts[0].Outcome.Result != Completed || !done.Attempts[0].Verifier.IsEmpty() {
		t.Errorf("after a good end: %+v", done)
	}
}

func TestTimeEndsAttempts(t *testing.T) {
	waiting, _, _ := begun(t)
	r, id := received(t)
	request := someOffer().Request
	other := oauth.AuthorizationRequest{URL: "https://elsewhere.example"}
	for name, test := range map[string]struct {
		record Record
		at     time.Duration
		wanted *oauth.AuthorizationRequest
		want   Result // empty: none
		kept   bool
	}{
		"a browser on its way":                  {waiting, AttemptLife - time.Second, &request, "", true},
		"a browser that stays away":             {waiting, AttemptLife, &request, "", false},
		"a code that waits":                     {r, 10 * time.Minute, &request, "", true},
		"a code that is too old":                {r, 11 * time.Minute, &request, CodeExpired, true},
		"a code for something else":             {r, 2 * time.Minute, &other, SpecChanged, true},
		"a code while it is not known what for": {r, 2 * time.Minute, nil, "", true},
		"a code that is being sent":             {r.Take(id, noon.Add(2*time.Minute)), 3*time.Minute - time.Second, &request, "", true},
		"a code of which nobody tells":          {r.Take(id, noon.Add(2*time.Minute)), 3 * time.Minute, &request, Interrupted, true},
		"an end that a page may ask for":        {r.Settle(id, Outcome{Result: Denied}), 15 * time.Minute, &request, Denied, true},
		"an end that no page asks for any more": {r.Settle(id, Outcome{Result: Denied}), 16 * time.Minute, &request, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			tidied := test.record.Tidy(noon.Add(test.at), test.wanted)
			if kept := len(tidied.Attempts) == 1; kept != test.kept {
				t.Fatalf("kept: %t, want %t", kept, test.kept)
			}
			if !test.kept {
				return
			}
			var got Result
			if a := tidied.Attempts[0]; a.Outcome != nil {
				if got = a.Outcome.Result; !a.Answer.IsEmpty() || !a.Verifier.IsEmpty() {
					t.Error("something secret is left after the end")
				}
			}
			if got != test.want {
				t.Errorf("ends as %q, want %q", got, test.want)
			}
		})
	}
}

func TestNextIsWhenSomethingChanges(t *testing.T) {
	r, id := received(t)
	taken := r.Take(id, noon.Add(2*time.Minute))
	for name, test := range map[string]struct {
		record Record
		want   time.Duration // after noon; 0: never
	}{
		"nothing":             {Record{}, 0},
		"a ticket":            {Record{}.Invite(noon, NewSecret(), someOffer()), TicketLife - TicketRenewal},
		"a code":              {r, 11 * time.Minute},
		"a code that is sent": {taken, 3 * time.Minute},
	} {
		got := test.record.Next(noon.Add(time.Minute))
		if want := noon.Add(test.want); test.want != 0 && !got.Equal(want) || test.want == 0 && !got.IsZero() {
			t.Errorf("%s: %v, want %s after noon", name, got, test.want)
		}
	}
}

func TestTwoVersionsAreMerged(t *testing.T) {
	r, id := received(t)
	ticket := NewSecret()
	base := r.Invite(noon, ticket, someOffer())
	used, err := base.Begin(noon.Add(2*time.Minute), ticket, Attempt{State: "second"})
	if err != nil {
		t.Fatal(err)
	}
	merged := base.Complete(id, "ada", nil).Onto(used)
	if len(merged.Attempts) != 2 || merged.Ticket != "" {
		t.Errorf("an attempt that was begun meanwhile is lost, or a used ticket comes back: %d attempts", len(merged.Attempts))
	}
	if outcome := merged.Attempts[0].Outcome; outcome == nil || outcome.Result != Completed {
		t.Errorf("the controller's outcome is lost: %+v", outcome)
	}
	waiting, state, _ := begun(t)
	came := waiting.Receive(noon, Hash(state), oauth.NewSensitive("the code"), nil)
	if merged := waiting.Onto(came); merged.Waiting() == nil {
		t.Error("a code that came meanwhile is lost")
	}
	if merged := r.Onto(r.Take(id, noon)); merged.Waiting() != nil {
		t.Error("a code that somebody has taken is there again")
	}
}

func TestNobodyPushesACodeOut(t *testing.T) {
	r, id := received(t)
	for range 3 * MaxAttempts {
		ticket := NewSecret()
		var err error
		if r, err = r.Invite(noon, ticket, someOffer()).Begin(noon, ticket, Attempt{State: Hash(NewSecret())}); err != nil {
			t.Fatal(err)
		}
	}
	if w := r.Waiting(); len(r.Attempts) != MaxAttempts || w == nil || w.State != id {
		t.Errorf("%d attempts, and the code is there: %t", len(r.Attempts), w != nil)
	}
}

func TestARecordIsStoredWholeAndPrintsNothingSecret(t *testing.T) {
	r, _ := received(t)
	r.Subject, r.Scopes = "ada", []string{"orders"}
	again := Parse(r.Encode())
	if diff := cmp.Diff(string(r.Encode()), string(again.Encode())); diff != "" {
		t.Errorf("stored and read (-want +got):\n%s", diff)
	}
	if a := again.Attempts[0]; a.Answer.Reveal() != "the code" || !a.Verifier.Equal(r.Attempts[0].Verifier) {
		t.Error("a secret is lost on the way")
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		printed += fmt.Sprintf(verb, r) + fmt.Sprintf(verb, r.Attempts)
	}
	for _, secret := range []string{"the code", r.Attempts[0].Verifier.Reveal(), fmt.Sprintf("%x", "the code")} {
		if strings.Contains(printed, secret) {
			t.Errorf("%q is printed", secret)
		}
	}
	if (Record{}).Encode() != nil {
		t.Error("a record that says nothing takes room")
	}
	for _, garbage := range []string{"", "null", "[]", "{", `{"attempts":"x"}`, `{"requestedAt":"yesterday"}`} {
		if got := Parse([]byte(garbage)); got.Encode() != nil {
			t.Errorf("%q is read as something", garbage)
		}
	}
}

// What can be read can be stored again, whatever is added to its times: whoever may write Secrets writes what they like.
func TestTimesThatCouldNotBeStoredAgainAreNone(t *testing.T) {
	for about, text := range map[string]string{
		"the last one there is":       "9999-12-31T23:59:59Z",
		"the last one, east of here":  "9999-12-31T23:59:59-23:00",
		"before the first, by UTC":    "0000-01-01T00:00:00+23:00",
		"of a place there is nowhere": "9999-01-01T12:00:00+24:00",
	} {
		for _, key := range []string{"startedAt", "until", "receivedAt", "notBefore", "sendBefore"} {
			r := Parse(fmt.Appendf(nil, `{"subject":"ada","attempts":[{"state":"s","answer":"a",%q:%q},{"state":"t"}]}`, key, text))
			if len(r.Attempts) != 1 || r.Attempts[0].State != "t" || r.Subject != "ada" {
				t.Errorf("%s in %s: %d attempts are read", about, key, len(r.Attempts))
			}
		}
		for _, key := range []string{"requestedAt", "ticketUntil"} {
			if r := Parse(fmt.Appendf(nil, `{"subject":"ada",%q:%q}`, key, text)); r.Subject != "" {
				t.Errorf("%s in %s is read", about, key)
			}
		}
	}
	r := Parse([]byte(`{"ticketUntil":"2026-01-01T12:00:00.5+24:00"}`))
	if want := noon.Add(-24 * time.Hour); r.TicketUntil != want {
		t.Errorf("%s is read, want %s", r.TicketUntil, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"ticket":"x","attempts":[{"state":"s","answer":"a"}]}`))
	f.Add([]byte(`{"attempts":[{"state":"s","answer":"a","notBefore":"9999-12-31T23:59:59Z"}]}`))
	f.Add([]byte(`{"attempts":[{"state":"s","answer":"a","notBefore":"2026-01-01T12:00:00+24:00"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := Parse(text)
		if again := Parse(r.Encode()); string(again.Encode()) != string(r.Encode()) {
			t.Errorf("%q changes when it is stored again", text)
		}
		r.Tidy(noon, nil).Onto(r).Next(noon)
		for _, a := range r.Attempts {
			r.PutBack(a.State, oauth.NewSensitive("the code"), noon).Encode()
		}
	})
}
