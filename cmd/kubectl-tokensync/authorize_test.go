package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// summaryOfAda is what is said of a token that ada authorized.
const summaryOfAda = "authorized by ada; scopes orders; the token ends 2030-01-01T12:00:00Z and is renewed before; somebody is needed again by 2030-01-31T00:00:00Z."

func TestConsentIsAwaited(t *testing.T) {
	d := newDesk(t)
	link := d.mustInvite("first")
	done := make(chan error, 1)
	d.browser = func(string) error {
		_, err := d.invites("second") // the first was used
		go func() {
			done <- errors.Join(err, d.eventuallySaid("The link was used."), d.status("True", v1alpha1.ReasonTokenIssued, authorizedBy("ada")))
		}()
		return nil
	}
	if err := d.authorize(); err != nil {
		t.Fatal(err) // maybe before there was a browser
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if want := []string{link}; !slices.Equal(d.opened, want) {
		t.Errorf("opened %q, want %q", d.opened, want)
	}
	want := link + "\nWaiting until somebody has authorized (Ctrl-C ends the waiting alone).\n" +
		"The link was used. Waiting for the outcome.\norders is connected: " + summaryOfAda + "\n"
	if got := d.said.String(); got != want {
		t.Errorf("said:\n%s\nwant:\n%s", got, want)
	}
}

func TestTheLinkIsAwaited(t *testing.T) {
	for name, before := range map[string]func(*desk){
		"when the operator has not looked at it":  func(*desk) {},
		"when the operator is about to write one": func(d *desk) { d.mustStatus("False", v1alpha1.ReasonAuthorizationRequired, asked) },
		"when the spec has changed since": func(d *desk) {
			d.mustStatus("True", v1alpha1.ReasonTokenIssued)
			token := d.token()
			token.Spec.Scopes = []v1alpha1.Scope{"more"}
			if err := d.client.Update(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			before(d)
			d.browser = func(string) error { return d.status("True", v1alpha1.ReasonTokenIssued) }
			invited := make(chan error, 1)
			go func() {
				_, err := d.invites("first")
				invited <- err
			}()
			if err := errors.Join(d.authorize(), <-invited); err != nil || len(d.opened) != 1 {
				t.Errorf("opened %q; %v", d.opened, err)
			}
		})
	}
}

func TestAFailedAttemptIsReported(t *testing.T) {
	for name, test := range map[string]struct {
		user string
		fail func(*desk) error
		want string
	}{
		"a denial, of which an event tells": {"ada", func(d *desk) error {
			_, err := d.invites("second")
			return errors.Join(err, d.warns(v1alpha1.ReasonAccessDenied, "the vendor answered access_denied"))
		}, "AccessDenied: the vendor answered access_denied"},
		"an event before the link is seen to be used": {"ada", func(d *desk) error {
			err := d.warns(v1alpha1.ReasonAccessDenied, "the vendor answered access_denied")
			_, next := d.invites("second")
			return errors.Join(err, next)
		}, "AccessDenied: the vendor answered access_denied"},
		"a code that is refused, to somebody who may not read events": {"bob", func(d *desk) error {
			_, err := d.invites("second", failingAt(1, v1alpha1.ReasonInvalidClient))
			return err
		}, "InvalidClient: what the vendor says"},
		"a token that can't be written": {"ada", func(d *desk) error {
			return d.status("False", v1alpha1.ReasonTemplateFailed, with(v1alpha1.ConditionStalled, v1alpha1.ReasonTemplateFailed))
		}, "TemplateFailed: what to do"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.let("bob", "tokensync-oauthtoken-viewer")
			if err := d.warns(v1alpha1.ReasonAccessDenied, "that was yesterday"); err != nil {
				t.Fatal(err)
			}
			d.mustInvite("first")
			d.browser = func(string) error { return test.fail(d) }
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := d.run(ctx, test.user, "authorize", "orders")
			want := "orders is not connected. " + test.want + "\nTo try again: kubectl tokensync authorize orders -n " + d.namespace
			if err == nil || err.Error() != want {
				t.Errorf("%v\nwant: %s", err, want)
			}
		})
	}
}

func TestNothingIsOpenedWhereNobodyCanAuthorize(t *testing.T) {
	for name, test := range map[string]struct {
		stands    func(*desk)
		arguments []string
		want      string
	}{
		"the grant needs nobody": {
			func(d *desk) {
				d.mustStatus("True", v1alpha1.ReasonTokenIssued, func(o *v1alpha1.OAuthToken) { o.Status.GrantType = "Password" })
			},
			nil, "nobody can authorize orders now: its grant Password needs nobody in a browser",
		},
		"the portal is off": {
			func(d *desk) { d.mustStatus("False", v1alpha1.ReasonInvalidSpec) }, nil, "nobody can authorize orders now: InvalidSpec: what to do",
		},
		"the operator does not run": {func(*desk) {}, []string{"--timeout=1s"}, "nobody can authorize orders yet: the operator has not looked at it yet: is it running?"},
		"there is no link in time": {
			func(d *desk) { d.mustStatus("False", v1alpha1.ReasonAuthorizationRequired, asked) },
			[]string{"--timeout=1s"},
			"nobody can authorize orders yet: there is no link yet: what to do",
		},
		"the link is no web page": {
			func(d *desk) {
				d.mustStatus("False", v1alpha1.ReasonAuthorizationRequired, asked, linked("file:///etc/passwd"))
			},
			nil, "the link in status is no address of a web page",
		},
		"a message that steers terminals": {
			func(d *desk) {
				d.mustStatus("False", v1alpha1.ReasonInvalidSpec, func(o *v1alpha1.OAuthToken) { o.Status.Conditions[0].Message = "\x1b[2Jgone" })
			},
			nil, "nobody can authorize orders now: InvalidSpec:  [2Jgone",
		},
		"the portal's port can't be forwarded": {
			func(d *desk) {
				d.mustStatus("False", v1alpha1.ReasonAuthorizationRequired, asked, linked("http://127.0.0.1:1/authorize/first"))
			},
			[]string{"--portal-namespace=default", "--as=system:admin", "--as-group=system:masters"},
			"no running pod in namespace default with labels app.kubernetes.io/name=tokensync,app.kubernetes.io/component=manager has a port named portal",
		},
		"pods may not be read": {
			func(d *desk) {
				d.mustStatus("False", v1alpha1.ReasonAuthorizationRequired, asked, linked("http://127.0.0.1:1/authorize/first"))
			},
			nil, "find the portal's pods: pods is forbidden",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			test.stands(d)
			err := d.authorize(test.arguments...)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || len(d.opened) > 0 {
				t.Errorf("opened %q; %v, want %s", d.opened, err, test.want)
			}
			if exitStatus(err, &d.said) != 1 || !strings.Contains(d.said.String(), "error: "+test.want) || strings.Contains(d.said.String(), "Usage:") {
				t.Errorf("said:\n%s", d.said.String())
			}
		})
	}
}

func TestAnAbsentOAuthTokenIsReported(t *testing.T) {
	d := newDesk(t)
	err := d.run(t.Context(), "ada", "authorize", "nothing")
	if want := "there is no OAuthToken nothing in namespace " + d.namespace + ": `kubectl get oauthtokens -A` lists them"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := d.run(t.Context(), "eve", "authorize", "orders"); err == nil || !strings.Contains(err.Error(), `User "eve" cannot list resource "oauthtokens"`) {
		t.Errorf("somebody without a role: %v", err)
	}
}

func TestNothingIsToBeDoneForAConnectedToken(t *testing.T) {
	d := newDesk(t)
	d.mustStatus("True", v1alpha1.ReasonTokenIssued, authorizedBy("ada"))
	if err := d.authorize(); err != nil || len(d.opened) > 0 {
		t.Errorf("opened %q; %v", d.opened, err)
	}
	if got, want := d.said.String(), "orders is connected, and nobody needs to authorize: "+summaryOfAda+"\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestTheLinkIsPrintedWhereNoBrowserIsOpened(t *testing.T) {
	for name, test := range map[string]struct {
		portal    string // empty: one that answers
		browser   error
		arguments []string
		opened    int
		want      string
	}{
		"as the person wants it":         {"", nil, []string{"--no-browser"}, 0, ""},
		"when there is none":             {"", errors.New("no program xdg-open"), nil, 1, "No browser could be opened: open the link yourself.\n"},
		"when the portal is not reached": {"http://portal.invalid", nil, nil, 0, "portal.invalid does not answer from here: open this link on a machine that reaches it"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if test.portal != "" {
				d.portal = test.portal
			}
			link := d.mustInvite("first")
			d.browser = func(string) error { return test.browser }
			done := make(chan error, 1)
			go func() {
				done <- errors.Join(d.eventuallySaid("Waiting until"), d.status("True", v1alpha1.ReasonTokenIssued))
			}()
			if err := errors.Join(d.authorize(test.arguments...), <-done); err != nil {
				t.Error(err)
			}
			if said := d.said.String(); len(d.opened) != test.opened || !strings.Contains(said, link+"\n") || !strings.Contains(said, test.want) {
				t.Errorf("opened %q, said:\n%s", d.opened, said)
			}
		})
	}
}

func TestTheWaitingEnds(t *testing.T) {
	for name, test := range map[string]struct {
		timeout string
		browser func(*desk, context.CancelFunc) error
		want    string
	}{
		"when nobody authorizes": {"1s", nil, "nobody has authorized orders in time: run this again"},
		"when nothing comes of it": {"3s", func(d *desk, _ context.CancelFunc) error {
			_, err := d.invites("second")
			return err
		}, "the link was used, but nothing came of it in time. See `kubectl describe oauthtoken orders -n "},
		"with Ctrl-C": {"1m", func(_ *desk, interrupt context.CancelFunc) error {
			interrupt()
			return nil
		}, "the waiting has ended, and the link can be used still"},
		"with the OAuthToken": {"1m", func(d *desk, _ context.CancelFunc) error {
			return d.client.Delete(d.t.Context(), d.token())
		}, "the OAuthToken orders was deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.mustInvite("first")
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			if test.browser != nil {
				d.browser = func(string) error { return test.browser(d, interrupt) }
			}
			err := d.run(ctx, "ada", "authorize", "orders", "--timeout="+test.timeout)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestNamesAreCompleted(t *testing.T) {
	d := newDesk(t)
	if err := d.run(t.Context(), "ada", "__complete", "authorize", ""); err != nil {
		t.Fatal(err)
	}
	if got := d.said.String(); !strings.HasPrefix(got, "orders\n:4\n") {
		t.Errorf("completed %q", got)
	}
}

func TestOnlyWebPagesAreOpened(t *testing.T) {
	for _, address := range []string{"file:///etc/passwd", "javascript:alert(1)", "https://", "https://:443/", "https://bank.example@evil.example/", "-h", "\x00"} {
		if err := openInBrowser(t.Context(), address); err == nil {
			t.Errorf("%q is opened", address)
		}
	}
}
