package portal

import (
	"context"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// outcomePatience is how long a browser is kept waiting for the controller.
	outcomePatience = 15 * time.Second
	// outcomePace is how often the cache is asked meanwhile.
	outcomePace = 200 * time.Millisecond
)

// outcome waits for the end of an attempt and shows it, to the browser that began it.
func (s *site) outcome(w http.ResponseWriter, r *http.Request) {
	of, key, ok := s.attemptOf(r, r.PathValue("attempt"))
	if !ok {
		s.refuse(w, r, errOtherBrowser)
		return
	}
	attempt, err := s.await(r, of, key)
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case attempt.Outcome == nil:
		w.Header().Set("Refresh", "5")
		s.show(w, r, http.StatusOK, page{
			Heading: "waiting.heading", Tone: toneWait, Says: says("waiting.text"),
			Link: &link{URL: s.address("outcome", r.PathValue("attempt")), Label: "waiting.link"},
		})
	default:
		s.show(w, r, http.StatusOK, s.ended(r.Context(), of, attempt))
	}
}

// await looks at the attempt until it has an outcome, or for as long as a browser is kept waiting.
func (s *site) await(r *http.Request, of client.ObjectKey, key oauth.Sensitive) (consent.Attempt, error) {
	end := s.Clock.Now().Add(outcomePatience)
	for {
		attempt, err := s.attempt(r, of, key)
		if err != nil || attempt.Outcome != nil || !s.Clock.Now().Before(end) {
			return attempt, err
		}
		select {
		case <-r.Context().Done():
			return attempt, nil
		case <-s.Clock.After(outcomePace):
		}
	}
}

// attempt reads the attempt of a page from the cache; where the cache does not have it yet, from the API server, unless too much was made up at
// this address.
func (s *site) attempt(r *http.Request, of client.ObjectKey, key oauth.Sensitive) (consent.Attempt, error) {
	name := r.PathValue("attempt")
	if found, ok := named(s.cached(r.Context(), of), name, key); ok {
		return found, nil
	}
	if s.limit.exhausted(r) {
		return consent.Attempt{}, errGuesses
	}
	_, record, err := s.read(r.Context(), of)
	if err == nil {
		if found, ok := named(record, name, key); ok {
			return found, nil
		}
		err = consent.ErrExpired
	}
	if isAbsence(err) { // each one costs the API server a read, whoever forged the cookie
		err = s.limit.guess(r, err)
	}
	return consent.Attempt{}, err
}

// named finds an attempt by its name, for the browser that has its key.
func named(record consent.Record, name string, key oauth.Sensitive) (consent.Attempt, bool) {
	for _, attempt := range record.Attempts {
		if strings.HasPrefix(attempt.State, name) && len(name) == attemptNameLength && equal(attempt.Browser, consent.Hash(key)) {
			return attempt, true
		}
	}
	return consent.Attempt{}, false
}

// ended is the page about the end of an attempt.
func (s *site) ended(ctx context.Context, of client.ObjectKey, attempt consent.Attempt) page {
	result := attempt.Outcome
	shown := page{
		Heading: "outcome." + string(result.Result) + ".heading", HeadingValues: []string{attempt.Offer.Title}, Tone: toneBad,
		Says:  says("outcome."+string(result.Result)+".text", of.Namespace, of.Name, attempt.Offer.Title),
		Facts: []fact{{"fact.object", []string{of.Namespace + "/" + of.Name}}}, Quote: result.Detail,
	}
	if result.Code != "" {
		shown.Facts = append(shown.Facts, fact{"fact.code", []string{result.Code}})
		if known := "code." + result.Code; s.pages.has(known) {
			shown.Says = append(shown.Says, said{Key: known})
		}
	}
	if result.Subject != "" {
		shown.Facts = append(shown.Facts, fact{"fact.subject", []string{result.Subject}})
	}
	if result.Result == consent.Completed {
		shown.Tone = toneGood
		return shown
	}
	if result.Result == consent.SubjectMismatch {
		shown.Commands = []string{"kubectl annotate oauthtoken " + of.Name + " -n " + of.Namespace + " " + v1alpha1.AllowSubjectChangeAnnotation + "=true"}
	}
	if token, err := s.token(ctx, of); err == nil && token.Status.Authorization != nil {
		if again := token.Status.Authorization.URL; strings.HasPrefix(again, s.address("authorize", "")) {
			shown.Link = &link{URL: again, Label: "outcome.again"}
		}
	}
	return shown
}
