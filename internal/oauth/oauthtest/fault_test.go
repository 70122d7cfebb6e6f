package oauthtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client trusts the server and nobody else, and follows no redirect.
func client(t *testing.T, s *Server) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CABundle()) {
		t.Fatal("the bundle holds no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// received is what a client sees of an answer.
type received struct {
	status  int
	header  http.Header
	body    string
	sendErr error // no answer at all
	readErr error // no whole body
}

// send asks SFR for a token over the network.
func send(ctx context.Context, t *testing.T, s *Server) received {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL(SFR), strings.NewReader(sfrForm))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client(t, s).Do(r)
	if err != nil {
		return received{sendErr: err}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return received{answer.StatusCode, answer.Header, string(body), nil, err}
}

func TestFaults(t *testing.T) {
	now := func() time.Time { return epoch }
	tests := map[string]struct {
		fault   Fault
		outcome Outcome
		check   func(r received) bool
	}{
		"any status and body": {
			Status(418, "text/plain", "tea"), Faulted,
			func(r received) bool {
				return r.status == 418 && r.body == "tea" && r.header.Get("Content-Type") == "text/plain"
			},
		},
		"an error code in the vendor's form": {
			OAuthError("unauthorized_client"), Faulted,
			func(r received) bool {
				return r.status == 400 && strings.Contains(r.body, `"error":"unauthorized_client"`)
			},
		},
		"429 with seconds": {
			TooManyRequests(InSeconds(42)), Faulted,
			func(r received) bool { return r.status == 429 && r.header.Get("Retry-After") == "42" },
		},
		"429 with a date": {
			TooManyRequests(AtDate(time.Minute)), Faulted,
			func(r received) bool {
				return r.status == 429 && r.header.Get("Retry-After") == "Sun, 01 Mar 2026 12:01:00 GMT"
			},
		},
		"429 with nothing": {
			TooManyRequests(nil), Faulted,
			func(r received) bool { return r.status == 429 && r.header.Values("Retry-After") == nil },
		},
		"503 with nonsense": {
			Unavailable(Literally("soon")), Faulted,
			func(r received) bool { return r.status == 503 && r.header.Get("Retry-After") == "soon" },
		},
		"503 with nothing": {
			Unavailable(nil), Faulted,
			func(r received) bool { return r.status == 503 && r.header.Values("Retry-After") == nil },
		},
		"a page": {
			HTMLPage(), Faulted,
			func(r received) bool { return r.status == 200 && strings.HasPrefix(r.body, "<!DOCTYPE html>") },
		},
		"nothing in the body": {
			EmptyBody(), Faulted, func(r received) bool { return r.status == 200 && r.body == "" && r.readErr == nil },
		},
		"2 MiB": {
			HugeBody(2 << 20), Issued, func(r received) bool { return r.status == 200 && len(r.body) > 2<<20 && strings.HasSuffix(r.body, "}") },
		},
		"half a JSON object": {
			HalfJSON(), Issued,
			func(r received) bool {
				return r.status == 200 && r.body[0] == '{' && !strings.HasSuffix(r.body, "}") && r.readErr == nil
			},
		},
		"an error with status 200": {
			ErrorWithStatus200("invalid_client"), Faulted,
			func(r received) bool { return r.status == 200 && r.body == `{"error":"invalid_client"}` },
		},
		"no access token": {
			WithoutMember("access_token"), Issued, func(r received) bool { return r.status == 200 && !strings.Contains(r.body, "access_token") },
		},
		"an empty access token": {
			Member("access_token", `""`), Issued, func(r received) bool { return strings.Contains(r.body, `"access_token":"",`) },
		},
		"a number for an access token": {
			Member("access_token", "7"), Issued, func(r received) bool { return strings.Contains(r.body, `"access_token":7,`) },
		},
		"another token type": {
			Member("token_type", `"mac"`), Issued, func(r received) bool { return strings.Contains(r.body, `"token_type":"mac"`) },
		},
		"a lifetime of any kind": {
			Member("expires_in", "1e3"), Issued, func(r received) bool { return strings.Contains(r.body, `"expires_in":1e3`) },
		},
		"a byte-order mark": {
			Prefixed("\ufeff"), Issued, func(r received) bool { return strings.HasPrefix(r.body, "\ufeff{") },
		},
		"another content type": {
			ContentType("text/plain"), Issued, func(r received) bool { return r.header.Get("Content-Type") == "text/plain" },
		},
		"a redirect": {
			Redirect(307, "https://other.example/x"), Faulted,
			func(r received) bool { return r.status == 307 && r.header.Get("Location") == "https://other.example/x" },
		},
		"the client's secrets in the description": {
			EchoSecrets("invalid_client"), Faulted,
			func(r received) bool { return r.status == 400 && strings.Contains(r.body, "password=change-me") },
		},
		"dropped before reading": {DropUnread(), Faulted, func(r received) bool { return r.sendErr != nil }},
		"dropped after reading":  {Drop(), Faulted, func(r received) bool { return errors.Is(r.sendErr, io.EOF) }},
		"dropped after acting":   {AfterActing(Drop()), Issued, func(r received) bool { return errors.Is(r.sendErr, io.EOF) }},
		"dropped after acting, unread by itself": {
			AfterActing(DropUnread()), Issued, func(r received) bool { return errors.Is(r.sendErr, io.EOF) },
		},
		"dropped in the answer": {
			DropMidAnswer(), Issued, func(r received) bool { return r.status == 200 && errors.Is(r.readErr, io.ErrUnexpectedEOF) },
		},
		"503 after acting": {AfterActing(Unavailable(nil)), Issued, func(r received) bool { return r.status == 503 }},
		"slow":             {Slow(time.Millisecond), Issued, func(r received) bool { return r.status == 200 }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := Serve(t, WithClock(now))
			s.Fail(Match{Vendor: SFR}, test.fault, Times(1))
			got := send(t.Context(), t, s)
			if !test.check(got) {
				t.Errorf("received %+v", got)
			}
			r := s.Requests()[0]
			if r.Outcome != test.outcome || r.Fault == "" || r.Status != got.status {
				t.Errorf("the journal says outcome %s, fault %q, status %d; want outcome %s, status %d",
					r.Outcome, r.Fault, r.Status, test.outcome, got.status)
			}
			if again := send(t.Context(), t, s); again.status != 200 || again.readErr != nil {
				t.Errorf("after the fault: %+v", again)
			}
		})
	}
}

func TestGenesysSaysTooManyRequestsInItsOwnWay(t *testing.T) {
	s := New()
	s.Fail(Match{Vendor: Genesys}, TooManyRequests(InSeconds(42)))
	w := call{path: genesysPath, basic: genesysBasic, form: "grant_type=client_credentials"}.do(s)
	members := object(t, w.Body.String())
	if _, has := members["error"]; has || members["code"] != "too.many.requests.retry.after" || w.Header().Get("Retry-After") != "42" {
		t.Errorf("429 is %s with %v", w.Body, w.Header())
	}
}

func TestEchoHoldsBasicCredentialsToo(t *testing.T) {
	s := New()
	s.Fail(Match{}, EchoSecrets("invalid_client"))
	w := call{path: genesysPath, basic: genesysBasic, form: "grant_type=client_credentials"}.do(s)
	if !strings.Contains(w.Body.String(), genesysBasic[0]+":change-me") {
		t.Errorf("no credentials in %s", w.Body)
	}
}

func TestASpoiledAnswerLeavesRefusalsAlone(t *testing.T) {
	s := New()
	s.Fail(Match{}, Member("token_type", `"mac"`))
	if w := post(s, sfrPath, with(sfrForm, "password", "wrong")); strings.Contains(w.Body.String(), "mac") {
		t.Errorf("a refusal was spoiled: %s", w.Body)
	}
}

func TestACachedTokenComesAgainWithLessLife(t *testing.T) {
	clock := &settable{now: epoch}
	s := New(WithClock(clock.read))
	first := object(t, post(s, sfrPath, sfrForm).Body.String())
	s.Fail(Match{Vendor: SFR}, CachedToken())
	clock.advance(time.Hour)
	second := object(t, post(s, sfrPath, sfrForm).Body.String())
	if first["access_token"] != second["access_token"] || second["expires_in"] != float64(86_400-3_600) {
		t.Errorf("first %v, second %v", first, second)
	}
	clock.advance(24 * time.Hour)
	third := object(t, post(s, sfrPath, sfrForm).Body.String())
	if third["access_token"] == first["access_token"] || third["expires_in"] != float64(86_400) {
		t.Errorf("after its end a new token was due, got %v", third)
	}
}

func TestATokenMayDieBeforeItsAnnouncedEnd(t *testing.T) {
	clock := &settable{now: epoch}
	s := New(WithClock(clock.read))
	s.Fail(Match{}, TrueLifetime(time.Minute))
	members := object(t, post(s, sfrPath, sfrForm).Body.String())
	token, _ := members["access_token"].(string)
	if members["expires_in"] != float64(86_400) || !s.IsLive(token) {
		t.Errorf("announced: %v", members)
	}
	clock.advance(time.Minute)
	if s.IsLive(token) {
		t.Error("the token outlived its true lifetime")
	}
}

func TestAHeldRequestIsPendingUntilReleasedOrAbandoned(t *testing.T) {
	s := Serve(t)
	release := make(chan struct{})
	s.Fail(Match{Vendor: SFR}, Held(release), Times(1))
	s.Fail(Match{Vendor: SFR}, Held(nil), Times(1))
	answers := make(chan received)
	go func() { answers <- send(t.Context(), t, s) }()
	await(t, s, Match{Vendor: SFR, Outcome: Pending}, 1)
	ctx, leave := context.WithCancel(t.Context())
	go func() { answers <- send(ctx, t, s) }()
	await(t, s, Match{Vendor: SFR, Outcome: Pending}, 2)
	if got := s.Count(Match{}); got != 0 {
		t.Errorf("%d requests count as answered", got)
	}
	leave()
	if got := <-answers; !errors.Is(got.sendErr, context.Canceled) {
		t.Errorf("the client that left received %+v", got)
	}
	await(t, s, Match{Vendor: SFR, Outcome: Abandoned}, 1)
	close(release)
	if got := <-answers; got.status != 200 {
		t.Errorf("the released request received %+v", got)
	}
	if most, issued := s.MostInFlight(SFR), s.Count(Match{Outcome: Issued}); most != 2 || issued != 1 {
		t.Errorf("most in flight %d, want 2; issued %d, want 1", most, issued)
	}
}

func TestAClientThatLeavesASlowVendorGetsNoTokenIssued(t *testing.T) {
	s := Serve(t)
	s.Fail(Match{}, Slow(time.Hour))
	ctx, leave := context.WithCancel(t.Context())
	answers := make(chan received)
	go func() { answers <- send(ctx, t, s) }()
	await(t, s, Match{Outcome: Pending}, 1)
	leave()
	<-answers
	await(t, s, Match{Outcome: Abandoned}, 1)
	if got := s.Count(Match{Outcome: Issued}); got != 0 {
		t.Errorf("%d tokens were issued", got)
	}
}

// await waits for what must come.
func await(t *testing.T, s *Server, match Match, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Await(ctx, match, n); err != nil {
		t.Fatal(err)
	}
}

func TestClosingEndsWhatIsHeld(t *testing.T) {
	s := Serve(t)
	s.Fail(Match{}, Held(nil))
	answers := make(chan received)
	go func() { answers <- send(t.Context(), t, s) }()
	await(t, s, Match{Outcome: Pending}, 1)
	s.Close()
	if got := <-answers; got.sendErr == nil {
		t.Errorf("received %+v from a closed server", got)
	}
	await(t, s, Match{Outcome: Abandoned}, 1)
}
