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
		"several keys":  {token: "t", given: "g", render: "r", content: "c", keys: []string{".dockerconfigjson", "a_b", "c-d"}},
		"one key":       {token: "t", given: "g", render: "r", content: "c", keys: []string{"access_token"}},
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
		change func(*v1alpha1.Target)
		same   bool
	}{
		"a template":                {func(t *v1alpha1.Target) { t.Template.Data["k"] = "{{.TokenType}}" }, false},
		"a key":                     {func(t *v1alpha1.Target) { t.Template.Data["l"] = "x" }, false},
		"a label":                   {func(t *v1alpha1.Target) { t.Template.Metadata.Labels["a"] = "x" }, false},
		"an annotation":             {func(t *v1alpha1.Target) { delete(t.Template.Metadata.Annotations, "c") }, false},
		"a label made annotation":   {func(t *v1alpha1.Target) { m := t.Template.Metadata; m.Annotations["a"] = "b"; delete(m.Labels, "a") }, false},
		"the type":                  {func(t *v1alpha1.Target) { t.Type = "kubernetes.io/basic-auth" }, false},
		"the default keys left out": {func(t *v1alpha1.Target) { t.DefaultKeys = v1alpha1.DefaultKeysOmit }, false},
		"the default stated":        {func(t *v1alpha1.Target) { t.DefaultKeys = v1alpha1.DefaultKeysInclude }, true},
		"the name":                  {func(t *v1alpha1.Target) { t.Name = "other" }, true},
		"the deletion policy":       {func(t *v1alpha1.Target) { t.DeletionPolicy = v1alpha1.DeletionRetain }, true},
		"no metadata where empty":   {func(t *v1alpha1.Target) { t.Template.Metadata.Labels, t.Template.Metadata.Annotations = nil, nil }, false},
	} {
		changed := base()
		c.change(changed)
		if same := hashRendering(changed) == hashRendering(base()); same != c.same {
			t.Errorf("%s: same hash %t", name, same)
		}
	}
	if hashRendering(nil) != hashRendering(&v1alpha1.Target{}) {
		t.Error("an empty target is not as none")
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
