package oauthtest

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"
)

// vault holds what was issued.
type vault struct {
	mu         sync.Mutex
	access     map[string]accessToken
	refreshers map[string]*family // by refresh token, spent ones included
	latest     map[subject]string // the newest access token of a client and grant, for CachedToken
	codes      map[string]*code
	assertions map[string]time.Time // ends of the accepted ones, by issuer and ID
	crowded    int                  // the number of entries at which expired ones are thrown out
}

type accessToken struct {
	vendor   Vendor
	clientID string
	scope    string
	end      time.Time
	family   *family // nil where no refresh token came with it
}

// family is a line of refresh tokens that goes back to one authorization. Its fields are the vault's to guard.
type family struct {
	vendor   Vendor
	clientID string
	scope    string
	end      time.Time // never moves
	live     string    // the one refresh token that is not spent
	revoked  bool
}

func (f *family) alive(now time.Time) bool { return !f.revoked && now.Before(f.end) }

// order is what issue needs to know.
type order struct {
	client   Client
	permit   permit
	lifetime time.Duration
	fault    Fault
}

// issued is what an answer tells of a token.
type issued struct {
	accessToken, refreshToken, scope string

	idToken  string
	lifetime time.Duration
}

func newVault() *vault {
	return &vault{
		access:     map[string]accessToken{},
		refreshers: map[string]*family{},
		latest:     map[subject]string{},
		codes:      map[string]*code{},
		assertions: map[string]time.Time{},
		crowded:    1024,
	}
}

// issue makes an access token, and a refresh token where the order wants one.
func (v *vault) issue(now time.Time, o order) issued {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweep(now)
	result := issued{refreshToken: o.permit.refreshToken, scope: o.permit.scope}
	line := o.permit.family
	if o.permit.startsFamily {
		line = v.start(now, o.client, o.permit.scope)
		result.refreshToken = line.live
	}
	result.accessToken, result.lifetime = v.accessToken(now, o, line)
	if o.permit.code != nil {
		v.gave(o.permit.code, line, result.accessToken)
	}
	return result
}

// accessToken makes a token, or finds one where the fault wants no new one, and tells the life to announce.
func (v *vault) accessToken(now time.Time, o order, line *family) (string, time.Duration) {
	key := subject{vendor: o.client.Vendor, clientID: o.client.ID, grant: o.permit.scope}
	if token, again := v.cached(now, key, o.fault); again {
		return token, v.access[token].end.Sub(now)
	}
	end := now.Add(o.lifetime)
	if o.fault.trueLifetime != 0 {
		end = now.Add(o.fault.trueLifetime)
	}
	token := rand.Text() + rand.Text()
	v.access[token] = accessToken{o.client.Vendor, o.client.ID, o.permit.scope, end, line}
	v.latest[key] = token
	return token, o.lifetime
}

// cached is the token that was issued before, where the fault wants it handed out again and it is still live.
func (v *vault) cached(now time.Time, key subject, fault Fault) (string, bool) {
	token := v.latest[key]
	return token, fault.cached && v.live(now, token)
}

// start makes a family with its first refresh token.
func (v *vault) start(now time.Time, client Client, scope string) *family {
	line := &family{vendor: client.Vendor, clientID: client.ID, scope: scope, end: now.Add(client.RefreshLifetime), live: rand.Text()}
	v.refreshers[line.live] = line
	return line
}

// refresh spends a refresh token, or takes note that a spent one came back.
func (v *vault) refresh(now time.Time, client Client, token, scope string) (permit, *refusal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	line := v.refreshers[token]
	switch {
	case line == nil || line.vendor != client.Vendor || line.clientID != client.ID || !line.alive(now):
		return permit{}, refuse(invalidGrant, "the refresh token is unknown, expired or revoked")
	case token != line.live:
		line.revoked = true
		return permit{}, refuse(invalidGrant, "the refresh token was used before")
	case !withinScopes(scope, strings.Fields(line.scope)):
		return permit{}, refuse(invalidScope, "the scope is wider than what was granted")
	}
	if scope == "" {
		scope = line.scope
	}
	permitted := permit{scope: scope, family: line}
	switch client.Rotation {
	case Keep:
	case Repeat:
		permitted.refreshToken = token
	case Rotate:
		line.live = rand.Text()
		v.refreshers[line.live] = line
		permitted.refreshToken = line.live
	}
	return permitted, nil
}

// accept takes note of an assertion; false where it was accepted before.
func (v *vault) accept(id string, end time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, seen := v.assertions[id]
	v.assertions[id] = end
	return !seen
}

// revoke ends an access token, or a refresh token's family.
func (v *vault) revoke(token string) {
	delete(v.access, token)
	if line := v.refreshers[token]; line != nil {
		line.revoked = true
	}
}

// owner is the vendor and client that a token of either kind was issued to.
func (v *vault) owner(token string) (clientKey, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t, known := v.access[token]; known {
		return clientKey{t.vendor, t.clientID}, true
	}
	if line := v.refreshers[token]; line != nil {
		return clientKey{line.vendor, line.clientID}, true
	}
	return clientKey{}, false
}

func (v *vault) live(now time.Time, token string) bool {
	t, known := v.access[token]
	return known && now.Before(t.end) && (t.family == nil || !t.family.revoked)
}

// sweep throws out what has expired, each time that the vault has doubled.
func (v *vault) sweep(now time.Time) {
	if len(v.access)+len(v.refreshers)+len(v.assertions)+len(v.codes) < v.crowded {
		return
	}
	for token := range v.access {
		if !v.live(now, token) {
			delete(v.access, token)
		}
	}
	for token, line := range v.refreshers {
		if !line.alive(now) {
			delete(v.refreshers, token)
		}
	}
	for id, end := range v.assertions {
		if !now.Before(end) {
			delete(v.assertions, id)
		}
	}
	for value, known := range v.codes {
		if !now.Before(known.end) {
			delete(v.codes, value)
		}
	}
	v.crowded = 2*(len(v.access)+len(v.refreshers)+len(v.assertions)+len(v.codes)) + 1024
}
