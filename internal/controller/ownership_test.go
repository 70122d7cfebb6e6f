package controller

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// exampleToken is an OAuthToken named api with a target of the same name.
func exampleToken(change ...func(*v1alpha1.OAuthToken)) *v1alpha1.OAuthToken {
	token := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api", Namespace: "team", UID: "uid-1"}}
	token.Spec.Target = &v1alpha1.Target{}
	for _, c := range change {
		c(token)
	}
	return token
}

// marked is a Secret with marks of ownership: role and managed-by labels, the owner annotation, a controller's kind/name, where not empty.
func marked(role, managedBy, owner, controller string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "api", Namespace: "team", Labels: map[string]string{}, Annotations: map[string]string{}},
		Type:       corev1.SecretTypeOpaque,
	}
	put := func(into map[string]string, name, value string) {
		if value != "" {
			into[name] = value
		}
	}
	put(secret.Labels, v1alpha1.RoleLabel, role)
	put(secret.Labels, managedByLabel, managedBy)
	put(secret.Annotations, v1alpha1.OwnerAnnotation, owner)
	if kind, name, ok := strings.Cut(controller, "/"); ok {
		version, yes := "apps/v1", true
		if kind == "OAuthToken" {
			version = v1alpha1.GroupVersion().String()
		}
		secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: "uid-0", Controller: &yes}}
	}
	return secret
}

func TestWhatASecretIsToAnOAuthToken(t *testing.T) {
	t.Parallel()
	adopted := func(secret *corev1.Secret, by string) *corev1.Secret {
		secret.Annotations[v1alpha1.AdoptByAnnotation] = by
		return secret
	}
	ofThisOne := func(secret *corev1.Secret) *corev1.Secret {
		secret.OwnerReferences[0].UID = exampleToken().UID
		return secret
	}
	for name, c := range map[string]struct {
		secret    *corev1.Secret
		want      standing
		complaint string // a part of it
	}{
		"there is none":                                             {nil, absent, ""},
		"one with all marks is ours":                                {marked("target", "tokensync", "api", "OAuthToken/api"), ours, ""},
		"one that was to stay is ours again":                        {marked("target", "tokensync", "api", ""), ours, ""},
		"one of an OAuthToken of this name before is ours":          {marked("target", "", "api", "OAuthToken/api"), ours, ""},
		"one that lost its role is ours":                            {marked("", "", "api", "OAuthToken/api"), ours, ""},
		"one that was to stay and lost its role is ours":            {marked("", "tokensync", "api", ""), ours, ""},
		"one that lost its annotation is ours":                      {marked("target", "", "", "OAuthToken/api"), ours, ""},
		"one whose role was changed is ours":                        {marked("credentials", "tokensync", "api", "OAuthToken/api"), ours, ""},
		"one without marks is foreign":                              {marked("", "", "", ""), foreign, "is not Tokensync's"},
		"one with the label alone is foreign":                       {marked("target", "tokensync", "", ""), foreign, "is not Tokensync's"},
		"one with the annotation alone is foreign":                  {marked("", "", "api", ""), foreign, "is not Tokensync's"},
		"one that lost all marks but this controller is ours":       {ofThisOne(marked("", "", "", "OAuthToken/api")), ours, ""},
		"one whose annotation was changed is ours":                  {ofThisOne(marked("target", "tokensync", "other", "OAuthToken/api")), ours, ""},
		"one with a former controller alone is foreign":             {marked("", "", "", "OAuthToken/api"), foreign, "is not Tokensync's"},
		"credentials are foreign":                                   {marked("credentials", "", "", ""), foreign, "is not Tokensync's"},
		"another OAuthToken's is foreign":                           {marked("target", "tokensync", "other", ""), foreign, `belongs to OAuthToken "other"`},
		"another OAuthToken's by its controller is foreign":         {marked("target", "tokensync", "api", "OAuthToken/other"), foreign, `belongs to OAuthToken "other"`},
		"another OAuthToken's can't be handed over from under it":   {adopted(marked("target", "tokensync", "other", ""), "api"), foreign, `belongs to OAuthToken "other"`},
		"a Deployment's is foreign":                                 {marked("target", "tokensync", "api", "Deployment/api"), foreign, `belongs to Deployment "api"`},
		"a Deployment's can't be handed over":                       {adopted(marked("target", "", "", "Deployment/api"), "api"), foreign, `belongs to Deployment "api"`},
		"one that is labelled and annotated for it is handed over":  {adopted(marked("target", "", "", ""), "api"), handed, ""},
		"one that is annotated but not labelled is not handed over": {adopted(marked("", "", "", ""), "api"), foreign, "is not Tokensync's"},
		"one that is handed to another is foreign":                  {adopted(marked("target", "", "", ""), "other"), foreign, "is not Tokensync's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, complaint := standingOf(exampleToken(), c.secret)
			if got != c.want || (complaint == "") != (c.complaint == "") || !strings.Contains(complaint, c.complaint) {
				t.Errorf("got %d, %q, want %d, %q", got, complaint, c.want, c.complaint)
			}
		})
	}
}

func TestAControllerOfThatNameInAnotherGroupIsNoOAuthToken(t *testing.T) {
	t.Parallel()
	secret := marked("target", "tokensync", "api", "OAuthToken/api")
	secret.OwnerReferences[0].APIVersion = "example.com/v1"
	if got, _ := standingOf(exampleToken(), secret); got != foreign {
		t.Errorf("got %d", got)
	}
}

func TestAForeignSecretsComplaintHoldsTheCommandThatHandsItOver(t *testing.T) {
	t.Parallel()
	handed := func(secret *corev1.Secret) *corev1.Secret {
		secret.Annotations[v1alpha1.AdoptByAnnotation] = "other"
		return secret
	}
	const label, annotate = "kubectl label secret api -n team tokensync.dev/role=target", "kubectl annotate secret api -n team tokensync.dev/adopt-by=api"
	for name, c := range map[string]struct {
		secret *corev1.Secret
		want   string
	}{
		"without marks":         {marked("", "", "", ""), label + " && " + annotate},
		"with another role":     {marked("credentials", "", "", ""), label + " --overwrite && " + annotate},
		"handed to another one": {handed(marked("target", "", "", "")), label + " && " + annotate + " --overwrite"},
	} {
		_, got := standingOf(exampleToken(), c.secret)
		want := `Secret "api" exists and is not Tokensync's: set spec.target.name to another name, delete the Secret, or hand it over with: ` + c.want
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}

func TestWhatKeepsASecretOfOursFromBeingWritten(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, c := range map[string]struct {
		wanted    string
		present   corev1.SecretType
		immutable *bool
		want      string
	}{
		"nothing":                                  {"", corev1.SecretTypeOpaque, nil, ""},
		"nothing where it is said to be mutable":   {"Opaque", corev1.SecretTypeOpaque, &no, ""},
		"nothing where the type is as it is to be": {"kubernetes.io/basic-auth", corev1.SecretTypeBasicAuth, nil, ""},
		"another type": {
			"kubernetes.io/basic-auth", corev1.SecretTypeOpaque, nil,
			`Secret "api" is of type Opaque, and the type of a Secret can't be changed to kubernetes.io/basic-auth: remove it, and it is made anew: kubectl delete secret api -n team`,
		},
		"immutability": {"", corev1.SecretTypeOpaque, &yes, `Secret "api" is immutable: remove it, and it is made anew: kubectl delete secret api -n team`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := marked("target", "tokensync", "api", "")
			secret.Type, secret.Immutable = c.present, c.immutable
			token := exampleToken(func(o *v1alpha1.OAuthToken) { o.Spec.Target.Type = c.wanted })
			if got := unwritable(token, secret); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestTheOlderClaimThenTheSmallerUIDHasTheTarget(t *testing.T) {
	t.Parallel()
	at := func(second int) metav1.Time { return metav1.NewTime(time.Unix(int64(second), 0)) }
	for name, c := range map[string]struct {
		a, b claim
		want bool
	}{
		"older":                              {claim{"z", at(1), "z"}, claim{"a", at(2), "a"}, true},
		"younger":                            {claim{"a", at(2), "a"}, claim{"z", at(1), "z"}, false},
		"as old, with a smaller UID":         {claim{"z", at(1), "a"}, claim{"a", at(1), "b"}, true},
		"as old, with a larger UID":          {claim{"a", at(1), "b"}, claim{"z", at(1), "a"}, false},
		"the same one has no one before it":  {claim{"a", at(1), "a"}, claim{"a", at(1), "a"}, false},
		"as old in another zone, larger UID": {claim{"a", metav1.NewTime(at(1).UTC()), "b"}, claim{"z", at(1), "a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.a.before(c.b); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
