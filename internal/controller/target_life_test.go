package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func TestTheTargetIsCreatedByPOSTAndLaterAppliedOntoTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	first := th.secret("api")
	if diff := cmp.Diff(map[string]bool{"tokensync Update": true}, managers(first)); diff != "" {
		t.Errorf("after the creation (-want +got)\n%s", diff)
	}
	var mu sync.Mutex
	var uid types.UID
	var version string
	th.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "PATCH secrets" && r.Header.Get("Content-Type") == "application/apply-patch+yaml" {
			body, _ := r.GetBody()
			text, _ := io.ReadAll(body)
			mu.Lock()
			defer mu.Unlock()
			uid, version = applied(text)
		}
		return nil
	})
	second := th.renewNow("api", "api")
	if diff := cmp.Diff(map[string]bool{"tokensync Update": true, "tokensync Apply": true}, managers(second)); diff != "" {
		t.Errorf("after the renewal (-want +got)\n%s", diff)
	}
	mu.Lock()
	defer mu.Unlock()
	if uid != first.UID || version != first.ResourceVersion {
		t.Errorf("applied onto uid %q, version %q, want %q, %q", uid, version, first.UID, first.ResourceVersion)
	}
	if th.api.counts()["PUT secrets"] != 0 {
		t.Error("the target was updated")
	}
}

func TestWhatOthersWriteIntoTheTargetStays(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) {
		s.Data["theirs"], s.Labels["theirs"], s.Annotations["theirs"] = []byte("x"), "x", "x"
	})
	renewed := th.renewNow("api", "api")
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Data["scope"] = nil; delete(s.Data, "token_type") })
	th.eventually(func() string { return cmp.Diff("Bearer", string(th.secret("api").Data["token_type"])) })
	for when, s := range map[string]*corev1.Secret{"renewal": renewed, "repair": th.secret("api")} {
		if string(s.Data["theirs"]) != "x" || s.Labels["theirs"] != "x" || s.Annotations["theirs"] != "x" {
			t.Errorf("after a %s it is gone", when)
		}
	}
}

func TestAKeyThatIsWrittenNoMoreGoesAway(t *testing.T) {
	t.Parallel()
	full := targeted(func(target *v1alpha1.Target) {
		target.Template = &v1alpha1.TargetTemplate{
			Metadata: &v1alpha1.TemplateMetadata{
				Labels: map[string]v1alpha1.LabelValue{"team": "crm"}, Annotations: map[string]v1alpha1.AnnotationValue{"note": "n"},
			},
			Data: map[string]v1alpha1.TemplateSource{"header": "{{.Authorization}}"},
		}
	})
	for name, renewedBefore := range map[string]bool{"written by the creation": false, "written by an apply": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th := issuedTarget(t, full)
			if renewedBefore {
				th.renewNow("api", "api")
			}
			requests := th.vendor.Count(oauthtest.Match{})
			edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) { o.Spec.Target.Template = nil })
			th.eventually(func() string {
				s := th.secret("api")
				if s.Data["header"] != nil || s.Labels["team"] != "" || s.Annotations["note"] != "" {
					return "something is still there"
				}
				return ""
			})
			th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			if got := th.vendor.Count(oauthtest.Match{}); got != requests {
				t.Errorf("%d requests, want %d", got, requests)
			}
		})
	}
}

func TestTheScopeGoesAwayWhenTheVendorGivesNone(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	th.vendor.Fail(oauthtest.Match{}, oauthtest.Member("scope", `"read write"`), oauthtest.Times(1))
	if got := string(th.renewNow("api", "api").Data["scope"]); got != "read write" {
		t.Fatalf("the scope is %q", got)
	}
	if got, there := th.renewNow("api", "api").Data["scope"]; there {
		t.Errorf("the scope is still there: %q", got)
	}
}

func TestTheScopeThatTheCreationWroteGoesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor.Fail(oauthtest.Match{}, oauthtest.Member("scope", `"read write"`), oauthtest.Times(1))
	w.create(genesysClient("client"), genesys("api", "client"))
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := string(w.secret("api").Data["scope"]); got != "read write" {
		t.Fatalf("the scope is %q", got)
	}
	edit(w, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "1"}
	})
	w.eventually(func() string {
		if _, there := w.secret("api").Data["scope"]; there {
			return "the scope is still there"
		}
		return ""
	})
}

func TestAChangedTemplateIsRenderedFromWhatTheTargetHolds(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) {
		target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"header": "X: {{.Authorization}}"}}
	}))
	th.eventually(func() string {
		s := th.secret("api")
		return cmp.Diff("X: "+string(s.Data["authorization"]), string(s.Data["header"]))
	})
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	if got := th.events("api")[v1alpha1.EventTargetRepaired]; got != 0 {
		t.Error("a changed template is told as a repair")
	}
}

func TestATemplateThatNeedsTheAnswerCostsOneRequest(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	th.vendor.Fail(oauthtest.Match{}, oauthtest.Member("instance_url", `"https://eu1.example.com"`))
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) {
		target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"url": "{{.Extra.instance_url}}"}}
	}))
	th.eventually(func() string { return cmp.Diff("https://eu1.example.com", string(th.secret("api").Data["url"])) })
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
	before := th.secret("api")
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) })
	th.restored(before)
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests after a label was removed, want 2", got)
	}
}

func TestALabelCostsNoRequestWhateverTheDataNeeds(t *testing.T) {
	t.Parallel()
	th := idleTheater(t)
	th.vendor.Fail(oauthtest.Match{}, oauthtest.Member("instance_url", `"https://eu1.example.com"`))
	token := genesys("api", "client")
	targeted(func(target *v1alpha1.Target) {
		target.DefaultKeys = v1alpha1.DefaultKeysOmit
		target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"url": "{{.Extra.instance_url}}"}}
	})(token)
	th.create(token)
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	for _, wanted := range []map[string]v1alpha1.LabelValue{{"team": "crm"}, {"team": "shop", "stage": "test"}, nil} {
		th.time.Step(time.Minute)
		edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) {
			o.Spec.Suspend, o.Spec.Target.Type = true, "Opaque" // so that a request would not even be made
			o.Spec.Target.Template.Metadata = &v1alpha1.TemplateMetadata{Labels: wanted}
		})
		th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		th.eventually(func() string {
			labels := th.secret("api").Labels
			delete(labels, v1alpha1.RoleLabel)
			delete(labels, "app.kubernetes.io/managed-by")
			return cmp.Diff(fmt.Sprint(wanted), fmt.Sprint(labels))
		})
		if got := string(th.secret("api").Data["url"]); got != "https://eu1.example.com" {
			t.Errorf("the target holds %q", got)
		}
	}
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestATemplateThatFailsLeavesTheTargetAndCostsOneRequestAtMost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source   v1alpha1.TemplateSource
		requests int
		message  string
	}{
		"a template that can't be read":     {"{{env \"HOME\"}}", 1, `template.data[x] is no valid template: x:1: function "env" not defined: correct spec.target.template`},
		"one that fails on what is held":    {"{{substr 5 2 .TokenType}}", 1, `template.data[x] fails at "x" at <substr 5 2 .TokenType>: correct spec.target.template`},
		"one that misses part of an answer": {"{{.Extra.nope}}", 2, `template.data[x] uses "nope", which the vendor's answer does not hold: correct spec.target.template`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th := issuedTarget(t)
			before := th.secret("api")
			edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) {
				target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"x": c.source}}
			}))
			token := th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonTemplateFailed)
			if diff := cmp.Diff(c.message, message(token, v1alpha1.ConditionReady)); diff != "" {
				t.Error(diff)
			}
			th.lookAgain("api", time.Minute)
			th.settled()
			if diff := cmp.Diff(before, th.secret("api")); diff != "" {
				t.Errorf("the target was touched\n%s", diff)
			}
			if got := th.vendor.Count(oauthtest.Match{}); got != c.requests {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
			edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) { o.Spec.Target = nil })
			th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			if got := th.vendor.Count(oauthtest.Match{}); got != c.requests {
				t.Errorf("%d requests after it was corrected, want %d", got, c.requests)
			}
		})
	}
}

func TestATemplateThatDoesNotSuitTheTypeIsToldAsSuch(t *testing.T) {
	t.Parallel()
	th := idleTheater(t)
	token := genesys("api", "client")
	targeted(func(target *v1alpha1.Target) {
		target.Type = "kubernetes.io/dockerconfigjson"
		target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{".dockerconfigjson": "{{.AccessToken}}"}}
	})(token)
	th.create(token)
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonTemplateFailed)
	th.lookAgain("api", time.Minute)
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) {
		target.Template.Data[".dockerconfigjson"] = `{{dockerconfigjson "registry.example.com" "user" .AccessToken}}`
	}))
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestARenamedTargetIsWrittenFromTheOldOne(t *testing.T) {
	t.Parallel()
	for policy, stays := range map[v1alpha1.DeletionPolicy]bool{v1alpha1.DeletionDelete: false, v1alpha1.DeletionRetain: true} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			th := issuedTarget(t, targeted(func(target *v1alpha1.Target) { target.DeletionPolicy = policy }))
			before := th.secret("api")
			edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) { o.Spec.Target.Name = "renamed" })
			th.eventually(func() string {
				if !th.exists("renamed") {
					return "the new one is not there"
				}
				return map[bool]string{true: "the old one is there: " + string(policy)}[th.exists("api") != stays]
			})
			if diff := cmp.Diff(before.Data, th.secret("renamed").Data); diff != "" {
				t.Errorf("the new one holds something else\n%s", diff)
			}
			token := th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			th.settled()
			if token.Status.SecretName != "renamed" || th.exists("api") != stays {
				t.Errorf("status names %s, the old one is there: %t", token.Status.SecretName, th.exists("api"))
			}
			if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
}

func TestATargetThatIsRenamedWhenItBecomesOneToStayIsLetGo(t *testing.T) {
	t.Parallel()
	for name, revoked := range map[string]bool{"owned": false, "to be revoked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th := issuedTarget(t, func(o *v1alpha1.OAuthToken) { o.Spec.RevokeOnDelete = revoked })
			before := th.secret("api")
			_, marked := before.Annotations[v1alpha1.RemovedByAnnotation]
			if marked != revoked || (len(before.OwnerReferences) == 0) != revoked {
				t.Fatalf("it is marked: %t, owners %+v", marked, before.OwnerReferences)
			}
			edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) {
				target.Name, target.DeletionPolicy = "renamed", v1alpha1.DeletionRetain
			}))
			th.eventually(func() string {
				old := th.secret("api")
				if _, marked := old.Annotations[v1alpha1.RemovedByAnnotation]; marked || len(old.OwnerReferences) > 0 {
					return fmt.Sprintf("marked: %t, owners %+v", marked, old.OwnerReferences)
				}
				return ""
			})
			th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			th.settled()
			now := th.secret("api")
			if diff := cmp.Diff(before.Data, now.Data); diff != "" || now.Annotations[v1alpha1.OwnerAnnotation] != "api" {
				t.Errorf("it is otherwise than it was, or nobody's\n%s", diff)
			}
			th.api.reset()
			th.lookAgain("api", time.Minute)
			th.settled()
			if got := th.api.counts()["PATCH secrets"]; got != 0 {
				t.Errorf("%d writes more", got)
			}
		})
	}
}

func TestARenamedTargetWhoseTemplateFailsKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) {
		target.Name = "renamed"
		target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"x": "{{substr 5 2 .TokenType}}"}}
	}))
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonTemplateFailed)
	th.lookAgain("api", time.Minute)
	th.settled()
	if !th.exists("api") || th.exists("renamed") {
		t.Errorf("the old one is there: %t, the new one: %t", th.exists("api"), th.exists("renamed"))
	}
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) { o.Spec.Target.Template = nil })
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestATargetThatIsToStayIsTakenOverByTheNextOAuthTokenOfThatName(t *testing.T) {
	t.Parallel()
	keep := targeted(func(target *v1alpha1.Target) { target.DeletionPolicy = v1alpha1.DeletionRetain })
	th := issuedTarget(t, keep)
	before := th.secret("api")
	if len(before.OwnerReferences) != 0 {
		t.Fatalf("it has owners: %+v", before.OwnerReferences)
	}
	old := th.oauthToken("api")
	th.delete(old)
	th.settled()
	next := genesys("api", "client")
	keep(next)
	th.api.reset()
	th.create(next)
	token := th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	if diff := cmp.Diff(before, th.secret("api")); diff != "" {
		t.Errorf("it was written\n%s", diff)
	}
	if token.UID == old.UID || token.Status.ExpiresAt.UTC().Format(time.RFC3339) != before.Annotations[v1alpha1.ExpiresAtAnnotation] {
		t.Errorf("status %+v", token.Status)
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestOwnersComeAndGoWithTheDeletionPolicy(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	for _, c := range []struct {
		policy v1alpha1.DeletionPolicy
		owners int
	}{{v1alpha1.DeletionRetain, 0}, {v1alpha1.DeletionDelete, 1}, {v1alpha1.DeletionRetain, 0}} {
		th.time.Step(2 * time.Minute)
		edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) { target.DeletionPolicy = c.policy }))
		th.eventually(func() string { return cmp.Diff(c.owners, len(th.secret("api").OwnerReferences)) })
		th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	}
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestTheStateSecretStaysOrGoesAsTheTargetDoes(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	state := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "api-oauth-state", Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleState}, Annotations: map[string]string{v1alpha1.OwnerAnnotation: "api"},
		},
		Data: map[string][]byte{"refresh_token": []byte("rt"), "theirs": []byte("x")},
	}
	th.create(state)
	for _, c := range []struct {
		policy v1alpha1.DeletionPolicy
		owners int
	}{{v1alpha1.DeletionDelete, 1}, {v1alpha1.DeletionRetain, 0}} {
		edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) { target.DeletionPolicy = c.policy }))
		th.eventually(func() string { return cmp.Diff(c.owners, len(th.secret("api-oauth-state").OwnerReferences)) })
	}
	if diff := cmp.Diff(map[string][]byte{"refresh_token": []byte("rt"), "theirs": []byte("x")}, th.secret("api-oauth-state").Data); diff != "" {
		t.Errorf("what is kept has changed\n%s", diff)
	}
}

func TestTheAPIServerTakesTargetsOfEveryType(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	for name, target := range map[string]v1alpha1.Target{
		"docker": {Type: "kubernetes.io/dockerconfigjson", DefaultKeys: v1alpha1.DefaultKeysOmit, Template: &v1alpha1.TargetTemplate{
			Data: map[string]v1alpha1.TemplateSource{".dockerconfigjson": `{{dockerconfigjson "r.example.com" "oauth2" .AccessToken}}`},
		}},
		"basic": {Type: "kubernetes.io/basic-auth", Template: &v1alpha1.TargetTemplate{
			Data: map[string]v1alpha1.TemplateSource{"username": "oauth2", "password": "{{.AccessToken}}"},
		}},
		"own": {Type: "example.com/token"},
	} {
		token := genesys(name, "client")
		token.Spec.Target = &target
		th.create(token)
		th.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		if got := th.secret(name).Type; string(got) != target.Type {
			t.Errorf("%s is of type %s", name, got)
		}
		th.renewNow(name, name)
		before := th.secret(name)
		edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(s *corev1.Secret) { s.Labels = nil })
		th.restored(before)
	}
}

func TestADeletedOAuthTokenLeavesNothingUndone(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	th.delete(th.oauthToken("api"))
	th.settled()
	th.api.reset()
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Data["access_token"] = []byte("x") })
	th.delete(th.secret("api")) // as garbage collection does
	th.settled()
	if diff := cmp.Diff(map[string]int{}, th.api.counts()); diff != "" {
		t.Errorf("requests to the API server\n%s", diff)
	}
	if th.exists("api") {
		t.Error("the target was made anew")
	}
	var secrets corev1.SecretList
	if err := th.client.List(context.Background(), &secrets, client.InNamespace(th.namespace)); err != nil || len(secrets.Items) != 1 {
		t.Errorf("%d Secrets are left, want the credentials: %v", len(secrets.Items), err)
	}
}

// managers are the field managers of a Secret with their operations.
func managers(secret *corev1.Secret) map[string]bool {
	found := map[string]bool{}
	for _, m := range secret.ManagedFields {
		found[m.Manager+" "+string(m.Operation)] = true
	}
	return found
}

// applied is what an apply patch says of the object it is for.
func applied(body []byte) (uid types.UID, version string) {
	var patch struct {
		Metadata struct {
			UID             types.UID `json:"uid"`
			ResourceVersion string    `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &patch) != nil {
		return "", ""
	}
	return patch.Metadata.UID, patch.Metadata.ResourceVersion
}
