package controller_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// idleTheater is a world with a clock of its own and credentials, and no OAuthToken yet.
func idleTheater(t *testing.T) theater {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Now().Truncate(time.Second))
	th := theater{newWorld(t, withClock(clock)), clock}
	th.create(genesysClient("client"))
	return th
}

func TestASecretThatIsNotOursIsNeverTouched(t *testing.T) {
	t.Parallel()
	yes := true
	owned := func(version, kind string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: "other", UID: "7b6a5c1e-0000-4000-8000-000000000000", Controller: &yes}}
	}
	th := idleTheater(t)
	for name, secret := range map[string]*corev1.Secret{
		"nobodys":     {},
		"credentials": {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials}}},
		"deployments": {ObjectMeta: metav1.ObjectMeta{OwnerReferences: owned(appsv1.SchemeGroupVersion.String(), "Deployment")}},
		"anothers": {ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleTarget}, Annotations: map[string]string{v1alpha1.OwnerAnnotation: "other"},
			OwnerReferences: owned(v1alpha1.GroupVersion().String(), "OAuthToken"),
		}},
		"handed-to-another": {ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleTarget}, Annotations: map[string]string{v1alpha1.AdoptByAnnotation: "other"},
		}},
		"immutable": {Immutable: &yes},
	} {
		secret.Name, secret.Data = name, map[string][]byte{"theirs": []byte("x")}
		th.create(secret)
		before := th.secret(name)
		th.create(genesys(name, "client"))
		token := th.awaitReady(name, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
		th.awaitCondition(name, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		if got := message(token, v1alpha1.ConditionReady); !strings.Contains(got, name) || !strings.Contains(got, "spec.target.name") {
			t.Errorf("%s: the message is %s", name, got)
		}
		for range 3 {
			th.lookAgain(name, 10*time.Minute)
		}
		th.settled()
		if diff := cmp.Diff(before, th.secret(name)); diff != "" {
			t.Errorf("%s was touched\n%s", name, diff)
		}
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 0 {
		t.Errorf("%d requests to the vendor", got)
	}
}

func TestASecretCanBeHandedOver(t *testing.T) {
	t.Parallel()
	th := idleTheater(t)
	theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Data: map[string][]byte{"theirs": []byte("x"), "token_type": []byte("x")}}
	th.create(theirs, genesys("api", "client"))
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) {
		s.Annotations = map[string]string{v1alpha1.AdoptByAnnotation: "api"}
		s.Labels = map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleTarget}
	})
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	secret := th.secret("api")
	if secret.UID != theirs.UID || string(secret.Data["theirs"]) != "x" || string(secret.Data["token_type"]) != "Bearer" || len(secret.OwnerReferences) != 1 {
		t.Errorf("uid %s, keys %v, owners %+v", secret.UID, slices.Sorted(maps.Keys(secret.Data)), secret.OwnerReferences)
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestASecretThatIsLeftBehindCanBeHandedOverOnceItsOAuthTokenIsGone(t *testing.T) {
	t.Parallel()
	share := func(deletion v1alpha1.DeletionPolicy, key string) func(*v1alpha1.OAuthToken) {
		return targeted(func(target *v1alpha1.Target) {
			target.Name, target.DeletionPolicy = "shared", deletion
			target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{key: "{{.AccessToken}}"}}
		})
	}
	th := issuedTarget(t, share(v1alpha1.DeletionRetain, "theirs"))
	heir := genesys("heir", "client")
	share(v1alpha1.DeletionDelete, "ours")(heir)
	th.create(heir)
	token := th.awaitReady("heir", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	if got := message(token, v1alpha1.ConditionReady); !strings.Contains(got, `belongs to OAuthToken "api", which its annotation tokensync.dev/owner names`) {
		t.Errorf("the message is %s", got)
	}
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "shared"}}, func(s *corev1.Secret) {
		s.Annotations[v1alpha1.AdoptByAnnotation] = "heir"
	})
	th.settled()
	before := th.secret("shared")
	th.lookAgain("heir", time.Minute)
	th.settled()
	th.awaitReady("heir", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	if diff := cmp.Diff(before, th.secret("shared")); diff != "" {
		t.Errorf("it was touched while its OAuthToken was there\n%s", diff)
	}
	th.delete(named("api"))
	th.awaitReady("heir", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	secret := th.secret("shared")
	if secret.UID != before.UID || secret.Annotations[v1alpha1.OwnerAnnotation] != "heir" || len(secret.OwnerReferences) != 1 {
		t.Errorf("uid %s, annotations %v, owners %+v", secret.UID, secret.Annotations, secret.OwnerReferences)
	}
	if secret.Data["ours"] == nil || secret.Data["theirs"] != nil {
		t.Errorf("it holds %v", slices.Sorted(maps.Keys(secret.Data)))
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want one of each", got)
	}
}

func TestAnotherTypeIsAConflictUntilTheSecretIsDeleted(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, targeted(func(target *v1alpha1.Target) { target.Type = "example.com/token" }))
	token := th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	want := `Secret "api" is of type Opaque, and the type of a Secret can't be changed to example.com/token: remove it, and it is made anew: ` +
		"kubectl delete secret api -n " + th.namespace
	if diff := cmp.Diff(want, message(token, v1alpha1.ConditionReady)); diff != "" {
		t.Error(diff)
	}
	th.delete(th.secret("api"))
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := th.secret("api").Type; got != "example.com/token" {
		t.Errorf("the type is %s", got)
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestAnImmutableTargetIsAConflictUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { yes := true; s.Immutable = &yes })
	token := th.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
	want := `Secret "api" is immutable: remove it, and it is made anew: kubectl delete secret api -n ` + th.namespace
	if got := message(token, v1alpha1.ConditionRenewalFailing); got != want {
		t.Errorf("the message is %s", got)
	}
	th.lookAgain("api", 20*time.Hour) // past its renewal
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests while nothing can be written, want 1", got)
	}
	th.delete(th.secret("api"))
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
}

func TestOfTwoOAuthTokensAtOnceOneHasTheTarget(t *testing.T) {
	t.Parallel()
	for round := range 4 {
		th := idleTheater(t)
		var both sync.WaitGroup
		for _, name := range []string{"one", "two"} {
			both.Go(func() {
				token := genesys(name, "client")
				token.Namespace, token.Spec.Target = th.namespace, &v1alpha1.Target{Name: "shared"}
				if err := th.client.Create(context.Background(), token); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		winner, loser := "", ""
		th.eventually(func() string {
			winner, loser = "", ""
			for _, name := range []string{"one", "two"} {
				ready := meta.FindStatusCondition(th.oauthToken(name).Status.Conditions, v1alpha1.ConditionReady)
				switch {
				case ready != nil && ready.Status == metav1.ConditionTrue:
					winner = name
				case ready != nil && ready.Reason == v1alpha1.ReasonSecretConflict:
					loser = name
				}
			}
			return map[bool]string{true: fmt.Sprintf("ready: %q, in conflict: %q", winner, loser)}[winner == "" || loser == ""]
		})
		th.settled()
		spent := th.vendor.Count(oauthtest.Match{})
		t.Logf("round %d: %d requests", round, spent)
		if spent > 2 {
			t.Errorf("%d requests: the loser made more than one", spent)
		}
		before := th.secret("shared")
		for range 3 {
			th.lookAgain(loser, 10*time.Minute)
			th.lookAgain(winner, 10*time.Minute)
		}
		th.settled()
		th.awaitReady(winner, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		th.awaitReady(loser, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
		if diff := cmp.Diff(before, th.secret("shared")); diff != "" || before.Annotations[v1alpha1.OwnerAnnotation] != winner {
			t.Errorf("the target of %s changed\n%s", winner, diff)
		}
		if got := th.vendor.Count(oauthtest.Match{}); got != spent {
			t.Errorf("%d requests more", got-spent)
		}
	}
}

func TestTheYoungerOAuthTokenTakesOverWhenTheOlderAndItsTargetAreGone(t *testing.T) {
	t.Parallel()
	share := targeted(func(target *v1alpha1.Target) { target.Name = "shared" })
	th := issuedTarget(t, share)
	second := genesys("second", "client")
	share(second)
	th.create(second)
	th.awaitReady("second", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want the older one's only", got)
	}
	th.delete(th.oauthToken("api"))
	th.delete(th.secret("shared")) // as garbage collection does
	th.awaitReady("second", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := th.secret("shared").Annotations[v1alpha1.OwnerAnnotation]; got != "second" {
		t.Errorf("the target is %s's", got)
	}
}

func TestAForeignSecretInTheWayIsLookedForByAReadUntilItIsGone(t *testing.T) {
	t.Parallel()
	th := idleTheater(t)
	th.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, genesys("api", "client"))
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	th.settled()
	th.api.reset()
	th.lookAgain("api", 30*time.Second)
	th.settled()
	if diff := cmp.Diff(map[string]int{"GET secrets": 1}, th.api.counts()); diff != "" {
		t.Errorf("a look at it (-want +got)\n%s", diff)
	}
	th.delete(th.secret("api"))
	th.lookAgain("api", 30*time.Second)
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
}

func TestTheYoungerOAuthTokenTakesOverFromAnOlderOneThatNeverHadTheTarget(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(th theater, older *v1alpha1.OAuthToken){
		"deleted": func(th theater, older *v1alpha1.OAuthToken) { th.delete(older) },
		"given another target": func(th theater, older *v1alpha1.OAuthToken) {
			edit(th.world, older, targeted(func(target *v1alpha1.Target) { target.Name = "other" }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			share := targeted(func(target *v1alpha1.Target) { target.Name = "shared" })
			th := idleTheater(t)
			older, younger := genesys("older", "absent"), genesys("younger", "client")
			share(older)
			share(younger)
			th.create(older)
			th.awaitReady("older", metav1.ConditionFalse, v1alpha1.ReasonAwaitingCredentials)
			th.eventually(func() string { // the API server counts in whole seconds
				return map[bool]string{false: "they would be of the same age"}[time.Since(older.CreationTimestamp.Time) > time.Second]
			})
			th.create(younger)
			th.awaitReady("younger", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
			th.settled()
			began := time.Now()
			leave(th, th.oauthToken("older"))
			th.awaitReady("younger", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			if took := time.Since(began); took > promptly {
				t.Errorf("it has its token after %s", took)
			}
		})
	}
}

func TestTheYoungerOAuthTokenSpendsTheSeedWhenTheOlderIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createSeeded("api", oauthtest.Client{}, func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true })
	older := w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	w.eventually(func() string { // the API server counts in whole seconds
		return map[bool]string{false: "they would be of the same age"}[time.Since(older.CreationTimestamp.Time) > time.Second]
	})
	younger := genericToken(w, "younger", v1alpha1.GrantRefreshToken)
	younger.Spec.CredentialsSecretRef.Name = "api-client"
	w.create(younger)
	w.awaitReady("younger", metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec)
	w.settled()
	w.delete(older)
	w.awaitReady("younger", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
}

func TestAForeignSecretThatAppearsWhileTheTokenIsRequestedIsNotTouched(t *testing.T) {
	t.Parallel()
	th := idleTheater(t)
	var once sync.Once
	th.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "POST secrets" {
			once.Do(func() {
				th.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Data: map[string][]byte{"theirs": []byte("x")}})
			})
		}
		return nil
	})
	th.create(genesys("api", "client"))
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	before := th.secret("api")
	if len(before.ManagedFields) != 1 || len(before.Data) != 1 || before.Labels != nil || before.Annotations != nil {
		t.Errorf("it was touched: %+v", managers(before))
	}
	for range 3 {
		th.lookAgain("api", 10*time.Minute)
	}
	th.settled()
	if diff := cmp.Diff(before, th.secret("api")); diff != "" {
		t.Errorf("it was touched later\n%s", diff)
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want the one before it appeared", got)
	}
}
