package consent

import (
	"slices"
	"time"

	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// AttemptLife is how long a person may take at the vendor's pages.
	AttemptLife = 15 * time.Minute
	// CodeLife is how long a code is worth sending (RFC 6749, section 4.1.2: ten minutes at most).
	CodeLife = 10 * time.Minute
	// MaxAttempts is how many attempts are remembered; see atMost for which go first.
	MaxAttempts = 5
	// MaxAnswer is the largest answer that is taken from a browser, in bytes.
	MaxAnswer = 32 << 10
	// graceAfterSending is how long after the end of sending an answer may still come.
	graceAfterSending = time.Minute
)

// Attempt is one browser's way to the vendor and back.
type Attempt struct {
	// State is the hash of the state parameter, and the attempt's name.
	State string
	// Browser is the hash of the key in the cookie of the browser that began.
	Browser string
	// Verifier is the code verifier (RFC 7636, section 4.1); empty where the vendor takes none.
	Verifier oauth.Sensitive
	// Offer is what the person was asked. Its answer is used only while the same request is wanted.
	Offer Offer
	// StartedAt is when the browser was sent to the vendor. Until is when it must be back; once it is, until when its page can ask for the
	// outcome.
	StartedAt, Until time.Time
	// Answer is what the browser brought: the code, or for the grant Implicit the parameters of the fragment. It is empty before, and
	// again when it was taken to be sent.
	Answer oauth.Sensitive
	// ReceivedAt is when the browser was back.
	ReceivedAt time.Time
	// NotBefore is when the code may be sent again, after an attempt to send it that reached nobody.
	NotBefore time.Time
	// SendBefore is the end of the time in which the code is sent; zero while it is not being sent.
	SendBefore time.Time
	// Outcome is what came of it; nil: nothing yet.
	Outcome *Outcome
}

// Outcome is the end of an attempt.
type Outcome struct {
	// Result says how it ended.
	Result Result `json:"result"`
	// Code is the error that the vendor answered the browser with; empty: none.
	Code string `json:"code,omitempty"`
	// Detail is a sentence for the person: what the vendor says, or what is to be done. It holds nothing secret.
	Detail string `json:"detail,omitempty"`
	// Subject is who consented, where the vendor tells.
	Subject string `json:"subject,omitempty"`
}

// Result is how an attempt ended.
type Result string

// The results.
const (
	Completed       Result = "Completed"       // the tokens are there
	Denied          Result = "Denied"          // the person, or the vendor on their behalf, said no (error access_denied)
	Refused         Result = "Refused"         // the authorization endpoint answered with another error, or with none that can be used
	ExchangeFailed  Result = "ExchangeFailed"  // the token endpoint did not take the code
	Interrupted     Result = "Interrupted"     // the code was sent, and its answer was lost
	CodeExpired     Result = "CodeExpired"     // the code could not be sent in time
	SubjectMismatch Result = "SubjectMismatch" // somebody else consented than before
	SpecChanged     Result = "SpecChanged"     // the OAuthToken asks for something else by now
)

// Begin uses up a ticket. The attempt's Offer and times are set here. The error is ErrUnknown or ErrExpired.
func (r Record) Begin(now time.Time, ticket oauth.Sensitive, begun Attempt) (Record, error) {
	if err := r.Admit(now, ticket); err != nil {
		return r, err
	}
	begun.Offer, begun.StartedAt = r.Offer, now.UTC().Truncate(time.Second)
	begun.Until = begun.StartedAt.Add(AttemptLife)
	r.Ticket, r.TicketUntil = "", time.Time{}
	r.Attempts = append(atMost(MaxAttempts-1, r.Attempts), begun)
	return r, nil
}

// Find returns the attempt that a browser began: both its state and the key of its cookie must match. The error is ErrUnknown or
// ErrExpired.
func (r Record) Find(now time.Time, state, browser oauth.Sensitive) (Attempt, error) {
	for _, a := range r.Attempts {
		if !matches(state, a.State) || !matches(browser, a.Browser) {
			continue
		}
		if !now.Before(a.Until) {
			return Attempt{}, ErrExpired
		}
		return a, nil
	}
	return Attempt{}, ErrUnknown
}

// Waits tells whether the browser is not back yet: what it brings is taken once.
func (a Attempt) Waits() bool { return a.ReceivedAt.IsZero() && a.Outcome == nil }

// Receive notes what a browser brought: an answer, or else the outcome. A browser that was back already changes nothing. Its page has time to
// ask for the outcome.
func (r Record) Receive(now time.Time, state string, answer oauth.Sensitive, outcome *Outcome) Record {
	now = now.UTC().Truncate(time.Second)
	return r.with(state, func(a *Attempt) {
		switch {
		case !a.Waits():
			return
		case outcome != nil:
			a.Outcome, a.Verifier = outcome, oauth.Sensitive{}
		default:
			a.Answer = answer
		}
		a.ReceivedAt, a.Until = now, now.Add(AttemptLife)
	})
}

// Waiting is the first attempt whose answer waits to be used; nil: none.
func (r Record) Waiting() *Attempt {
	for i := range r.Attempts {
		if a := r.Attempts[i]; !a.Answer.IsEmpty() && a.Outcome == nil {
			return &a
		}
	}
	return nil
}

// Take takes a code out of the record, since it is sent now: whoever reads the record later knows that it was, maybe.
func (r Record) Take(state string, sendBefore time.Time) Record {
	return r.with(state, func(a *Attempt) {
		if a.Outcome == nil {
			a.Answer, a.SendBefore = oauth.Sensitive{}, sendBefore.UTC().Truncate(time.Second)
		}
	})
}

// PutBack returns a code that reached nobody, unless the attempt has ended meanwhile. Each NotBefore is later than the one before, so that
// Onto can tell which of two versions is newer.
func (r Record) PutBack(state string, code oauth.Sensitive, notBefore time.Time) Record {
	return r.with(state, func(a *Attempt) {
		if a.Outcome != nil {
			return
		}
		if notBefore = notBefore.UTC().Truncate(time.Second); !notBefore.After(a.NotBefore) {
			notBefore = a.NotBefore.Add(time.Second)
		}
		a.Answer, a.SendBefore, a.NotBefore = code, time.Time{}, notBefore
	})
}

// Settle ends an attempt.
func (r Record) Settle(state string, outcome Outcome) Record {
	return r.with(state, func(a *Attempt) { a.end(&outcome) })
}

// end leaves nothing of an attempt that is secret.
func (a *Attempt) end(outcome *Outcome) {
	a.Outcome, a.Answer, a.Verifier, a.SendBefore, a.NotBefore = outcome, oauth.Sensitive{}, oauth.Sensitive{}, time.Time{}, time.Time{}
}

// Complete ends an attempt well: nothing is wanted any more.
func (r Record) Complete(state, subject string, scopes []string) Record {
	r = r.Settle(state, Outcome{Result: Completed, Subject: subject}).Withdraw()
	r.Subject, r.Scopes = subject, scopes
	return r
}

// Tidy ends what time has ended: attempts whose browser did not come back, codes that are too old, and codes that were taken by a process
// which never told what came of it. wanted is the request that answers are still good for; nil where it is not known.
func (r Record) Tidy(now time.Time, wanted *oauth.AuthorizationRequest) Record {
	var kept []Attempt
	for _, a := range r.Attempts {
		if outcome := a.overtaken(now, wanted); outcome != nil {
			a.end(outcome)
		}
		if now.Before(a.Until) || a.Outcome == nil && !a.ReceivedAt.IsZero() {
			kept = append(kept, a)
		}
	}
	r.Attempts = kept
	return r
}

// overtaken is the outcome that time gives an attempt; nil: none.
func (a Attempt) overtaken(now time.Time, wanted *oauth.AuthorizationRequest) *Outcome {
	switch {
	case a.Outcome != nil || a.ReceivedAt.IsZero():
		return nil
	case !a.SendBefore.IsZero():
		if now.Before(a.SendBefore.Add(graceAfterSending)) {
			return nil
		}
		return &Outcome{Result: Interrupted}
	case wanted != nil && a.Offer.Request != *wanted:
		return &Outcome{Result: SpecChanged}
	case !now.Before(a.ReceivedAt.Add(CodeLife)):
		return &Outcome{Result: CodeExpired}
	}
	return nil
}

// with changes one attempt in a copy of the record.
func (r Record) with(state string, change func(*Attempt)) Record {
	r.Attempts = slices.Clone(r.Attempts)
	for i := range r.Attempts {
		if r.Attempts[i].State == state {
			change(&r.Attempts[i])
		}
	}
	return r
}

// atMost copies attempts and drops those that are too many: those that have ended before those whose browser may come back, and an answer
// that is not settled last, each time the oldest first. So nobody pushes a code out by beginning again and again.
func atMost(limit int, attempts []Attempt) []Attempt {
	attempts = slices.Clone(attempts)
	for len(attempts) > limit {
		least := 0
		for i, a := range attempts {
			if a.worth() < attempts[least].worth() {
				least = i
			}
		}
		attempts = slices.Delete(attempts, least, least+1)
	}
	return attempts
}

// worth is what would be lost with an attempt.
func (a Attempt) worth() int {
	switch {
	case a.Outcome != nil:
		return 0 // a page
	case a.Waits():
		return 1 // a person's way to the vendor and back
	}
	return 2 // a code
}
