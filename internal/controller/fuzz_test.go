package controller

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/oauth"
)

// FuzzState reads state Secrets that anybody may have written. What is read can be stored and read again, and a use of a refresh token that has
// begun is never forgotten.
func FuzzState(f *testing.F) {
	whole := fullKeepsake().data()
	f.Add(whole[keyRefreshToken], whole[keyRefreshTokenIssuedAt], whole[keyRefreshTokenExpiresAt], whole[keyRefreshInProgress], whole[keySpent], whole[keyRefreshTokenLife], true)
	f.Add([]byte("\xff"), []byte("10000-01-01T00:00:00Z"), []byte("0000-01-01T00:00:00Z"), []byte(`{"deadline":"9999-12-31T23:59:59-23:59"}`), []byte("a\x00b c"), []byte("-1h"), true)
	f.Add([]byte(""), []byte("9999-12-31T23:59:59-12:00"), []byte(""), []byte(`null`), []byte("\n"), []byte("9999999h"), true)
	f.Add([]byte("r"), []byte("9999-06-01T00:00:00Z"), []byte(""), []byte(`{"deadline":"2026-03-01T12:00:00+24:00"}`), []byte(""), []byte(""), true)
	f.Add([]byte("r"), []byte(""), []byte("soon"), []byte(""), []byte(""), []byte("1e9s"), false)
	f.Fuzz(func(t *testing.T, refresh, issued, expires, progress, spent, life []byte, begun bool) {
		secret := stateSecret(someToken(), nil, keepsake{})
		secret.Data = map[string][]byte{
			keyRefreshToken: refresh, keyRefreshTokenIssuedAt: issued, keyRefreshTokenExpiresAt: expires, keySpent: spent, keyRefreshTokenLife: life,
			prefixPrevious + keyRefreshToken: refresh, prefixPrevious + keyRefreshTokenExpiresAt: expires, prefixPrevious + keyRefreshTokenLife: life,
			"theirs": spent,
		}
		if begun {
			secret.Data[keyRefreshInProgress] = progress
		}
		k := parseState(secret)
		if begun != (k.Intent != nil) {
			t.Errorf("an intent of %q is read as %+v", progress, k.Intent)
		}
		if k.RefreshToken.Reveal() != string(refresh) {
			t.Error("the refresh token changes")
		}
		written := stateSecret(someToken(), secret, k)
		if !bytes.Equal(written.Data["theirs"], spent) {
			t.Error("what others put there is gone")
		}
		if again := parseState(written); again.changed(k) {
			t.Errorf("stored and read again, %v is %v", k.data(), again.data())
		}
		_ = fence(noon, k)
		_ = k.withSpent("x").withSeed(oauth.NewSensitive("s"), "h", "b", noon, time.Hour).ending(noon, time.Minute).withoutRefreshToken().data()
	})
}

// FuzzRequestHash hashes what users state. The same gives the same, anything else something else, however texts are cut into fields; nothing of
// a secret can be seen; and what somebody wrote into the annotation makes no trouble.
func FuzzRequestHash(f *testing.F) {
	f.Add("tenant", "acme", "client_secret", "change-me", "openid", "v1:a.b.c")
	f.Add("a", "bc", "ab", "c", "", "v1:..")
	f.Add("", "\x00", "\xff", "\"", "}{", "v2:a.b.c")
	f.Add("k", `","scopes":["x"]`, "k", "1", "a b", "")
	f.Fuzz(func(t *testing.T, name, value, key, secret, scope, recorded string) {
		stated := func(name, value, key, secret, scope string) fingerprint {
			return fingerprintOf(testHasher(), oauth.Settings{
				Vendor: "generic", Parameters: map[string]string{name: value}, Scopes: []string{scope},
				Credentials: secrets(key, secret, "client_id", "me"),
			}, []string{key})
		}
		one := stated(name, value, key, secret, scope)
		if again := stated(name, value, key, secret, scope); again != one || !one.same(again.String()) {
			t.Errorf("the same gives %s and %s", one, again)
		}
		for what, other := range map[string]fingerprint{
			"another value":                     stated(name, value+"x", key, secret, scope),
			"a letter moved from value to name": stated(name+"x", value, key, secret, scope),
			"another scope":                     stated(name, value, key, secret, scope+"x"),
		} {
			if one.sameSpec(other.String()) {
				t.Errorf("%s gives the same hash", what)
			}
		}
		if other := stated(name, value, key, secret+"x", scope); key != "client_id" && (one.same(other.String()) || !one.sameSpec(other.String())) {
			t.Error("another secret gives the same hash, or another one of the spec")
		}
		if len(secret) > 8 && strings.Contains(one.String(), secret) {
			t.Error("the hash shows the secret")
		}
		if r, ok := parseFingerprint(recorded); ok && r.String() != recorded {
			t.Errorf("%q is read as %q", recorded, r)
		}
		if one.same(recorded) && !one.sameSpec(recorded) {
			t.Errorf("%q is the same request for another spec", recorded)
		}
	})
}
