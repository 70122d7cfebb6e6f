package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// does runs a verb as eve, who may edit, and returns what was said and the exit status.
func (d *desk) does(arguments ...string) (said string, exit int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	before := len(d.said.String())
	d.let("eve", "tokensync-oauthtoken-editor", "system:aggregate-to-view")
	err := d.run(ctx, "eve", arguments...)
	exit = exitStatus(err, &d.said)
	return d.said.String()[before:], exit
}

// wants compares what was said and the exit status.
func wants(t *testing.T, said string, exit int, want string, wantExit int) {
	t.Helper()
	if !strings.Contains(said, want) || exit != wantExit {
		t.Errorf("exit status %d, want %d; said:\n%swant:\n%s", exit, wantExit, said, want)
	}
}

// answers plays the operator: it writes a status once the annotation asks for a renewal.
func (d *desk) answers(status func(token *v1alpha1.OAuthToken) error) <-chan error {
	done := make(chan error, 1)
	go func() {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if token := d.token(); token.Annotations[v1alpha1.RenewRequestedAtAnnotation] != "" {
				done <- status(token)
				return
			}
		}
		done <- errors.New("no renewal is asked for")
	}()
	return done
}

// issued is a token's status: issued and ending so long from now.
func issued(since, until time.Duration) change {
	return func(o *v1alpha1.OAuthToken) {
		from, to := metav1.NewTime(time.Now().Add(since)), metav1.NewTime(time.Now().Add(until))
		o.Status.IssuedAt, o.Status.ExpiresAt, o.Status.RenewalTime = &from, &to, &to
	}
}

func handled(token *v1alpha1.OAuthToken) change {
	value := token.Annotations[v1alpha1.RenewRequestedAtAnnotation]
	return func(o *v1alpha1.OAuthToken) { o.Status.LastHandledRenewRequest = value }
}

func TestRenewTellsTheOutcome(t *testing.T) {
	old := issued(-time.Hour, time.Hour+30*time.Second)
	for name, test := range map[string]struct {
		operator func(d *desk, token *v1alpha1.OAuthToken) error
		want     string
		exit     int
	}{
		"a new token": {func(d *desk, token *v1alpha1.OAuthToken) error {
			return d.status("True", v1alpha1.ReasonTokenIssued, issued(0, 2*time.Hour+30*time.Second), handled(token))
		}, "orders renewed: the new token ends ", 0},
		"the same token again": {func(d *desk, token *v1alpha1.OAuthToken) error {
			same := func(o *v1alpha1.OAuthToken) { o.Status.IssuedAt = token.Status.IssuedAt }
			return d.status("True", v1alpha1.ReasonTokenIssued, old, same, handled(token))
		}, "orders asked for, but the vendor gave the same token again: it ends ", 0},
		"a vendor that refuses": {func(d *desk, token *v1alpha1.OAuthToken) error {
			return d.status("True", v1alpha1.ReasonTokenIssued, old, with(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonInvalidClient), handled(token))
		}, "orders not renewed: InvalidClient: what is wrong\n  The present token ends ", 1},
		"a person who is needed": {func(d *desk, _ *v1alpha1.OAuthToken) error {
			return d.status("False", v1alpha1.ReasonAuthorizationRequired, asked, linked("https://tokens.example.com/authorize/t"))
		}, "orders not renewed: somebody must authorize first: `kubectl tokensync authorize orders", 1},
		"a deletion": {func(d *desk, token *v1alpha1.OAuthToken) error { return d.client.Delete(d.t.Context(), token) }, "orders not renewed: it was deleted", 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.mustStatus("True", v1alpha1.ReasonTokenIssued, old)
			done := d.answers(func(token *v1alpha1.OAuthToken) error { return test.operator(d, token) })
			said, exit := d.does("renew", "orders")
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			wants(t, said, exit, test.want, test.exit)
		})
	}
}

func TestRenewAsksOnlyWhereThatCanHelp(t *testing.T) {
	for name, test := range map[string]struct {
		before    func(*desk)
		arguments string
		want      string
		exit      int
		asks      bool
	}{
		"a suspended one": {
			func(d *desk) { d.patch("argocd-controller", `{"spec":{"suspend":true}}`) }, "renew orders",
			"orders can't be renewed now: it is suspended, and nothing is requested before `kubectl tokensync resume orders", 1, false,
		},
		"one whose spec is at fault": {
			func(d *desk) { d.mustStatus("False", v1alpha1.ReasonInvalidSpec) }, "renew orders",
			"orders can't be renewed now: InvalidSpec: what to do", 1, false,
		},
		"without waiting":               {nil, "renew --all --wait=false", "orders: renewal asked for\n", 0, true},
		"an operator that is away":      {nil, "renew orders --timeout=1s", "orders not renewed yet: the operator has not taken the wish up", 1, true},
		"a dry run of the API server's": {nil, "renew orders --dry-run", "orders: renewal asked for (server dry run)\n", 0, false},
		"a dry run of the client's":     {nil, "renew orders --dry-run=client", "orders: renewal asked for (dry run)\n", 0, false},
		"a dry run that is none":        {nil, "renew orders --dry-run=maybe", "must be none, client or server", 1, false},
		"labels that match nothing":     {nil, "renew -l team=none", "No OAuthTokens found in namespace ", 0, false},
		"a selector that is none":       {nil, "renew -l ==", `-l "=="`, 1, false},
		"nothing named":                 {nil, "renew", "which OAuthTokens? Name them, or select them with -l or --all", 1, false},
		"named and selected":            {nil, "renew orders --all", "exclude each other", 1, false},
		"a name in all namespaces":      {nil, "renew orders -A", "a name is looked for in one namespace", 1, false},
		"a name that does not exist":    {nil, "renew order", "there is no OAuthToken order in namespace ", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.mustStatus("True", v1alpha1.ReasonTokenIssued, issued(-time.Hour, time.Hour))
			if test.before != nil {
				test.before(d)
			}
			said, exit := d.does(strings.Fields(test.arguments)...)
			wants(t, said, exit, test.want, test.exit)
			if asks := d.token().Annotations[v1alpha1.RenewRequestedAtAnnotation] != ""; asks != test.asks {
				t.Errorf("a renewal is asked for: %v, want %v", asks, test.asks)
			}
		})
	}
}

// patch changes the OAuthToken as another field manager does.
func (d *desk) patch(manager, change string) {
	d.t.Helper()
	if err := d.client.Patch(d.t.Context(), d.token(), client.RawPatch(types.MergePatchType, []byte(change)), client.FieldOwner(manager)); err != nil {
		d.t.Fatal(err)
	}
}

// delivers applies a manifest as what delivers from Git does, and returns the spec.
func (d *desk) delivers(spec string) v1alpha1.OAuthTokenSpec {
	d.t.Helper()
	manifest := `{"apiVersion":"tokensync.dev/v1alpha1","kind":"OAuthToken","metadata":{"name":"orders","namespace":"` + d.namespace + `"},"spec":` + spec + `}`
	token := d.token()
	if err := d.client.Patch(d.t.Context(), sameName(token), client.RawPatch(types.ApplyPatchType, []byte(manifest)), client.FieldOwner("argocd-controller"), client.ForceOwnership); err != nil {
		d.t.Fatal(err)
	}
	return d.token().Spec
}

const delivered = `"vendor":"genesys-cloud","grantType":"AuthorizationCode","credentialsSecretRef":{"name":"orders-client"}`

func TestSuspendAndResume(t *testing.T) {
	d := newDesk(t)
	d.mustStatus("True", v1alpha1.ReasonTokenIssued, issued(-time.Hour, time.Hour+30*time.Second))
	d.delivers("{" + delivered + "}")
	said, exit := d.does("suspend", "orders", "--dry-run")
	wants(t, said, exit, "orders suspended (server dry run); its token ends ", 0)
	if d.token().Spec.Suspend {
		t.Error("a dry run suspends")
	}
	said, exit = d.does("suspend", "orders")
	wants(t, said, exit, "orders suspended; its token ends ", 0)
	said, exit = d.does("suspend", "-l", "!team")
	wants(t, said, exit, "orders is suspended already; its token ends ", 0)
	if spec := d.delivers("{" + delivered + "}"); !spec.Suspend {
		t.Error("what delivers from Git undoes the suspension")
	}
	said, exit = d.does("status", "orders")
	wants(t, said, exit, "suspended: `kubectl tokensync resume orders", 0)
	said, exit = d.does("resume", "--all")
	wants(t, said, exit, "orders resumed\n", 0)
	if d.token().Spec.Suspend {
		t.Error("it is suspended still")
	}
	said, exit = d.does("resume", "orders")
	wants(t, said, exit, "orders is not suspended\n", 0)
	if owners := suspendOwners(d.token()); owners != nil {
		t.Errorf("spec.suspend is owned by %v", owners)
	}
}

func TestWhatIsStatedInGitIsLeftToGit(t *testing.T) {
	d := newDesk(t)
	d.delivers("{" + delivered + `,"suspend":true}`)
	said, exit := d.does("resume", "orders")
	wants(t, said, exit, "orders not changed: spec.suspend is stated by argocd-controller: change it there", 1)
	said, exit = d.does("resume", "orders", "--force-conflicts")
	wants(t, said, exit, "orders resumed\n", 0)
	d.delivers("{" + delivered + `,"suspend":false}`)
	said, exit = d.does("suspend", "orders")
	wants(t, said, exit, "orders not changed: spec.suspend is stated by argocd-controller: change it there", 1)
	if d.token().Spec.Suspend {
		t.Error("it is suspended")
	}
}

func TestWhatAPersonSuspendedByHandIsResumed(t *testing.T) {
	for _, hand := range []string{"kubectl-edit", "argocd-server", "node-fetch"} {
		t.Run(hand, func(t *testing.T) { aPersonSuspendsByHand(t, hand) })
	}
}

func aPersonSuspendsByHand(t *testing.T, hand string) {
	t.Helper()
	d := newDesk(t)
	d.patch(hand, `{"spec":{"suspend":true}}`)
	said, exit := d.does("resume", "orders")
	wants(t, said, exit, "orders resumed\n", 0)
	if d.token().Spec.Suspend {
		t.Error("it is suspended still")
	}
}

func TestStatusAndItsExitStatus(t *testing.T) {
	d := newDesk(t)
	said, exit := d.does("status")
	wants(t, said, exit, "Namespace "+d.namespace+": 1 OAuthToken\n", 2)
	d.mustStatus("True", v1alpha1.ReasonTokenIssued, issued(-time.Hour, time.Hour+30*time.Second))
	if err := d.warns(v1alpha1.ReasonAccessDenied, "the vendor answered access_denied"); err != nil {
		t.Fatal(err)
	}
	said, exit = d.does("status", "orders")
	wants(t, said, exit, "the vendor answered access_denied", 0)
	said, exit = d.does("status", "-A", "-l", "none=none", "--as=admin", "--as-group=system:masters")
	wants(t, said, exit, "No OAuthTokens found.", 0)
	said, exit = d.does("status", "order")
	wants(t, said, exit, "error: there is no OAuthToken order in namespace "+d.namespace, 1)
	said, exit = d.does("status", "orders", "-A")
	wants(t, said, exit, "error: NAME excludes -l and -A", 1)
}

func TestListsAreReadByPrograms(t *testing.T) {
	d := newDesk(t)
	d.mustStatus("True", v1alpha1.ReasonTokenIssued, issued(-time.Hour, time.Hour))
	type brief struct {
		Kind  string `json:"kind"`
		Items []struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name          string `json:"name"`
				ManagedFields any    `json:"managedFields"`
			} `json:"metadata"`
		} `json:"items"`
	}
	for format, decode := range map[string]func(string, *brief) error{
		"json": func(said string, into *brief) error { return json.Unmarshal([]byte(said), into) },
		"yaml": func(said string, into *brief) error { return yaml.Unmarshal([]byte(said), into) },
	} {
		said, exit := d.does("list", "-o", format)
		var got brief
		if err := decode(said, &got); err != nil || exit != 0 || len(got.Items) != 1 {
			t.Fatalf("%s: %v, exit status %d:\n%s", format, err, exit, said)
		}
		want := []string{"OAuthTokenList", "tokensync.dev/v1alpha1", "OAuthToken", "orders"}
		item := got.Items[0]
		if diff := cmp.Diff(want, []string{got.Kind, item.APIVersion, item.Kind, item.Metadata.Name}); diff != "" || item.Metadata.ManagedFields != nil {
			t.Errorf("%s: %s %v", format, diff, item.Metadata.ManagedFields)
		}
	}
	for arguments, want := range map[string]string{
		"list -o name": "oauthtoken.tokensync.dev/orders\n",
		"list -o jsonpath={.items[*].metadata.name}":         "orders",
		"list --no-headers":                                  "orders   Good   genesys-cloud   ",
		"list -l none=none":                                  "No OAuthTokens found in namespace ",
		"ls -A -o wide --as=admin --as-group=system:masters": "NAMESPACE",
	} {
		said, exit := d.does(strings.Fields(arguments)...)
		wants(t, said, exit, want, 0)
	}
	said, exit := d.does("list", "-o", "table")
	wants(t, said, exit, `unable to match a printer suitable for the output format "table"`, 1)
}
