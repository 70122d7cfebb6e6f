package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
)

// patience is how long a test waits for something that should be there within seconds, on a busy machine.
const patience = 60 * time.Second

var controlPlane struct {
	once   sync.Once
	config *rest.Config
	stop   func()
}

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	for name, value := range map[string]string{"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "", "NO_PROXY": "portal.invalid", "no_proxy": ""} {
		if err := os.Setenv(name, value); err != nil { // before it is read, which is once in a process
			panic(err)
		}
	}
	code := m.Run()
	if controlPlane.stop != nil {
		controlPlane.stop()
	}
	os.Exit(code)
}

func apiServer(t *testing.T) *rest.Config {
	t.Helper()
	controlPlane.once.Do(func() { controlPlane.config, controlPlane.stop = kubetest.StartShared(t) })
	if controlPlane.config == nil {
		t.Fatal("the control plane did not start")
	}
	return controlPlane.config
}

// desk is a namespace with one OAuthToken, which the test keeps as the operator would, and a person who runs the plugin there.
type desk struct {
	t         *testing.T
	client    client.Client // the operator's
	namespace string
	folder    string
	portal    string // where the portal answers
	input     string // what is piped into the plugin
	said      lines
	opened    []string
	browser   func(address string) error // what the person does in the browser; nil: nothing
}

// newDesk has an OAuthToken "orders" that the operator has not looked at. The person has no more than the roles for viewers.
func newDesk(t *testing.T) *desk {
	t.Helper()
	admin, err := newClient(apiServer(t))
	if err != nil {
		t.Fatal(err)
	}
	portal := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(portal.Close)
	d := &desk{t: t, client: admin, folder: t.TempDir(), portal: portal.URL}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "desk-"}}
	d.create(namespace)
	d.namespace = namespace.Name
	d.let("ada", "tokensync-oauthtoken-viewer", "system:aggregate-to-view") // the cluster's role `view`, which a controller puts together
	d.create(&v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: d.namespace},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "genesys-cloud", GrantType: v1alpha1.GrantAuthorizationCode,
			CredentialsSecretRef: v1alpha1.SecretReference{Name: "orders-client"},
		},
	})
	return d
}

func (d *desk) create(object client.Object) {
	d.t.Helper()
	if err := d.client.Create(d.t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
		d.t.Fatal(err)
	}
}

// let gives somebody roles in the namespace.
func (d *desk) let(user string, roles ...string) {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(kubetest.Root(), "config", "rbac", "user_roles.yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		role := &rbacv1.ClusterRole{}
		if err := yaml.Unmarshal([]byte(document), role); err != nil {
			d.t.Fatal(err)
		}
		d.create(role)
	}
	for _, role := range roles {
		d.create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "desk-", Namespace: d.namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
}

// status writes status as the operator does. It may be called by a browser.
func (d *desk) status(ready metav1.ConditionStatus, reason string, change ...func(*v1alpha1.OAuthToken)) error {
	token := d.token()
	generation := token.Generation
	somehow := someToken(ready, reason, change...)
	token.Status = somehow.Status
	token.Status.ObservedGeneration = generation
	for i := range token.Status.Conditions {
		condition := &token.Status.Conditions[i]
		condition.LastTransitionTime = metav1.Now()
		if condition.Reason == "" {
			condition.Reason = reason
		}
	}
	return d.client.Status().Update(d.t.Context(), token)
}

func (d *desk) token() *v1alpha1.OAuthToken {
	token := &v1alpha1.OAuthToken{}
	if err := d.client.Get(d.t.Context(), client.ObjectKey{Namespace: d.namespace, Name: "orders"}, token); err != nil {
		d.t.Error(err)
	}
	return token
}

// invites writes a status with a link of the portal, and returns the link.
func (d *desk) invites(ticket string, change ...func(*v1alpha1.OAuthToken)) (link string, err error) {
	link = d.portal + "/authorize/" + ticket
	return link, d.status("False", v1alpha1.ReasonAuthorizationRequired, append([]func(*v1alpha1.OAuthToken){asked, linked(link)}, change...)...)
}

// mustInvite is invites, for the test itself.
func (d *desk) mustInvite(ticket string) (link string) {
	d.t.Helper()
	link, err := d.invites(ticket)
	if err != nil {
		d.t.Fatal(err)
	}
	return link
}

func (d *desk) mustStatus(ready metav1.ConditionStatus, reason string, change ...func(*v1alpha1.OAuthToken)) {
	d.t.Helper()
	if err := d.status(ready, reason, change...); err != nil {
		d.t.Fatal(err)
	}
}

// warns writes an event as the operator does.
func (d *desk) warns(reason, note string) error {
	token := d.token()
	return d.client.Create(d.t.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "orders-", Namespace: d.namespace},
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion().String(), Kind: "OAuthToken", Namespace: d.namespace, Name: token.Name, UID: token.UID,
		},
		EventTime: metav1.NowMicro(), Type: corev1.EventTypeWarning, Reason: reason, Note: note, Action: "Sync",
		ReportingController: "tokensync", ReportingInstance: "tokensync-0",
	})
}

// run runs the plugin, as somebody.
func (d *desk) run(ctx context.Context, user string, arguments ...string) error {
	d.t.Helper()
	return d.plugin(user, arguments).ExecuteContext(ctx) //nolint:contextcheck // cobra hands it over
}

func (d *desk) plugin(user string, arguments []string) *cobra.Command {
	d.t.Helper()
	command := newCommand(genericiooptions.IOStreams{In: strings.NewReader(d.input), Out: &d.said, ErrOut: &d.said}, time.Now, func(_ context.Context, address string) error {
		d.opened = append(d.opened, address)
		if d.browser == nil {
			return nil
		}
		return d.browser(address)
	})
	command.SetArgs(append([]string{"--kubeconfig=" + kubetest.Kubeconfig(d.t, apiServer(d.t), d.namespace), "--cache-dir=" + d.folder, "--as=" + user}, arguments...))
	return command
}

// authorize runs the verb as ada, and wants a word of the plugin's in the end.
func (d *desk) authorize(arguments ...string) error {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	return d.run(ctx, "ada", append([]string{"authorize", "orders"}, arguments...)...)
}

// eventuallySaid waits until the plugin says something.
func (d *desk) eventuallySaid(words string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(d.said.String(), words) {
			return nil
		}
	}
	return errors.New("the plugin does not say: " + words)
}

// lines is what the plugin says. It may be read meanwhile.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// someToken is an OAuthToken that the operator has looked at.
func someToken(ready metav1.ConditionStatus, reason string, change ...func(*v1alpha1.OAuthToken)) *v1alpha1.OAuthToken {
	token := &v1alpha1.OAuthToken{}
	token.Generation, token.Status.ObservedGeneration = 2, 2
	token.Status.GrantType = string(v1alpha1.GrantAuthorizationCode)
	token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: "what to do"}}
	for _, c := range change {
		c(token)
	}
	return token
}

func asked(o *v1alpha1.OAuthToken) { with(v1alpha1.ConditionAuthorizationRequired, "")(o) }

func with(kind, reason string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		meta.SetStatusCondition(&o.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: "what is wrong"})
	}
}

func linked(link string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) { o.Status.Authorization = &v1alpha1.AuthorizationStatus{URL: link} }
}

func failingAt(count int32, reason string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		o.Status.Failures = &v1alpha1.FailureStatus{Count: count, Reason: reason, Message: "what the vendor says"}
	}
}

// authorizedBy is how status is after somebody authorized.
func authorizedBy(subject string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		ends, again := metav1.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC), metav1.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC)
		o.Status.Authorization = &v1alpha1.AuthorizationStatus{Subject: subject}
		o.Status.Scopes, o.Status.ExpiresAt = []string{"orders"}, &ends
		o.Status.RefreshToken = &v1alpha1.RefreshTokenStatus{ExpiresAt: &again}
	}
}
