package controller

import (
	"strings"

	"tokensync.dev/tokensync/internal/oauth"
)

// twins are the credentials' parts of two request hashes: without and with a credential that can be sent once. Once it was sent, tidying it away
// must cost no request; and without it nobody can find out any more what the hash with it was.
type twins struct{ without, with string }

func parseTwins(text string) twins {
	if parts := strings.Fields(text); len(parts) == 2 {
		return twins{parts[0], parts[1]}
	}
	return twins{}
}

func (t twins) String() string { return strings.TrimSpace(t.without + " " + t.with) }

// liken makes the fingerprint one that is the same with and without a credential that was sent.
func (r *plan) liken(h hasher, s oauth.Settings) {
	if r.flow == nil {
		return
	}
	key, value := r.flow.Once()
	if key == "" {
		return
	}
	bare := fingerprintOf(h, s, without(r.flow.UsedCredentials, []string{key})).credentials
	if value.IsEmpty() {
		if r.keep.Twins.without == bare {
			r.fingerprint.alike = r.keep.Twins.with
		}
		return
	}
	r.twins = twins{bare, r.fingerprint.credentials}
	if r.keep.spent(spentHash(value.Reveal())) {
		r.fingerprint.alike, r.keep.Twins = bare, r.twins
	}
}
