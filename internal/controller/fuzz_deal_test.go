package controller

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
)

// dice makes choices of bytes. When they are used up, each choice is the first one.
type dice struct{ left []byte }

func (d *dice) number(below int) int {
	if len(d.left) == 0 {
		return 0
	}
	n := int(d.left[0]) % below
	d.left = d.left[1:]
	return n
}

func (d *dice) chance() bool { return d.number(2) == 1 }

func drawn[T any](d *dice, choices ...T) T { return choices[d.number(len(choices))] }

// deal is a state of all objects that one OAuthToken has to do with.
type deal struct {
	token   *v1alpha1.OAuthToken
	target  string
	secrets []client.Object
	issued  bool // the target holds a token that was issued for the spec, with a life of an hour since noon
	touched bool // something about it is not as the operator left it
}

func (d *dice) deal(tokenURL string, by planner) *deal {
	made := &deal{token: d.oauthToken(tokenURL)}
	made.target = targetName(made.token)
	credentials := d.credentials()
	if credentials != nil {
		made.secrets = append(made.secrets, credentials)
	}
	if state := d.state(made.token); state != nil {
		made.secrets = append(made.secrets, state)
	}
	if made.target != "client" && made.target != stateName(made.token) {
		made.addTarget(d, made.requestHash(by, credentials))
	}
	return made
}

func (d *deal) objects() []client.Object { return append([]client.Object{d.token}, d.secrets...) }

func (d *dice) oauthToken(tokenURL string) *v1alpha1.OAuthToken {
	return someToken(func(o *v1alpha1.OAuthToken) {
		o.Generation = 1
		o.Spec.Vendor = drawn(d, "generic", "generic", "genesys-cloud", "nobody")
		o.Spec.GrantType = drawn(d, v1alpha1.GrantClientCredentials, v1alpha1.GrantPassword, v1alpha1.GrantRefreshToken, v1alpha1.GrantAuthorizationCode,
			v1alpha1.GrantSAML2Bearer, v1alpha1.GrantImplicit, "")
		o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(drawn(d, tokenURL, tokenURL, "https://elsewhere.example/token", "", "\x00"))}
		if d.chance() {
			o.Spec.Endpoints.IssuerURL = v1alpha1.URL(strings.TrimSuffix(tokenURL, "/token"))
		}
		o.Spec.Scopes = drawn(d, nil, []v1alpha1.Scope{"a"}, []v1alpha1.Scope{"a", "a", "\""})
		o.Spec.Suspend = d.number(4) == 3
		o.Spec.RevokeOnDelete = d.number(4) == 3
		o.Spec.Target = drawn(d, nil, &v1alpha1.Target{Name: "other", DeletionPolicy: v1alpha1.DeletionRetain}, &v1alpha1.Target{Name: "client"},
			&v1alpha1.Target{Type: "kubernetes.io/basic-auth", DefaultKeys: v1alpha1.DefaultKeysOmit, Template: &v1alpha1.TargetTemplate{
				Data: map[string]v1alpha1.TemplateSource{"username": "me", "password": "{{ .AccessToken }}"}, // Omit alone is refused by the API server
			}},
			&v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"k": "{{ .AccessToken }}{{ .Extra.x }}"}}})
		if d.chance() {
			o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: drawn(d, "", "monday", "\xff")}
		}
		if d.number(8) == 7 {
			o.DeletionTimestamp, o.Finalizers = stamp(noon), []string{"example.com/others"}
		}
		d.status(o)
	})
}

// status is what was told before, maybe by somebody else.
func (d *dice) status(o *v1alpha1.OAuthToken) {
	at := func() *metav1.Time { return drawn(d, nil, stamp(noon), stamp(noon.Add(hours(d)))) }
	o.Status.SecretName = drawn(d, "", "api", "former")
	o.Status.ExpiresAt, o.Status.IssuedAt, o.Status.RenewalTime = at(), at(), at()
	if d.chance() {
		o.Status.Failures = &v1alpha1.FailureStatus{
			Count: int32(d.number(100)), LastTime: at(), NextAttempt: at(), Reason: drawn(d, "", v1alpha1.ReasonInvalidClient, "Nonsense"),
		}
	}
	if d.chance() {
		o.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "X"}, {Type: "Theirs"}}
	}
}

func (d *dice) credentials() *corev1.Secret {
	if d.number(6) == 5 {
		return nil
	}
	secret := credentialsSecret(drawn(d, "", "client_id=ID", ",=,"), map[string]string{
		"client_id": "me", "client_secret": "canary-secret", "username": "me", "password": "canary-password", "refresh_token": "canary-seed",
	})
	secret.Namespace = someToken().Namespace
	if d.number(6) == 5 {
		secret.Labels = nil
	}
	if d.number(6) == 5 {
		delete(secret.Data, drawn(d, "client_secret", "client_id", "username", "refresh_token"))
	}
	return secret
}

func (d *dice) state(token *v1alpha1.OAuthToken) *corev1.Secret {
	if d.chance() {
		return nil
	}
	keep := keepsake{Spent: []string{"hash"}}
	secret := stateSecret(token, nil, keep)
	for _, key := range keepsakeKeys() {
		if d.chance() {
			secret.Data[key] = drawn(d, []byte("canary-refresh"), []byte(formatTime(noon.Add(hours(d)))), []byte("{}"), []byte("\xff"),
				[]byte(`{"ticket":"x","attempts":[{"state":"s","answer":"a"}]}`))
		}
	}
	d.estrange(secret)
	return secret
}

// estrange takes marks of the operator's off a Secret, or puts others' on it.
func (d *dice) estrange(secret *corev1.Secret) {
	switch d.number(8) {
	case 4:
		secret.Labels, secret.Annotations, secret.OwnerReferences = nil, nil, nil
	case 5:
		secret.Annotations[v1alpha1.OwnerAnnotation] = "somebody"
	case 6:
		secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "x", UID: "y", Controller: new(true)}}
	case 7:
		delete(secret.Labels, v1alpha1.RoleLabel)
	}
}

// addTarget puts a Secret in the target's place: one as the operator leaves it, or something near.
func (d *deal) addTarget(dice *dice, hash string) {
	if dice.number(4) == 3 {
		return
	}
	given := issued{AccessToken: "canary-access-0", TokenType: "Bearer", record: record{
		IssuedAt: noon, ExpiresAt: noon.Add(time.Hour), RequestHash: hash,
	}}
	rendered, err := render(d.token, given)
	if err != nil {
		return
	}
	secret := rendered.secret()
	d.issued, d.touched = true, dice.chance()
	if d.touched {
		d.touch(dice, secret)
	}
	d.secrets = append(d.secrets, secret)
}

func (d *deal) touch(dice *dice, secret *corev1.Secret) {
	for range 1 + dice.number(3) {
		name := drawn(dice, v1alpha1.IssuedAtAnnotation, v1alpha1.ExpiresAtAnnotation, v1alpha1.DataHashAnnotation, v1alpha1.RequestHashAnnotation)
		secret.Annotations[name] = drawn(dice, "", formatTime(noon.Add(hours(dice))), "v1:a.b.c", "9999-12-31T23:59:59-12:00")
	}
	if dice.chance() {
		secret.Data["access_token"] = []byte("canary-access-9")
	}
	secret.Immutable = drawn(dice, nil, new(true))
	dice.estrange(secret)
}

// requestHash is what the operator stamps a token with that is issued for what is stated.
func (d *deal) requestHash(by planner, credentials *corev1.Secret) string {
	o := &observation{token: d.token}
	if credentials != nil && credentials.Labels != nil {
		o.credentials.secret = credentials
	}
	settings := declaration.Settings(o.token, o.credentials.secret, by.platform)
	flow, _ := by.resolve(o, settings)
	return by.fingerprint(settings, flow).String()
}

// good tells whether the target holds a token that is good for what is stated now: as the operator left it, and not due at noon.
func (d *deal) good() bool {
	return d.issued && !d.touched && d.token.Annotations[v1alpha1.RenewRequestedAtAnnotation] == ""
}

// foreign tells whether a Secret is somebody else's, by the words of the contract: all but what bears the operator's marks for this OAuthToken.
func (d *deal) foreign(name string, secret *corev1.Secret) bool {
	if name == "client" {
		return true
	}
	controller := metav1.GetControllerOf(secret)
	owner := secret.Annotations[v1alpha1.OwnerAnnotation]
	return controller != nil && controller.Kind != "OAuthToken" || owner != "" && owner != "api" || owner == "" && len(secret.Labels) == 0
}
