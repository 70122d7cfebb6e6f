package consent

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// TicketLife is how long a link can be used.
	TicketLife = 24 * time.Hour
	// TicketRenewal is how long before its end an unused link is replaced.
	TicketRenewal = 2 * time.Hour
	// secretBytes are 256 bits, so that nobody can guess one (RFC 6749, section 10.10).
	secretBytes = 32
)

// NewSecret draws a ticket, a state or a browser's key: 256 random bits as 43 characters that need no escape in a URL or a cookie.
func NewSecret() oauth.Sensitive {
	drawn := make([]byte, secretBytes)
	_, _ = rand.Read(drawn) // never fails: the process ends where there is no randomness
	return oauth.NewSensitive(base64.RawURLEncoding.EncodeToString(drawn))
}

// Hash is by what a secret is known again. It needs no salt: what it hashes has 256 random bits.
func Hash(secret oauth.Sensitive) string {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// matches compares a secret with a hash in constant time. No hash is no match, nor is no secret.
func matches(secret oauth.Sensitive, hash string) bool {
	return hash != "" && !secret.IsEmpty() && subtle.ConstantTimeCompare([]byte(Hash(secret)), []byte(hash)) == 1
}

// Why a ticket can't be used.
var (
	// ErrUnknown: the record has no such ticket. It never had, or it was used or replaced.
	ErrUnknown = errors.New("the ticket is not known")
	// ErrExpired: the ticket, or the attempt, is past its end.
	ErrExpired = errors.New("the ticket or the attempt is past its end")
)

// Invite puts a new ticket into the record, for what is offered. Attempts that are under way go on.
func (r Record) Invite(now time.Time, ticket oauth.Sensitive, offer Offer) Record {
	now = now.UTC().Truncate(time.Second)
	r.Ticket, r.TicketUntil, r.Offer = Hash(ticket), now.Add(TicketLife), offer
	if r.RequestedAt.IsZero() {
		r.RequestedAt = now
	}
	return r
}

// Withdraw takes the ticket away, since consent is not wanted any more. Attempts that are under way go on.
func (r Record) Withdraw() Record {
	r.Ticket, r.TicketUntil, r.Offer, r.RequestedAt = "", time.Time{}, Offer{}, time.Time{}
	return r
}

// Invites tells whether a link with this ticket, for this offer, can be shown for some time to come.
func (r Record) Invites(now time.Time, ticket oauth.Sensitive, offer Offer) bool {
	return matches(ticket, r.Ticket) && r.Offer.equal(offer) && now.Before(r.TicketUntil.Add(-TicketRenewal))
}

// Admit checks a ticket, in constant time. The error is ErrUnknown or ErrExpired.
func (r Record) Admit(now time.Time, ticket oauth.Sensitive) error {
	switch {
	case !matches(ticket, r.Ticket):
		return ErrUnknown
	case !now.Before(r.TicketUntil):
		return ErrExpired
	}
	return nil
}

// Holds tells whether the record has this ticket, used by nobody yet.
func (r Record) Holds(ticket oauth.Sensitive) bool { return matches(ticket, r.Ticket) }
