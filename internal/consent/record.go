package consent

import (
	"encoding/json"
	"reflect"
	"time"

	"tokensync.dev/tokensync/internal/oauth"
)

// Key is the key of a state Secret under which the record stands.
const Key = "authorization"

// Record is what is known of one OAuthToken's consent. The zero value is that of one which never needed any. Times are whole seconds, UTC.
type Record struct {
	// RequestedAt is when consent became necessary; zero: it is not.
	RequestedAt time.Time `json:"requestedAt,omitzero"`
	// Ticket is the hash of the ticket in the link; empty: there is none, or it was used.
	Ticket string `json:"ticket,omitempty"`
	// TicketUntil is when the ticket ends.
	TicketUntil time.Time `json:"ticketUntil,omitzero"`
	// Offer is what the link leads to.
	Offer Offer `json:"offer,omitzero"`
	// Attempts are what browsers have begun, the oldest first; MaxAttempts at most.
	Attempts []Attempt `json:"-"`
	// Subject is who consented last, as the vendor names that person; empty: the vendor does not tell.
	Subject string `json:"subject,omitempty"`
	// Scopes are those asked for when consent was given last.
	Scopes []string `json:"scopes,omitempty"`
	// Unrefreshable tells that no refresh token came with the last consent, although one could have.
	Unrefreshable bool `json:"unrefreshable,omitempty"`
}

// Offer is what a person is asked to consent to.
type Offer struct {
	// Vendor is the vendor's name in the catalogue.
	Vendor string `json:"vendor"`
	// Title is the vendor's name for people.
	Title string `json:"title"`
	// Scopes are those asked for.
	Scopes []string `json:"scopes,omitempty"`
	// Request is where the browser is sent.
	Request oauth.AuthorizationRequest `json:"request"`
}

func (o Offer) equal(other Offer) bool { return reflect.DeepEqual(o.normal(), other.normal()) }

// normal makes no scopes and an empty list of scopes the same.
func (o Offer) normal() Offer {
	if len(o.Scopes) == 0 {
		o.Scopes = nil
	}
	return o
}

// stored is a record as it stands in the state Secret.
type stored struct {
	Record

	Attempts []storedAttempt `json:"attempts,omitempty"`
}

// storedAttempt is an attempt there: the one place where its secrets are told.
type storedAttempt struct {
	State      string    `json:"state"`
	Browser    string    `json:"browser"`
	Verifier   string    `json:"verifier,omitempty"`
	Offer      Offer     `json:"offer"`
	StartedAt  time.Time `json:"startedAt,omitzero"`
	Until      time.Time `json:"until,omitzero"`
	Answer     string    `json:"answer,omitempty"`
	ReceivedAt time.Time `json:"receivedAt,omitzero"`
	NotBefore  time.Time `json:"notBefore,omitzero"`
	SendBefore time.Time `json:"sendBefore,omitzero"`
	Outcome    *Outcome  `json:"outcome,omitempty"`
}

// lastYear is the last one of which a time is believed: a hundred years more can be written with four digits still.
const lastYear = 9000

// Storable is a time as state Secrets hold it: in whole seconds, UTC. ok is false for one that could not be written again, or not with what is
// added to it: anybody who may write Secrets may have written it.
func Storable(t time.Time) (_ time.Time, ok bool) {
	t = t.UTC().Truncate(time.Second)
	return t, t.Year() >= 0 && t.Year() <= lastYear
}

// storable makes times Storable, and tells whether all of them are.
func storable(times ...*time.Time) bool {
	for _, t := range times {
		var ok bool
		if *t, ok = Storable(*t); !ok {
			return false
		}
	}
	return true
}

// Parse reads a record. What can't be read is taken as none: then a person is asked anew.
func Parse(text []byte) Record {
	var s stored
	if json.Unmarshal(text, &s) != nil || !storable(&s.RequestedAt, &s.TicketUntil) {
		return Record{}
	}
	for _, a := range s.Attempts {
		if !storable(&a.StartedAt, &a.Until, &a.ReceivedAt, &a.NotBefore, &a.SendBefore) {
			continue
		}
		s.Record.Attempts = append(s.Record.Attempts, Attempt{
			State: a.State, Browser: a.Browser, Verifier: oauth.NewSensitive(a.Verifier), Offer: a.Offer, StartedAt: a.StartedAt,
			Until: a.Until, Answer: oauth.NewSensitive(a.Answer), ReceivedAt: a.ReceivedAt, NotBefore: a.NotBefore,
			SendBefore: a.SendBefore, Outcome: a.Outcome,
		})
	}
	return s.Record
}

// Encode is the record as it stands in the state Secret; nil where it says nothing.
func (r Record) Encode() []byte {
	if reflect.ValueOf(r).IsZero() {
		return nil
	}
	s := stored{Record: r}
	for _, a := range r.Attempts {
		s.Attempts = append(s.Attempts, storedAttempt{
			State: a.State, Browser: a.Browser, Verifier: a.Verifier.Reveal(), Offer: a.Offer, StartedAt: a.StartedAt, Until: a.Until,
			Answer: a.Answer.Reveal(), ReceivedAt: a.ReceivedAt, NotBefore: a.NotBefore, SendBefore: a.SendBefore, Outcome: a.Outcome,
		})
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic("a record of texts and times does not encode") // json.Marshal fails only on years past 9999
	}
	return text
}
