package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// callback takes the browser back from the vendor (RFC 6749, section 4.1.2). Without a query, the answer may be in the fragment, which only a
// script can read (section 4.2.2).
func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	answer, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil || len(r.URL.RawQuery) > consent.MaxAnswer:
		s.refuse(w, r, consent.ErrUnknown)
	case s.Implicit && !answer.Has("state"):
		w.Header().Set("Content-Security-Policy", ownScript)
		s.show(w, r, http.StatusOK, page{
			Heading: "fragment.heading", Tone: toneWait, Says: says("fragment.text"), Script: s.address("callback.js"), Target: s.address("callback"),
		})
	default:
		s.receive(w, r, answer, false)
	}
}

// callbackWithFragment takes what the callback page's script found in the fragment.
func (s *site) callbackWithFragment(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, consent.MaxAnswer)
	if !s.Implicit || s.fromElsewhere(r) || r.ParseForm() != nil {
		s.show(w, r, http.StatusForbidden, page{Heading: "foreign.heading", Tone: toneBad, Says: says("foreign.text")})
		return
	}
	s.receive(w, r, r.PostForm, true)
}

// receive checks an answer against the browser's cookie and the state Secret, notes it there, and leads on to the outcome, so that nothing of
// it stays in the address bar.
func (s *site) receive(w http.ResponseWriter, r *http.Request, answer url.Values, implicit bool) {
	states := answer["state"]
	if len(states) != 1 {
		s.refuse(w, r, s.limit.guess(r, consent.ErrUnknown))
		return
	}
	state := oauth.NewSensitive(states[0])
	of, key, ok := s.attemptOf(r, attemptName(state))
	if !ok {
		s.refuse(w, r, s.limit.guess(r, errOtherBrowser))
		return
	}
	if err := s.expect(r, of, state, key); err != nil {
		s.refuse(w, r, err)
		return
	}
	if err := s.note(r.Context(), of, state, key, answer, implicit); err != nil {
		if isAbsence(err) {
			err = s.limit.guess(r, err)
		}
		s.refuse(w, r, err)
		return
	}
	http.Redirect(w, r, s.address("outcome", attemptName(state)), http.StatusSeeOther) //nolint:gosec // the portal's own address and a hash
}

// expect looks for an attempt in the cache before the API server is asked. One that is not there was made up, or begun a moment ago: the API server
// tells, unless too much was made up at this address. One that is there and waits is good, however much that was.
func (s *site) expect(r *http.Request, of client.ObjectKey, state, key oauth.Sensitive) error {
	attempt, err := s.cached(r.Context(), of).Find(s.Clock.Now(), state, key)
	switch {
	case errors.Is(err, consent.ErrUnknown) && s.limit.exhausted(r):
		return errGuesses
	case errors.Is(err, consent.ErrUnknown):
		return nil
	case err == nil && !attempt.Waits():
		return errUsed
	}
	return err
}

// note writes an answer, or the vendor's refusal, into the state Secret.
func (s *site) note(ctx context.Context, of client.ObjectKey, state, key oauth.Sensitive, answer url.Values, implicit bool) error {
	var refused *consent.Outcome
	var offer consent.Offer
	err := s.change(ctx, of, func(record consent.Record) (consent.Record, error) {
		attempt, err := record.Find(s.Clock.Now(), state, key)
		switch {
		case err != nil:
			return record, err
		case !attempt.Waits():
			return record, errUsed
		case attempt.Offer.Request.Implicit != implicit && !answer.Has("error"):
			return record, consent.ErrUnknown
		}
		offer = attempt.Offer
		given, refusal := offer.Request.Read(answer)
		refused = outcomeOf(refusal)
		return record.Receive(s.Clock.Now(), attempt.State, given, refused), nil
	})
	if err == nil && refused != nil {
		s.tellRefusal(ctx, of, offer, refused)
	}
	return err
}

// outcomeOf is a refusal as the end of an attempt; nil for none.
func outcomeOf(refusal *oauth.Refusal) *consent.Outcome {
	if refusal == nil {
		return nil
	}
	ended := &consent.Outcome{Result: consent.Refused, Code: refusal.Code, Detail: refusal.Description}
	if refusal.Code == "access_denied" {
		ended.Result = consent.Denied
	}
	return ended
}

// tellRefusal counts a refusal, and tells of it in an event.
func (s *site) tellRefusal(ctx context.Context, of client.ObjectKey, offer consent.Offer, refused *consent.Outcome) {
	if s.Observe != nil {
		s.Observe(offer.Vendor, string(refused.Result))
	}
	token, err := s.token(ctx, of)
	if err != nil {
		return // nobody is left to be told
	}
	about := "somebody was to authorize, and the vendor answered " + refused.Code
	if refused.Detail != "" {
		about += ": " + strings.TrimSuffix(refused.Detail, ".")
	}
	reason := string(oauth.Refusal{Code: refused.Code}.Reason())
	about += "; see " + v1alpha1.FailureGuide(reason)
	s.Recorder.Eventf(token, nil, corev1.EventTypeWarning, reason, "Authorize", "%s", about)
}
