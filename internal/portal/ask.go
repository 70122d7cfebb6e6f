package portal

import (
	"context"
	"errors"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// largestForm is how much of a form is read that has no answer of a vendor in it.
const largestForm = 4 << 10

// ask shows who asks, for what, and where the button leads. It changes nothing, however often a scanner or a preview follows the link.
func (s *site) ask(w http.ResponseWriter, r *http.Request) {
	ticket := oauth.NewSensitive(r.PathValue("ticket"))
	of, record, err := s.admit(r, ticket)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	browser, known := s.browser(r)
	if !known {
		http.SetCookie(w, s.cookie(browserCookie, browser.Reveal()))
	}
	asked := page{
		Heading: "ask.heading", HeadingValues: []string{record.Offer.Title}, Tone: toneAsk,
		Says: says("ask.text", of.Namespace, of.Name, record.Offer.Title),
		Facts: []fact{
			{"fact.object", []string{of.Namespace + "/" + of.Name}},
			{"fact.vendor", []string{record.Offer.Title}},
			{"fact.scopes", record.Offer.Scopes},
			{"fact.host", []string{record.Offer.Request.Host()}},
		},
		Button: &button{Action: s.address("authorize", ticket.Reveal()), Token: formToken(browser, ticket), Label: "ask.button"},
	}
	if record.Subject != "" {
		asked.Facts = append(asked.Facts, fact{"fact.subject", []string{record.Subject}})
	}
	if record.Offer.Request.Implicit {
		asked.Says = append(asked.Says, said{Key: "ask.implicit"})
	}
	s.show(w, r, http.StatusOK, asked)
}

// admit finds what a ticket is for: in the cache, then as the API server has it. The error is consent.ErrUnknown, consent.ErrExpired,
// errGuesses, or the API server's.
func (s *site) admit(r *http.Request, ticket oauth.Sensitive) (of client.ObjectKey, record consent.Record, err error) {
	if of, err = s.known(r, ticket); err != nil {
		return of, record, err
	}
	if _, record, err = s.read(r.Context(), of); err != nil {
		return of, record, err
	}
	return of, record, record.Admit(s.Clock.Now(), ticket)
}

// known is whom a ticket is for as far as the cache tells. Wrong tickets end there, and good ones are never counted: whoever guesses from the same
// address, such as a proxy's, can't shut anybody out.
func (s *site) known(r *http.Request, ticket oauth.Sensitive) (client.ObjectKey, error) {
	of, record, err := s.find(r.Context(), indexTicket, ticket)
	switch {
	case errors.Is(err, consent.ErrUnknown):
		return of, s.limit.guess(r, err)
	case err != nil:
		return of, err
	}
	return of, record.Admit(s.Clock.Now(), ticket)
}

// begin uses a ticket up and sends the browser to the vendor. Where the browser has used it already, as with a double click, of which it follows the
// last answer, it is sent the same way once more.
func (s *site) begin(w http.ResponseWriter, r *http.Request) {
	ticket := oauth.NewSensitive(r.PathValue("ticket"))
	browser, known := s.browser(r)
	r.Body = http.MaxBytesReader(w, r.Body, largestForm)
	if !known || s.fromElsewhere(r) || !equal(r.PostFormValue("form"), formToken(browser, ticket)) {
		s.show(w, r, http.StatusForbidden, page{Heading: "foreign.heading", Tone: toneBad, Says: says("foreign.text")})
		return
	}
	state, key := attemptSecrets(browser, ticket)
	of, _, err := s.find(r.Context(), indexAttempt, state)
	if errors.Is(err, consent.ErrUnknown) {
		of, err = s.known(r, ticket)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	attempt, err := s.setOut(r.Context(), of, ticket, state, key)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.keepAttempt(w, state, key, of)
	http.Redirect(w, r, attempt.Offer.Request.Start(state, attempt.Verifier), http.StatusSeeOther) //nolint:gosec // the vendor's address, from the state Secret
}

// setOut notes the attempt of a browser in the state Secret, or finds the one that is there.
func (s *site) setOut(ctx context.Context, of client.ObjectKey, ticket, state, key oauth.Sensitive) (attempt consent.Attempt, err error) {
	err = s.change(ctx, of, func(record consent.Record) (consent.Record, error) {
		if attempt, err = record.Find(s.Clock.Now(), state, key); err == nil {
			return record, errBegun
		}
		begun := consent.Attempt{State: consent.Hash(state), Browser: consent.Hash(key)}
		if record.Offer.Request.PKCE {
			begun.Verifier = oauth.NewVerifier()
		}
		if record, err = record.Begin(s.Clock.Now(), ticket, begun); err == nil {
			attempt = record.Attempts[len(record.Attempts)-1]
		}
		return record, err
	})
	switch {
	case errors.Is(err, errBegun) && attempt.Waits():
		return attempt, nil
	case errors.Is(err, errBegun):
		return attempt, errUsed
	}
	return attempt, err
}

// errBegun: the browser has begun this attempt before.
var errBegun = errors.New("the attempt was begun before")

// refuse tells why there is nothing to see.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error) {
	remedy := []string{"kubectl tokensync authorize NAME", "kubectl get oauthtoken NAME -o jsonpath='{.status.authorization.url}'"}
	switch {
	case errors.Is(err, errGuesses):
		w.Header().Set("Retry-After", "60")
		s.show(w, r, http.StatusTooManyRequests, page{Heading: "guesses.heading", Tone: toneBad, Says: says("guesses.text")})
	case errors.Is(err, errOtherBrowser):
		s.show(w, r, http.StatusForbidden, page{Heading: "browser.heading", Tone: toneBad, Says: says("browser.text")})
	case errors.Is(err, consent.ErrExpired):
		s.show(w, r, http.StatusGone, page{Heading: "expired.heading", Tone: toneBad, Says: says("expired.text"), Commands: remedy})
	case errors.Is(err, errUsed):
		s.show(w, r, http.StatusConflict, page{Heading: "used.heading", Tone: toneBad, Says: says("used.text"), Commands: remedy})
	case isAbsence(err):
		s.show(w, r, http.StatusNotFound, page{Heading: "unknown.heading", Tone: toneBad, Says: says("unknown.text"), Commands: remedy})
	default:
		s.unavailable(w, r, err)
	}
}
