package rbac_test

import (
	"maps"
	"net/http"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// unused are rules that are granted although the run below does not ask for them, with the reason.
var unused = map[string]string{
	"list oauthtokens.tokensync.dev": "API servers before 1.32 and of 1.33, and others whose administrators turned it off, do not stream lists",
	"list secrets":                   "the same",
	"update oauthtokens.tokensync.dev/finalizers": "the API server itself asks whether the manager may, where OwnerReferencesPermissionEnforcement " +
		"is on, as on OpenShift: target and state Secrets keep their OAuthToken from going before them",
}

// TestWhatIsGrantedIsUsed leads a manager under the roles of config/default through everything that it does, and compares.
func TestWhatIsGrantedIsUsed(t *testing.T) {
	roles := managersRoles(t, "default")
	s := newSite(t, roles)
	reader := s.reader()
	s.member.Start()
	s.Vendor.Strike(revocations)

	s.Create("person") // authorized at the portal, then refreshed
	s.Authorize("person")
	s.Renew("person", "now")
	renewed(s, "plain")
	s.repaired("plain")
	mendedTwice(s, "mended")
	harness.Eventually(t, func() string { return s.hasEvent("mended", v1alpha1.EventTargetRepaired, 2) })
	s.adopted("adopted")
	moved(s, "moved")
	harness.Eventually(t, func() string { return formerIsGone(s, "moved") })
	s.revoked("revoked")
	harness.Eventually(t, func() string {
		if got := s.scrape(reader); got != http.StatusOK {
			return "metrics can't be read"
		}
		return ""
	})
	if got := s.scrape(""); got != http.StatusUnauthorized {
		t.Errorf("somebody unknown who asks for metrics gets %d, want 401", got)
	}
	deletedWhileRefreshed(s, "deleted")
	s.handedOver()

	rules, used := granted(t, roles), map[string]bool{}
	for _, r := range asked(t, s.Namespace) {
		if r.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("refused: %s %s %q", r.needed(), r.ObjectRef.Namespace, r.ObjectRef.Name)
		}
		used[r.needed().String()] = true
	}
	want := slices.Sorted(maps.Keys(unused))
	var got []string
	for name := range rules {
		if !used[name] {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("granted and not used (-the list +this run):\n%s", diff)
	}
}

// repaired deletes and spoils a target, and waits until it is restored.
func (s *site) repaired(name string) {
	s.t.Helper()
	s.delete(&corev1.Secret{}, name)
	harness.Eventually(s.t, func() string { return served(s, name) })
	secret := &corev1.Secret{}
	if !s.find(secret, name) {
		s.t.Fatal("the target is gone again")
	}
	secret.Data["access_token"] = []byte("spoiled")
	if err := s.Client.Update(s.t.Context(), secret); err != nil {
		s.t.Fatal(err)
	}
	harness.Eventually(s.t, func() string {
		if got := s.Served(name); got == "spoiled" || got == "" {
			return "the target is not restored"
		}
		return ""
	})
}

// adopted hands a Secret over.
func (s *site) adopted(name string) {
	s.t.Helper()
	s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace, Name: name, Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleTarget},
		Annotations: map[string]string{v1alpha1.AdoptByAnnotation: name},
	}})
	plain(s, name)
	s.AwaitToken(name)
}

// revoked makes an OAuthToken and deletes it, and waits until it is gone.
func (s *site) revoked(name string) {
	s.t.Helper()
	revocable(s, name)
	s.AwaitToken(name)
	s.delete(&v1alpha1.OAuthToken{}, name)
	harness.Eventually(s.t, func() string {
		if s.find(&v1alpha1.OAuthToken{}, name) {
			return "the OAuthToken is not gone"
		}
		return ""
	})
	harness.Eventually(s.t, func() string { return s.hasEvent(name, v1alpha1.EventTokenRevoked, 0) })
}

// handedOver ends the manager in order and waits until another one leads.
func (s *site) handedOver() {
	s.t.Helper()
	second := s.JoinAs(account).Elsewhere()
	second.Flags = []string{"--metrics-bind-address=0"}
	second.Start()
	s.member.Signal(syscall.SIGTERM)
	harness.Eventually(s.t, func() string {
		if !s.member.Ended() {
			return "the first manager does not end"
		}
		return ""
	})
	plain(s, "of-the-second")
	s.AwaitToken("of-the-second")
}

// revocations plays the revocation endpoint, which the judge does not have.
func revocations(r *http.Request) *harness.Stroke {
	if r.URL.Path != "/revoke" {
		return nil
	}
	return &harness.Stroke{Instead: &harness.Answer{Status: http.StatusOK, Body: "{}"}}
}
