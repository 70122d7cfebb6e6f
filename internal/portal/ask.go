package portal

import (
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
// errGuesses, or the API server's. Wrong tickets end at the cache, and good ones are never counted: whoever guesses from the same address, such as a
// proxy's, can't shut anybody out.
func (s *site) admit(r *http.Request, ticket oauth.Sensitive) (of client.ObjectKey, record consent.Record, err error) {
	of, err = s.find(r.Context(), ticket)
	switch {
	case errors.Is(err, consent.ErrUnknown):
		return of, record, s.limit.guess(r, err)
	case err != nil:
		return of, record, err
	}
	if _, err = s.token(r.Context(), of); err != nil {
		return of, record, err
	}
	if _, record, err = s.read(r.Context(), of); err != nil {
		return of, record, err
	}
	return of, record, record.Admit(s.Clock.Now(), ticket)
}

// begin uses a ticket up and sends the browser to the vendor.
func (s *site) begin(w http.ResponseWriter, r *http.Request) {
	ticket := oauth.NewSensitive(r.PathValue("ticket"))
	browser, known := s.browser(r)
	r.Body = http.MaxBytesReader(w, r.Body, largestForm)
	if !known || s.fromElsewhere(r) || !equal(r.PostFormValue("form"), formToken(browser, ticket)) {
		s.show(w, r, http.StatusForbidden, page{Heading: "foreign.heading", Tone: toneBad, Says: says("foreign.text")})
		return
	}
	of, _, err := s.admit(r, ticket)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	state, key, verifier := consent.NewSecret(), consent.NewSecret(), oauth.Sensitive{}
	var request oauth.AuthorizationRequest
	err = s.change(r.Context(), of, func(record consent.Record) (consent.Record, error) {
		if request = record.Offer.Request; request.PKCE && verifier.IsEmpty() {
			verifier = oauth.NewVerifier()
		}
		return record.Begin(s.Clock.Now(), ticket, consent.Attempt{
			State: consent.Hash(state), Browser: consent.Hash(key), Verifier: verifier,
		})
	})
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.keepAttempt(w, state, key, of)
	http.Redirect(w, r, request.Start(state, verifier), http.StatusSeeOther)
}

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
