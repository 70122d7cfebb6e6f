package controller

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
)

// exampleIssue is a token with all that a vendor may give.
func exampleIssue() issued {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return issued{
		AccessToken: "at-1", TokenType: "Bearer", Scope: "read write", IDToken: "id-1", Extra: map[string]any{"instance_url": "https://eu1.example.com"},
		record: record{IssuedAt: at, ExpiresAt: at.Add(time.Hour), RequestHash: "v1:a.b.c", RenewHandled: "r-1"},
	}
}

// exampleKnown is what status tells of exampleIssue.
func exampleKnown() *issued {
	given := exampleIssue()
	return &issued{Scope: given.Scope, record: record{IssuedAt: given.record.IssuedAt, ExpiresAt: given.record.ExpiresAt, RenewHandled: "r-1"}}
}

// written is the target Secret of an OAuthToken with exampleIssue.
func written(t *testing.T, token *v1alpha1.OAuthToken) *corev1.Secret {
	t.Helper()
	rendering, err := render(token, exampleIssue())
	if err != nil {
		t.Fatal(err)
	}
	return rendering.secret()
}

func withTemplate(data map[string]v1alpha1.TemplateSource) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) { o.Spec.Target.Template = &v1alpha1.TargetTemplate{Data: data} }
}

func omit(o *v1alpha1.OAuthToken) { o.Spec.Target.DefaultKeys = v1alpha1.DefaultKeysOmit }

func retain(o *v1alpha1.OAuthToken) { o.Spec.Target.DeletionPolicy = v1alpha1.DeletionRetain }

func TestTheTargetSecretIsRenderedAsTheSpecSays(t *testing.T) {
	t.Parallel()
	token := exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"url": "{{.Extra.instance_url}}"}), func(o *v1alpha1.OAuthToken) {
		o.Labels, o.Annotations = map[string]string{"mine": "x"}, map[string]string{"mine": "x"}
		o.Spec.Target.Name, o.Spec.Target.Type = "sink", "example.com/token"
		o.Spec.Target.Template.Metadata = &v1alpha1.TemplateMetadata{
			Labels: map[string]v1alpha1.LabelValue{"team": "crm"}, Annotations: map[string]v1alpha1.AnnotationValue{"note": "n"},
		}
	})
	got := written(t, token)
	seal := got.Annotations[v1alpha1.DataHashAnnotation]
	if _, ok := parseSeal(seal); !ok {
		t.Errorf("the data-hash is %q", seal)
	}
	yes := true
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "sink", Namespace: "team",
			Labels: map[string]string{"team": "crm", "tokensync.dev/role": "target", "app.kubernetes.io/managed-by": "tokensync"},
			Annotations: map[string]string{
				"note": "n", "tokensync.dev/owner": "api", "tokensync.dev/issued-at": "2030-01-02T03:04:05Z", "tokensync.dev/expires-at": "2030-01-02T04:04:05Z",
				"tokensync.dev/request-hash": "v1:a.b.c", "tokensync.dev/renew-handled": "r-1", "tokensync.dev/data-hash": seal,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "tokensync.dev/v1alpha1", Kind: "OAuthToken", Name: "api", UID: "uid-1", Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Type: "example.com/token",
		Data: map[string][]byte{
			"access_token": []byte("at-1"), "token_type": []byte("Bearer"), "authorization": []byte("Bearer at-1"),
			"expires_at": []byte("2030-01-02T04:04:05Z"), "scope": []byte("read write"), "id_token": []byte("id-1"), "url": []byte("https://eu1.example.com"),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhichKeysATargetHas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*v1alpha1.OAuthToken)
		given  func(*issued)
		want   []string
	}{
		"all": {want: []string{"access_token", "authorization", "expires_at", "id_token", "scope", "token_type"}},
		"no scope and no ID token where there is none": {
			given: func(g *issued) { g.Scope, g.IDToken = "", "" }, want: []string{"access_token", "authorization", "expires_at", "token_type"},
		},
		"the template's beside the usual ones": {
			change: withTemplate(map[string]v1alpha1.TemplateSource{"x": "1"}),
			want:   []string{"access_token", "authorization", "expires_at", "id_token", "scope", "token_type", "x"},
		},
		"the template's alone": {
			change: func(o *v1alpha1.OAuthToken) {
				withTemplate(map[string]v1alpha1.TemplateSource{"x": "1", "access_token": "2"})(o)
				omit(o)
			},
			want: []string{"access_token", "x"},
		},
		"one whose template renders nothing": {
			change: func(o *v1alpha1.OAuthToken) { withTemplate(map[string]v1alpha1.TemplateSource{"x": ""})(o); omit(o) }, want: []string{"x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, given := exampleToken(), exampleIssue()
			if c.change != nil {
				c.change(token)
			}
			if c.given != nil {
				c.given(&given)
			}
			rendering, err := render(token, given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, slices.Sorted(maps.Keys(rendering.data))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestATargetThatIsToStayHasNoOwner(t *testing.T) {
	t.Parallel()
	secret := written(t, exampleToken(retain))
	if len(secret.OwnerReferences) != 0 {
		t.Errorf("owner references %+v", secret.OwnerReferences)
	}
	if got, _ := standingOf(exampleToken(retain), secret); got != ours {
		t.Error("it is not known to be ours")
	}
}

func TestRenderingIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	token := exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"a": "{{toJson .}}", "b": "{{.Extra}}", "c": "{{.Scope}}"}))
	first := written(t, token)
	for range 30 {
		if diff := cmp.Diff(first, written(t, token)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestWhenATargetMustBeMended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit                func(*corev1.Secret)
		respec              func(*v1alpha1.OAuthToken)
		intact, drifted, ok bool
	}{
		"as it was written":                  {intact: true, ok: true},
		"with a key of somebody else's":      {edit: func(s *corev1.Secret) { s.Data["theirs"] = []byte("x") }, intact: true, ok: true},
		"with a label of somebody else's":    {edit: func(s *corev1.Secret) { s.Labels["theirs"] = "x" }, intact: true, ok: true},
		"with a changed key":                 {edit: func(s *corev1.Secret) { s.Data[content.KeyScope] = []byte("x") }, drifted: true},
		"without a key":                      {edit: func(s *corev1.Secret) { delete(s.Data, content.KeyScope) }, drifted: true},
		"without data":                       {edit: func(s *corev1.Secret) { s.Data = nil }, drifted: true},
		"with another expiry":                {edit: func(s *corev1.Secret) { s.Annotations[v1alpha1.ExpiresAtAnnotation] = "2031-01-01T00:00:00Z" }, drifted: true},
		"without its issue":                  {edit: func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.IssuedAtAnnotation) }, drifted: true},
		"without its request-hash":           {edit: func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.RequestHashAnnotation) }, drifted: true},
		"without the renewal asked for":      {edit: func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.RenewHandledAnnotation) }, drifted: true},
		"without its data-hash":              {edit: func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.DataHashAnnotation) }, drifted: true},
		"without its role":                   {edit: func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) }, intact: true, drifted: true},
		"without its owner annotation":       {edit: func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.OwnerAnnotation) }, intact: true, drifted: true},
		"without its owner":                  {edit: func(s *corev1.Secret) { s.OwnerReferences = nil }, intact: true, drifted: true},
		"with the owner that was before":     {edit: func(s *corev1.Secret) { s.OwnerReferences[0].UID = "uid-0" }, intact: true, drifted: true},
		"with a label of ours changed":       {edit: func(s *corev1.Secret) { s.Labels[managedByLabel] = "Helm" }, intact: true, drifted: true},
		"where another template is wanted":   {respec: withTemplate(map[string]v1alpha1.TemplateSource{"x": "1"}), intact: true},
		"where it is to stay from now on":    {respec: retain, intact: true, drifted: true},
		"where other default keys are asked": {respec: omit, intact: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret, token := written(t, exampleToken()), exampleToken()
			if c.edit != nil {
				c.edit(secret)
			}
			if c.respec != nil {
				c.respec(token)
			}
			view := viewTarget(token, hashed(secret))
			if view.standing != ours {
				t.Fatalf("standing %d", view.standing)
			}
			if got := view.intact(); got != c.intact {
				t.Errorf("intact: %t", got)
			}
			if got := view.intact() && view.rendered(token) && view.dressed(token); got != c.ok {
				t.Errorf("nothing to do: %t", got)
			}
			if got := view.drifted(token); got != c.drifted {
				t.Errorf("drifted: %t", got)
			}
		})
	}
}

// usual is an OAuthToken whose template needs nothing but the token.
func usual() *v1alpha1.OAuthToken {
	return exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"header": "X: {{.Authorization}} {{.Scope}}"}))
}

func TestWhatIsRestoredFromWhatIsKnown(t *testing.T) {
	t.Parallel()
	set := func(key, value string) func(*corev1.Secret) {
		return func(s *corev1.Secret) { s.Data[key] = []byte(value) }
	}
	unset := func(key string) func(*corev1.Secret) { return func(s *corev1.Secret) { delete(s.Data, key) } }
	annotate := func(name, value string) func(*corev1.Secret) {
		return func(s *corev1.Secret) { s.Annotations[name] = value }
	}
	bare := func(name string) func(*corev1.Secret) { return func(s *corev1.Secret) { delete(s.Annotations, name) } }
	for name, c := range map[string]struct {
		edits  []func(*corev1.Secret)
		status bool // status tells of the token
		want   bool // it is restored as it was; else only a request helps
	}{
		"nothing was changed":                               {nil, false, true},
		"a key that is derived was changed":                 {[]func(*corev1.Secret){set(content.KeyAuthorization, "x")}, true, true},
		"a key that is derived is gone":                     {[]func(*corev1.Secret){unset(content.KeyExpiresAt)}, true, true},
		"a key of the template was changed":                 {[]func(*corev1.Secret){set("header", "x")}, true, true},
		"the scope was changed":                             {[]func(*corev1.Secret){set(content.KeyScope, "all")}, true, true},
		"the scope is gone":                                 {[]func(*corev1.Secret){unset(content.KeyScope)}, true, true},
		"the expiry was changed":                            {[]func(*corev1.Secret){annotate(v1alpha1.ExpiresAtAnnotation, "2099-01-01T00:00:00Z")}, true, true},
		"the times are gone":                                {[]func(*corev1.Secret){bare(v1alpha1.ExpiresAtAnnotation), bare(v1alpha1.IssuedAtAnnotation)}, true, true},
		"the renewal that was asked for is gone":            {[]func(*corev1.Secret){bare(v1alpha1.RenewHandledAnnotation)}, true, true},
		"a key of somebody else's stands there":             {[]func(*corev1.Secret){set("theirs", "x")}, false, true},
		"the role, the owner and its annotation are gone":   {[]func(*corev1.Secret){func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) }}, false, true},
		"all derived keys are gone":                         {[]func(*corev1.Secret){unset(content.KeyAuthorization), unset(content.KeyExpiresAt), unset(content.KeyTokenType), unset("header")}, true, true},
		"a key was changed and status was wiped":            {[]func(*corev1.Secret){set(content.KeyAuthorization, "x")}, false, false},
		"the access token was changed":                      {[]func(*corev1.Secret){set(content.KeyAccessToken, "x")}, true, false},
		"the access token is gone":                          {[]func(*corev1.Secret){unset(content.KeyAccessToken)}, true, false},
		"the ID token was changed":                          {[]func(*corev1.Secret){set(content.KeyIDToken, "x")}, true, false},
		"the seal is gone":                                  {[]func(*corev1.Secret){bare(v1alpha1.DataHashAnnotation)}, true, false},
		"the seal can't be read":                            {[]func(*corev1.Secret){annotate(v1alpha1.DataHashAnnotation, "v9:x")}, true, false},
		"the access token and its seal are somebody else's": {[]func(*corev1.Secret){set(content.KeyAccessToken, "x"), annotate(v1alpha1.DataHashAnnotation, "v1:a:b:c:d:access_token")}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := usual()
			original := written(t, token)
			edited := original.DeepCopy()
			for _, edit := range c.edits {
				edit(edited)
			}
			known := exampleKnown()
			if !c.status {
				known = nil
			}
			got, err := restore(token, edited, known)
			if err != nil {
				t.Fatal(err)
			}
			if (got != nil) != c.want {
				t.Fatalf("restored: %t", got != nil)
			}
			if !c.want {
				return
			}
			if diff := cmp.Diff(original, got.secret()); diff != "" {
				t.Errorf("not as it was (-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatANewTemplateIsRenderedFrom(t *testing.T) {
	t.Parallel()
	fromAnswer := withTemplate(map[string]v1alpha1.TemplateSource{"url": "{{.Extra.instance_url}}"})
	labelled := func(o *v1alpha1.OAuthToken) {
		o.Spec.Target.Template.Metadata = &v1alpha1.TemplateMetadata{Labels: map[string]v1alpha1.LabelValue{"team": "crm"}}
	}
	for name, c := range map[string]struct {
		before, after *v1alpha1.OAuthToken
		want          []string // keys; nil: only a request helps
	}{
		"a template of what the target holds": {exampleToken(), usual(), []string{"access_token", "authorization", "expires_at", "header", "id_token", "scope", "token_type"}},
		"one key less":                        {usual(), exampleToken(), []string{"access_token", "authorization", "expires_at", "id_token", "scope", "token_type"}},
		"the usual keys left out":             {usual(), exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"t": "{{.AccessToken}}"}), omit), []string{"t"}},
		"the usual keys back":                 {exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"t": "{{.AccessToken}}"}), omit), usual(), nil},
		"a member of the answer":              {usual(), exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"u": "{{.Extra.instance_url}}"})), nil},
		"the whole view":                      {usual(), exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"u": "{{toJson .}}"})), nil},
		"another label of a member of the answer": {
			exampleToken(fromAnswer), exampleToken(fromAnswer, labelled), []string{"access_token", "authorization", "expires_at", "id_token", "scope", "token_type", "url"},
		},
		"another label without the usual keys": {exampleToken(fromAnswer, omit), exampleToken(fromAnswer, omit, labelled), []string{"url"}},
		"a label less":                         {exampleToken(fromAnswer, omit, labelled), exampleToken(fromAnswer, omit), []string{"url"}},
		"the type that it has":                 {exampleToken(fromAnswer, omit), exampleToken(fromAnswer, omit, func(o *v1alpha1.OAuthToken) { o.Spec.Target.Type = "Opaque" }), []string{"url"}},
		"another name":                         {usual(), exampleToken(func(o *v1alpha1.OAuthToken) { o.Spec.Target.Name = "other" }), []string{"access_token", "authorization", "expires_at", "id_token", "scope", "token_type"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := restore(c.after, written(t, c.before), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got == nil {
				if c.want != nil {
					t.Fatal("nothing is restored")
				}
				return
			}
			if diff := cmp.Diff(c.want, sortedKeys(got.data)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			want, err := render(c.after, exampleIssue())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.secret(), got.secret()); diff != "" {
				t.Errorf("not as if it had been issued so (-want +got)\n%s", diff)
			}
		})
	}
}

func TestANewTemplateThatFailsIsAFault(t *testing.T) {
	t.Parallel()
	token := exampleToken(withTemplate(map[string]v1alpha1.TemplateSource{"x": "{{substr 5 2 .Scope}}"}))
	got, err := restore(token, written(t, exampleToken()), exampleKnown())
	if got != nil || err == nil {
		t.Errorf("got %v, %v", got, err)
	}
}
