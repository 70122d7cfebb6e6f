package controller

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
)

func TestASealReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]seal{
		"several keys":  {token: "t", given: "g", metadata: "m", render: "r", content: "c", keys: []string{".dockerconfigjson", "a_b", "c-d"}},
		"one key":       {token: "t", given: "g", metadata: "m", render: "r", content: "c", keys: []string{"access_token"}},
		"a token's own": sealOf(issued{AccessToken: "at"}),
	} {
		if s.keys == nil {
			s.keys = []string{""}
		}
		got, ok := parseSeal(s.String())
		if diff := cmp.Diff(s, got, cmp.AllowUnexported(seal{})); diff != "" || !ok {
			t.Errorf("%s: %t\n%s", name, ok, diff)
		}
	}
}

func TestASealThatCanNotBeReadIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "v1", "v1:t:g:r:c", "v1:t:g:r:c:k:more", "v2:t:g:r:c:k", ":::::", "banana"} {
		if s, ok := parseSeal(text); ok {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}

func TestASealHoldsNothingOfTheToken(t *testing.T) {
	t.Parallel()
	given := exampleIssue()
	text := sealOf(given).String()
	for _, secret := range []string{given.AccessToken, given.IDToken} {
		if strings.Contains(text, secret) {
			t.Errorf("the seal shows %s", secret)
		}
	}
}

func TestARecordReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, r := range map[string]record{
		"an issue":              {IssuedAt: at, ExpiresAt: at.Add(time.Hour), RequestHash: "v1:a.b.c"},
		"a repeated token":      {IssuedAt: at, ExpiresAt: at.Add(time.Hour), RepeatedAt: at.Add(time.Minute), RequestHash: "v1:a.b.c"},
		"a renewal on request":  {IssuedAt: at, ExpiresAt: at.Add(time.Hour), RequestHash: "v1:a.b.c", RenewHandled: "once more, please"},
		"a request not hashed":  {IssuedAt: at, ExpiresAt: at.Add(time.Hour)},
		"an end before it came": {IssuedAt: at, ExpiresAt: at.Add(-time.Hour)},
	} {
		got, ok := parseRecord(r.annotations())
		if diff := cmp.Diff(r, got); diff != "" || !ok {
			t.Errorf("%s: %t\n%s", name, ok, diff)
		}
	}
}

func TestTimesAreWholeSecondsInUTC(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 3*3600)
	r := record{IssuedAt: time.Date(2030, 1, 2, 3, 4, 5, 999_999_999, zone), ExpiresAt: time.Date(2030, 1, 2, 4, 4, 5, 1, zone)}
	annotations := r.annotations()
	if got := annotations[v1alpha1.IssuedAtAnnotation]; got != "2030-01-02T00:04:05Z" {
		t.Errorf("issued at %s", got)
	}
	if got := annotations[v1alpha1.ExpiresAtAnnotation]; got != "2030-01-02T01:04:05Z" {
		t.Errorf("expires at %s", got)
	}
}

func TestARecordWithoutATimeIsNone(t *testing.T) {
	t.Parallel()
	good := record{IssuedAt: time.Unix(1, 0), ExpiresAt: time.Unix(2, 0)}.annotations()
	for _, name := range []string{v1alpha1.IssuedAtAnnotation, v1alpha1.ExpiresAtAnnotation} {
		for _, value := range []string{"", "soon", "2030-13-01T00:00:00Z", "1700000000"} {
			spoiled := merge(good, map[string]string{name: value})
			if _, ok := parseRecord(spoiled); ok {
				t.Errorf("%s: %q is read", name, value)
			}
		}
	}
}

func TestTheCacheKeepsHashesOfATargetAndNoValue(t *testing.T) {
	t.Parallel()
	secret := written(t, exampleToken())
	kept := hashed(secret)
	for key, value := range kept.Data {
		if len(value) != valueHashSize || string(value) == string(secret.Data[key]) {
			t.Errorf("%s is kept as %d bytes", key, len(value))
		}
	}
	if len(kept.Data) != len(secret.Data) || kept.ManagedFields != nil {
		t.Errorf("%d keys, managed fields %v", len(kept.Data), kept.ManagedFields)
	}
	if string(secret.Data[content.KeyAccessToken]) != "at-1" {
		t.Error("the Secret itself was changed")
	}
	cached, err := slim(secret)
	if diff := cmp.Diff(kept, cached); diff != "" || err != nil {
		t.Errorf("the cache's transform: %v\n%s", err, diff)
	}
	credentials := &corev1.Secret{Data: map[string][]byte{"client_secret": []byte("s")}}
	if cached, err := slim(credentials); err != nil || string(cached.(*corev1.Secret).Data["client_secret"]) != "s" {
		t.Error("credentials are needed as they are")
	}
}

func TestWhatChangesTheRenderingChangesItsHash(t *testing.T) {
	t.Parallel()
	base := func() *v1alpha1.Target {
		return &v1alpha1.Target{Template: &v1alpha1.TargetTemplate{
			Metadata: &v1alpha1.TemplateMetadata{Labels: map[string]v1alpha1.LabelValue{"a": "b"}, Annotations: map[string]v1alpha1.AnnotationValue{"c": "d"}},
			Data:     map[string]v1alpha1.TemplateSource{"k": "{{.Scope}}"},
		}}
	}
	for name, c := range map[string]struct {
		change         func(*v1alpha1.Target)
		metadata, data bool // they are the same
	}{
		"a template":                {func(t *v1alpha1.Target) { t.Template.Data["k"] = "{{.TokenType}}" }, true, false},
		"a key":                     {func(t *v1alpha1.Target) { t.Template.Data["l"] = "x" }, true, false},
		"a label":                   {func(t *v1alpha1.Target) { t.Template.Metadata.Labels["a"] = "x" }, false, true},
		"an annotation":             {func(t *v1alpha1.Target) { delete(t.Template.Metadata.Annotations, "c") }, false, true},
		"a label made annotation":   {func(t *v1alpha1.Target) { m := t.Template.Metadata; m.Annotations["a"] = "b"; delete(m.Labels, "a") }, false, true},
		"no metadata":               {func(t *v1alpha1.Target) { t.Template.Metadata.Labels, t.Template.Metadata.Annotations = nil, nil }, false, true},
		"no template":               {func(t *v1alpha1.Target) { t.Template = nil }, false, false},
		"the type":                  {func(t *v1alpha1.Target) { t.Type = "kubernetes.io/basic-auth" }, true, false},
		"the default type stated":   {func(t *v1alpha1.Target) { t.Type = "Opaque" }, true, true},
		"the default keys left out": {func(t *v1alpha1.Target) { t.DefaultKeys = v1alpha1.DefaultKeysOmit }, true, false},
		"the default keys stated":   {func(t *v1alpha1.Target) { t.DefaultKeys = v1alpha1.DefaultKeysInclude }, true, true},
		"the name":                  {func(t *v1alpha1.Target) { t.Name = "other" }, true, true},
		"the deletion policy":       {func(t *v1alpha1.Target) { t.DeletionPolicy = v1alpha1.DeletionRetain }, true, true},
	} {
		changed := base()
		c.change(changed)
		var s seal
		s.metadata, s.render = renderingOf(base()).digests()
		if metadata, data := s.matches(changed); metadata != c.metadata || data != c.data {
			t.Errorf("%s: the same metadata %t, the same data %t", name, metadata, data)
		}
	}
	for _, same := range []*v1alpha1.Target{nil, {}, {Type: "Opaque", DefaultKeys: v1alpha1.DefaultKeysInclude, Template: &v1alpha1.TargetTemplate{}}} {
		var s seal
		s.metadata, s.render = renderingOf(same).digests()
		if metadata, data := s.matches(nil); !metadata || !data {
			t.Errorf("%+v is not as none", same)
		}
	}
}

// TestASealOfBeforeIsGoodAsLongAsTheSpecStays reads what versions wrote that did not tell metadata and data apart.
func TestASealOfBeforeIsGoodAsLongAsTheSpecStays(t *testing.T) {
	t.Parallel()
	labelled := func(o *v1alpha1.OAuthToken) {
		o.Spec.Target.Template.Metadata = &v1alpha1.TemplateMetadata{Labels: map[string]v1alpha1.LabelValue{"team": "crm"}}
	}
	opaque := func(o *v1alpha1.OAuthToken) { o.Spec.Target.Type = "Opaque" }
	extra := withTemplate(map[string]v1alpha1.TemplateSource{"url": "{{.Extra.instance_url}}"})
	for name, c := range map[string]struct {
		token  *v1alpha1.OAuthToken
		digest string
	}{
		"nothing said":       {exampleToken(), "RBNvo1WzZ4oRRq0W9-hkng"},
		"the type said":      {exampleToken(opaque), "1E98kRmY2nYKhtWAuFCkow"},
		"keys left out":      {exampleToken(extra, omit), "Nk2XYk5gB4LF8gH8cplq-w"},
		"labels and a value": {exampleToken(extra, labelled), "0y6765z73EK8CwL-Ma9Fiw"},
	} {
		secret := written(t, c.token)
		parts := strings.Split(secret.Annotations[v1alpha1.DataHashAnnotation], ":")
		parts[3] = c.digest
		secret.Annotations[v1alpha1.DataHashAnnotation] = strings.Join(parts, ":")
		view := viewTarget(c.token, hashed(secret))
		if !view.intact() || !view.rendered(c.token) || !view.dressed(c.token) {
			t.Errorf("%s: it would be written anew: its digest is %s, that of the spec %s", name, c.digest, renderingOf(c.token.Spec.Target).digest())
		}
		c.token.Spec.Target.Template = &v1alpha1.TargetTemplate{Metadata: &v1alpha1.TemplateMetadata{Labels: map[string]v1alpha1.LabelValue{"team": "other"}}}
		if view := viewTarget(c.token, hashed(secret)); view.rendered(c.token) {
			t.Errorf("%s: a change is not noticed", name)
		}
	}
}

func TestTheCacheMayHashASecretTwice(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{"access_token": []byte("secret")}}
	once := hashed(secret)
	if diff := cmp.Diff(once, hashed(once)); diff != "" {
		t.Errorf("an informer transforms what it finds at its start twice, and the second time changes it (-once +twice):\n%s", diff)
	}
	if diff := cmp.Diff(once, hashed(once.DeepCopy())); diff != "" {
		t.Errorf("a copy is hashed again (-once +twice):\n%s", diff)
	}
	if bytes.Equal(once.Data["access_token"], secret.Data["access_token"]) {
		t.Error("the token itself is kept")
	}
}
