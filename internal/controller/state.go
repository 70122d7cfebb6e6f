package controller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// Keys of a state Secret, besides those of refresh tokens (refresh_token.go).
const (
	keySpent          = "spent"
	keySpentElsewhere = "spent_elsewhere"
	keyTwins          = "request_hash_twins"
	keyTakenBy        = "taken_by"
	keyWarnings       = "warnings"
)

// maxSpent bounds the hashes of spent seeds and assertions that are kept; the oldest go first.
const maxSpent = 64

// keepsake is what a state Secret holds: what must outlive everything, and is not for pods.
type keepsake struct {
	RefreshToken oauth.Sensitive
	IssuedAt     time.Time      // when the grant that the refresh token belongs to was given
	ExpiresAt    time.Time      // its end; zero: unknown
	Life         time.Duration  // of a refresh token whose end each refresh moves; 0: the end stands
	Binding      string         // of client and endpoint, for which alone the refresh token is good
	Previous     refreshToken   // the one before a first one from the credentials replaced it, until that proves good
	Intent       *intent        // a use of the refresh token or a seed whose result is not known
	Spent        []string       // hashes of seeds and assertions that were sent, oldest first
	Elsewhere    []string       // hashes of seeds and assertions that other OAuthTokens have sent, oldest first
	Twins        twins          // of the credentials with which one was sent last that can be sent once
	TakenBy      string         // the mark of who took a code or an assertion last (see unsent), until the next write
	Warnings     []string       // expiry warnings already given for this refresh token
	Consent      consent.Record // a person's consent, while it is asked for and after
}

// intent says that a one-time credential is about to be sent, or was. It is written before the request.
type intent struct {
	// Deadline is when sending must have begun: nothing is sent later, and nobody else sends before a minute after it. Zero: sending has
	// ended, and what came of it is not known.
	Deadline time.Time `json:"deadline,omitzero"`
	// Credential is the hash of what is sent.
	Credential string `json:"credential"`
	// Mark is the writer's own, by which it knows an intent again that it wrote without getting to know it.
	Mark string `json:"mark,omitzero"`
}

// String is the intent as it stands in a state Secret.
func (i *intent) String() string {
	text, err := json.Marshal(i)
	if err != nil {
		panic("a time and a string do not encode") // json.Marshal fails only on years past 9999
	}
	return string(text)
}

// equal tells whether two intents are of the same request; nil is none.
func (i *intent) equal(other *intent) bool {
	if i == nil || other == nil {
		return i == other
	}
	return i.Deadline.Equal(other.Deadline) && i.Credential == other.Credential && i.Mark == other.Mark
}

// parseIntent reads an intent as String writes it, one that can't be read as one without end.
func parseIntent(text []byte) *intent {
	i, storable := &intent{}, false
	if json.Unmarshal(text, i) == nil {
		i.Deadline, storable = consent.Storable(i.Deadline)
	}
	if !storable {
		return &intent{Credential: "unreadable"}
	}
	return i
}

// graceAfterDeadline is how long after an intent's deadline its credential is left alone by everybody else: time for the answer.
const graceAfterDeadline = time.Minute

// stateName is the name of an OAuthToken's state Secret.
func stateName(token *v1alpha1.OAuthToken) string { return token.Name + v1alpha1.StateSecretSuffix }

// isOurState tells whether a Secret is the state Secret of an OAuthToken, or of one of its name before. Any one of the marks may have been
// removed by somebody, and what it holds may be the only refresh token.
func isOurState(token *v1alpha1.OAuthToken, secret *corev1.Secret) bool {
	controller, owner := metav1.GetControllerOf(secret), secret.Annotations[v1alpha1.OwnerAnnotation]
	switch {
	case owner != "" && owner != token.Name, controller != nil && !isOAuthToken(controller, token.Name):
		return false
	case controller != nil && controller.UID == token.UID:
		return true
	}
	return owner == token.Name && (isLabelledState(secret) || secret.Labels[managedByLabel] == fieldManager)
}

// isLabelledState tells whether a Secret has the label by which the cache holds it.
func isLabelledState(secret *corev1.Secret) bool {
	return secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleState
}

// parseState reads a state Secret. What can't be read is taken as absent, but an intent that can't be read as one without end: a
// refresh token is never sent on a guess.
func parseState(secret *corev1.Secret) keepsake {
	if secret == nil {
		return keepsake{}
	}
	text := func(key string) string { return string(secret.Data[key]) }
	k := keepsake{
		Previous:  parseRefreshToken(secret.Data, prefixPrevious),
		Spent:     parseSpent(secret),
		Elsewhere: strings.Fields(text(keySpentElsewhere)),
		Twins:     parseTwins(text(keyTwins)),
		TakenBy:   text(keyTakenBy),
		Warnings:  strings.Fields(text(keyWarnings)),
		Consent:   consent.Parse(secret.Data[consent.Key]),
	}
	return k.holding(parseRefreshToken(secret.Data, ""))
}

// parseSpent reads the hashes of what was spent.
func parseSpent(secret *corev1.Secret) []string { return strings.Fields(string(secret.Data[keySpent])) }

// data is the keepsake as it stands in a state Secret.
func (k keepsake) data() map[string][]byte {
	data := map[string][]byte{}
	put := func(key, value string) {
		if value != "" {
			data[key] = []byte(value)
		}
	}
	k.held().put("", put)
	k.Previous.put(prefixPrevious, put)
	put(keySpent, strings.Join(k.Spent, "\n"))
	put(keySpentElsewhere, strings.Join(k.Elsewhere, "\n"))
	put(keyTwins, k.Twins.String())
	put(keyTakenBy, k.TakenBy)
	put(keyWarnings, strings.Join(k.Warnings, "\n"))
	put(consent.Key, string(k.Consent.Encode()))
	return data
}

// spentHash is by what a credential that was sent is known again. It has no key that could be lost: the state Secret, where alone it
// stands, holds better secrets in the clear.
func spentHash(credential string) string { return hashToken(credential) }

// spent tells whether a seed or an assertion of this hash was sent before.
func (k keepsake) spent(hash string) bool { return slices.Contains(k.Spent, hash) }

// withSpent adds a hash to those that were sent.
func (k keepsake) withSpent(hash string) keepsake {
	k.Spent = withHash(k.Spent, hash)
	return k
}

// withElsewhere adds a hash to those that another OAuthToken has sent, which is to be known when that one is gone.
func (k keepsake) withElsewhere(hash string) keepsake {
	k.Elsewhere = withHash(k.Elsewhere, hash)
	return k
}

// withHash adds a hash at the end.
func withHash(hashes []string, hash string) []string {
	if slices.Contains(hashes, hash) {
		return hashes
	}
	hashes = append(slices.Clone(hashes), hash)
	return hashes[max(0, len(hashes)-maxSpent):]
}

// withoutSpent takes a hash back: what it stands for was not sent after all.
func (k keepsake) withoutSpent(hash string) keepsake {
	k.Spent = slices.DeleteFunc(slices.Clone(k.Spent), func(s string) bool { return s == hash })
	return k
}

// withSeed takes over a first refresh token from the credentials. The one before is kept until the new one proves good; where that is a seed
// too, which has not proved good, the one before it. When the seed was issued is not known: its life counts from now.
func (k keepsake) withSeed(seed oauth.Sensitive, hash, bound string, now time.Time, life time.Duration) keepsake {
	k = k.withSpent(hash)
	if k.Previous.Value.IsEmpty() {
		k.Previous = k.held()
	}
	return k.holding(refreshToken{Value: seed, Binding: bound}).granted(now, life)
}

// withoutSeed takes withSeed back: the seed was not spent after all, and may be sent to another endpoint or by another client.
func (k keepsake) withoutSeed(hash string) keepsake {
	return k.withoutRefreshToken().withoutSpent(hash)
}

// granted notes when a grant's first refresh token came, and its end; a life of 0 is unknown.
func (k keepsake) granted(at time.Time, life time.Duration) keepsake {
	k.IssuedAt, k.ExpiresAt, k.Life = at, time.Time{}, 0
	if life > 0 {
		k.ExpiresAt = at.Add(life)
	}
	return k
}

// ending notes the end that an answer states. An end that stays where it was, but for the time on the way, stands: then what the answer
// states is only what is left.
func (k keepsake) ending(at time.Time, life time.Duration) keepsake {
	if moved := at.Sub(k.ExpiresAt).Abs(); !k.ExpiresAt.IsZero() && moved < time.Minute {
		k.Life = 0
		return k
	}
	k.ExpiresAt, k.Life = at, life
	return k
}

// withoutRefreshToken drops a refresh token that the vendor refused. The one before a seed comes back with its own binding and end,
// and the doubt about it, if there was one.
func (k keepsake) withoutRefreshToken() keepsake {
	k = k.holding(k.Previous)
	k.Previous = refreshToken{}
	return k
}

// changed tells whether a keepsake says something else than the one before.
func (k keepsake) changed(before keepsake) bool {
	return !maps.EqualFunc(k.data(), before.data(), bytes.Equal)
}

// stateSecret is the state Secret that holds a keepsake. base is the one that was read; nil: none yet.
func stateSecret(token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: token.Namespace, Name: stateName(token)}}
	if base != nil {
		secret = base.DeepCopy()
	}
	known := keepsakeKeys()
	maps.DeleteFunc(secret.Data, func(key string, _ []byte) bool { return slices.Contains(known, key) })
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, k.data())
	secret.Labels = merge(secret.Labels, map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleState, managedByLabel: fieldManager})
	secret.Annotations = merge(secret.Annotations, map[string]string{v1alpha1.OwnerAnnotation: token.Name})
	secret.OwnerReferences = nil
	if owner := ownerReference(token); owner != nil {
		secret.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	return secret
}

func keepsakeKeys() []string {
	keys := []string{keySpent, keySpentElsewhere, keyTwins, keyTakenBy, keyWarnings, consent.Key}
	for _, prefix := range []string{"", prefixPrevious} {
		keys = append(keys, prefix+keyRefreshToken, prefix+keyRefreshTokenIssuedAt, prefix+keyRefreshTokenExpiresAt,
			prefix+keyRefreshTokenLife, prefix+keyRefreshTokenBinding, prefix+keyRefreshInProgress)
	}
	return keys
}

func merge(into, from map[string]string) map[string]string {
	merged := maps.Clone(into)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, from)
	return merged
}

// foreignState says what to do about a Secret that has the state Secret's name. It may be one that lost all its marks.
func foreignState(token *v1alpha1.OAuthToken) string {
	name := stateName(token)
	return fmt.Sprintf("Secret %q has the name of this OAuthToken's state Secret and no mark of Tokensync. Where it has the key %s, it may hold the only "+
		"refresh token: give it back with: %s && %s. Otherwise store it under another name", name, keyRefreshToken,
		commandToSet("label", token.Namespace, name, v1alpha1.RoleLabel, v1alpha1.RoleState, false),
		commandToSet("annotate", token.Namespace, name, v1alpha1.OwnerAnnotation, token.Name, false))
}
