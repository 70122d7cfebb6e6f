package rbac_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// need is what a rule is for.
type need struct {
	about  string                            // what works with the rule, and not without
	before func(s *site)                     // what is there when the manager starts
	act    func(s *site, name string)        // what somebody does then
	works  func(s *site, name string) string // "" when it has worked, else what is missing
	denied string                            // the request that is refused without the rule; empty: that of the rule's own name
	old    bool                              // only in front of an API server without streaming lists
}

// needs are what the rules are for, by name.
var needs = map[string]need{
	"create leases.coordination.k8s.io": {about: "a replica becomes the leader for the first time", works: leads},
	"get leases.coordination.k8s.io":    {about: "a replica sees who leads", works: leads},
	"update leases.coordination.k8s.io": {about: "a replica takes over a lease that another gave back", before: releasedLease, works: leads},
	"create events": {about: "an event tells of a new leader", works: func(s *site, _ string) string {
		var found corev1.EventList
		return s.search(&found, func() bool {
			for _, e := range found.Items {
				if e.Reason == "LeaderElection" && strings.Contains(e.Message, "became leader") {
					return true
				}
			}
			return false
		})
	}},
	"get secrets":                            {about: "the key of the hashes is read at the start", works: ready},
	"create secrets":                         {about: "the key of the hashes is made at the first start, and target and state Secrets later", works: ready},
	"watch secrets":                          {about: "changes of credentials are followed as they happen", works: follows("secrets")},
	"list secrets":                           {about: "the cache holds credentials, also with an API server that does not stream lists", works: ready, old: true},
	"watch oauthtokens.tokensync.dev":        {about: "changes of OAuthTokens are followed as they happen", works: follows("oauthtokens.tokensync.dev")},
	"list oauthtokens.tokensync.dev":         {about: "the cache holds OAuthTokens, also with an API server that does not stream lists", works: ready, old: true},
	"patch oauthtokens.tokensync.dev/status": {about: "status says that there is a token", act: plain, works: isReady},
	"update oauthtokens.tokensync.dev/finalizers": {
		about: "a Secret is made that keeps its OAuthToken from going before it", act: plain, works: served, denied: "create secrets",
	},
	"patch secrets":  {about: "a renewed token is written", act: renewed, works: renewalIsDone},
	"update secrets": {about: "a refresh token is kept", act: func(s *site, name string) { s.Create(name, harness.Seeded) }, works: isReady},
	"delete secrets": {about: "the target goes when spec.target.name changes", act: moved, works: formerIsGone},
	"patch oauthtokens.tokensync.dev": {about: "an OAuthToken is held until its token is revoked", act: revocable, works: func(s *site, name string) string {
		if len(s.Token(name).Finalizers) == 0 {
			return "there is no finalizer"
		}
		return ""
	}},
	"get oauthtokens.tokensync.dev": {about: "nobody goes on saving for an OAuthToken that was deleted while it was refreshed", act: deletedWhileRefreshed, works: func(s *site, _ string) string {
		s.member.Signal(syscall.SIGTERM)
		if !s.member.Ended() {
			return "the process still tries to save"
		}
		return ""
	}},
	"create events.events.k8s.io": {about: "an event tells that a token was issued", act: plain, works: func(s *site, name string) string {
		return s.hasEvent(name, v1alpha1.EventTokenIssued, 0)
	}},
	"patch events.events.k8s.io": {about: "an event that happens again is counted", act: mendedTwice, works: func(s *site, name string) string {
		return s.hasEvent(name, v1alpha1.EventTargetRepaired, 2)
	}},
	"create tokenreviews.authentication.k8s.io":        {about: "who reads metrics is known", before: withReader, act: scraped, works: metricsAreRead},
	"create subjectaccessreviews.authorization.k8s.io": {about: "who may read metrics reads them", before: withReader, act: scraped, works: metricsAreRead},
}

// revocable makes an OAuthToken whose token is revoked with it.
func revocable(s *site, name string) {
	s.Create(name, func(o *v1alpha1.OAuthToken) {
		unattended(o)
		o.Spec.RevokeOnDelete, o.Spec.Endpoints.RevocationURL = true, v1alpha1.URL(s.Vendor.URL()+"/revoke")
	})
}

// follows tells of a resource's watch. Without one, everything would be listed again and again.
func follows(resource string) func(*site, string) string {
	return func(s *site, _ string) string {
		for _, r := range asked(s.t, s.Namespace) {
			if r.needed().String() == "watch "+resource && r.ResponseStatus.Code == http.StatusOK {
				return ""
			}
		}
		return "nothing is followed"
	}
}

// managedBy is a label of the target.
const managedBy = "app.kubernetes.io/managed-by"

// unattended is a grant that needs nobody and brings no refresh token.
func unattended(o *v1alpha1.OAuthToken) {
	o.Spec.GrantType, o.Spec.Scopes, o.Spec.Endpoints.AuthorizationURL = v1alpha1.GrantClientCredentials, []v1alpha1.Scope{"orders"}, ""
}

func plain(s *site, name string) { s.Create(name, unattended) }

func renewed(s *site, name string) {
	plain(s, name)
	s.AwaitToken(name)
	s.Renew(name, "now")
}

// mendedTwice spoils a target in a way that costs no token to mend, and once more when it is mended. Nothing else of the OAuthToken changes
// meanwhile, so that it is the same event again.
func mendedTwice(s *site, name string) {
	plain(s, name)
	s.AwaitToken(name)
	for range 2 {
		target := &corev1.Secret{}
		if !s.find(target, name) {
			s.t.Fatal("there is no target")
		}
		delete(target.Labels, managedBy)
		if err := s.Client.Update(context.Background(), target); err != nil {
			s.t.Fatal(err)
		}
		harness.Eventually(s.t, func() string {
			if s.find(target, name); target.Labels[managedBy] == "" {
				return "the target is not mended"
			}
			return ""
		})
	}
}

func renewalIsDone(s *site, name string) string {
	target := &corev1.Secret{}
	if !s.find(target, name) || target.Annotations[v1alpha1.RenewHandledAnnotation] == "" {
		return "no renewed token is written"
	}
	return ""
}

func formerIsGone(s *site, name string) string {
	if s.find(&corev1.Secret{}, name) {
		return "the target is still there under its former name"
	}
	return ""
}

func moved(s *site, name string) {
	plain(s, name)
	s.AwaitToken(name)
	s.change(name, func(o *v1alpha1.OAuthToken) { o.Spec.Target = &v1alpha1.Target{Name: name + "-moved"} })
}

// deletedWhileRefreshed deletes an OAuthToken while the vendor answers, and its state Secret, as the garbage collector does.
func deletedWhileRefreshed(s *site, name string) {
	stands, released := make(chan struct{}), make(chan struct{})
	s.Create(name, harness.Seeded)
	s.AwaitToken(name)
	s.Vendor.Strike(func(r *http.Request) *harness.Stroke {
		if r.URL.Query().Get("name") != name {
			return nil
		}
		return &harness.Stroke{After: func() error {
			close(stands)
			<-released
			return nil
		}}
	})
	s.Renew(name, "now")
	<-stands
	s.delete(&v1alpha1.OAuthToken{}, name)
	s.delete(&corev1.Secret{}, name+v1alpha1.StateSecretSuffix)
	close(released)
}

// releasedLease is what a replica leaves that has ended in order.
func releasedLease(s *site) {
	nobody, seconds, times := "", int32(1), int32(0)
	s.create(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: account}, Spec: coordinationv1.LeaseSpec{
		HolderIdentity: &nobody, LeaseDurationSeconds: &seconds, LeaseTransitions: &times,
	}})
}

func withReader(s *site) { s.readerToken = s.reader() }

// scraped waits until the manager answers, whatever it says.
func scraped(s *site, _ string) {
	harness.Eventually(s.t, func() string {
		if s.scrape(s.readerToken) == 0 {
			return "no metrics are served"
		}
		return ""
	})
}

func metricsAreRead(s *site, _ string) string {
	if got := s.scrape(s.readerToken); got != http.StatusOK {
		return fmt.Sprintf("the answer is %d", got)
	}
	return ""
}

func ready(s *site, _ string) string { return s.member.Unready() }

func leads(s *site, _ string) string {
	var lease coordinationv1.Lease
	if !s.find(&lease, account) || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "nobody leads"
	}
	return ""
}

func isReady(s *site, name string) string {
	if !meta.IsStatusConditionTrue(s.Token(name).Status.Conditions, v1alpha1.ConditionReady) {
		return "the OAuthToken is not ready"
	}
	return ""
}

func served(s *site, name string) string {
	if s.Served(name) == "" {
		return "there is no token"
	}
	return ""
}

// hasEvent says what is missing until an event of an OAuthToken is there, counted at least so often.
func (s *site) hasEvent(name, reason string, times int32) string {
	var found eventsv1.EventList
	return s.search(&found, func() bool {
		for _, e := range found.Items {
			if e.Regarding.Name == name && e.Reason == reason && (times == 0 || e.Series != nil && e.Series.Count >= times) {
				return true
			}
		}
		return false
	})
}

func (s *site) search(list client.ObjectList, found func() bool) string {
	if err := s.Client.List(context.Background(), list, client.InNamespace(s.Namespace)); err != nil {
		return err.Error()
	}
	if !found() {
		return "there is no such event"
	}
	return ""
}
