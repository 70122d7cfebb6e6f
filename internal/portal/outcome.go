package portal

import (
	"context"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	if s.limit.exhausted(r) {
		s.refuse(w, r, errGuesses)
		return
	}
	of, key, ok := s.attemptOf(r, r.PathValue("attempt"))
	if !ok {
		s.show(w, r, http.StatusForbidden, page{Heading: "browser.heading", Tone: toneBad, Says: says("browser.text")})
		return
	}
	attempt, err := s.await(r.Context(), of, r.PathValue("attempt"), key)
	if isAbsence(err) { // each one costs the API server a read, whoever forged the cookie
		s.limit.failed(r)
	}
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
func (s *site) await(ctx context.Context, of client.ObjectKey, name string, key oauth.Sensitive) (consent.Attempt, error) {
	end := s.Clock.Now().Add(outcomePatience)
	for {
		attempt, err := s.attempt(ctx, of, name, key)
		if err != nil || attempt.Outcome != nil || !s.Clock.Now().Before(end) {
			return attempt, err
		}
		select {
		case <-ctx.Done():
			return attempt, nil
		case <-s.Clock.After(outcomePace):
		}
	}
}

// attempt reads an attempt from the cache; where the cache does not have it yet, from the API server.
func (s *site) attempt(ctx context.Context, of client.ObjectKey, name string, key oauth.Sensitive) (consent.Attempt, error) {
	cached := &corev1.Secret{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: of.Name + v1alpha1.StateSecretSuffix}, cached)
	if err == nil && isStateOf(of, cached) {
		if found, ok := named(consent.Parse(cached.Data[consent.Key]), name, key); ok {
			return found, nil
		}
	}
	_, record, err := s.read(ctx, of)
	if err != nil {
		return consent.Attempt{}, err
	}
	if found, ok := named(record, name, key); ok {
		return found, nil
	}
	return consent.Attempt{}, consent.ErrExpired
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
		shown.Commands = []string{"kubectl -n " + of.Namespace + " annotate oauthtoken " + of.Name + " " + v1alpha1.AllowSubjectChangeAnnotation + "=true"}
	}
	if token, err := s.token(ctx, of); err == nil && token.Status.Authorization != nil {
		if again := token.Status.Authorization.URL; strings.HasPrefix(again, s.address("authorize", "")) {
			shown.Link = &link{URL: again, Label: "outcome.again"}
		}
	}
	return shown
}
