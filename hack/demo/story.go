package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/internal/portal/portaltest"
)

// tell plays the whole story. It ends at the first thing that is not as it should be.
func tell(ctx context.Context, s *stage) error {
	for i, act := range []struct {
		title string
		play  func(context.Context, *stage) error
	}{
		{"Every example gets its token, or is told why not", issue},
		{"Some vendors want a person's consent, once", consent},
		{"Tokens are renewed before their end", renew},
		{"A vendor is out of order", outage},
		{"Somebody deletes a target Secret", deletion},
		{"Somebody mistypes a new password", wrongPassword},
	} {
		s.screen.heading(fmt.Sprintf("%d. %s", i+1, act.title))
		if err := act.play(ctx, s); err != nil {
			return err
		}
	}
	return s.neverLapsed()
}

// issue waits for the first tokens.
func issue(ctx context.Context, s *stage) error {
	var ready []tokenView
	took, err := s.await(ctx, 30*time.Second, "every unattended OAuthToken should be Ready", func(v *view) string {
		ready = v.those(unattended)
		return firstComplaint(ready, func(t tokenView) string {
			if len(v.secret(t.secretName).keys) == 0 {
				return "its target Secret is empty"
			}
			return notReady(t)
		})
	})
	if err != nil {
		return err
	}
	if err := s.accepted(ctx, ready...); err != nil {
		return err
	}
	s.screen.done(fmt.Sprintf("%d OAuthTokens became Ready in %s, and the vendor takes their tokens", len(ready), seconds(took)))
	return nil
}

// consent lets a person authorize, once, what can be kept fresh from then on. With KEEP=1 that is left to whoever looks on.
func consent(ctx context.Context, s *stage) error {
	var asked []tokenView
	_, err := s.await(ctx, 10*time.Second, "every interactive OAuthToken should have a link", func(v *view) string {
		asked = v.those(interactive)
		return firstComplaint(asked, func(t tokenView) string {
			if t.link == "" {
				return "status.authorization.url is empty"
			}
			return notReason(t.ready, v1alpha1.ReasonAuthorizationRequired)
		})
	})
	if err != nil {
		return err
	}
	names := make([]string, 0, len(asked))
	for _, t := range asked {
		names = append(names, t.name)
	}
	s.screen.done(strings.Join(names, ", ") + ": " + v1alpha1.ReasonAuthorizationRequired)
	s.screen.note(asked[0].ready.message)
	if s.keep {
		s.screen.doing("the links are for you: see below")
		return nil
	}
	for _, t := range asked {
		if err := s.authorize(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// authorize plays the person for one OAuthToken. One that can't be refreshed is left: its token would end before the demo does.
func (s *stage) authorize(ctx context.Context, t tokenView) error {
	if !refreshed(t) {
		return nil
	}
	somebody, err := portaltest.New(s.vendor.CABundle(), map[string]string{"username": personName, "password": personPassword})
	if err != nil {
		return err
	}
	title, err := somebody.Authorize(ctx, t.link)
	if err != nil {
		return fmt.Errorf("nobody could authorize %s: %w", t.name, err)
	}
	_, err = s.await(ctx, 10*time.Second, t.name+" should be Ready once somebody has authorized", func(v *view) string {
		t = v.token(t.name)
		return notReady(t)
	})
	if err != nil {
		return fmt.Errorf("%w; the last page was %q", err, title)
	}
	s.screen.done(fmt.Sprintf("somebody opened the link of %s and consented; the page said: %s", t.name, title))
	return s.accepted(ctx, t)
}

// renew waits for the first renewals. The SCIM client's token lives for 450 days, so it is asked for.
func renew(ctx context.Context, s *stage) error {
	const longLived = "genesys-scim"
	took, err := s.await(ctx, 30*time.Second, "every token that lives "+briefly(lifetime)+" should be renewed", func(v *view) string {
		return firstComplaint(v.those(s.keptFresh), func(t tokenView) string {
			if t.renewals == 0 && t.name != longLived {
				return "it has not been renewed"
			}
			return notReady(t)
		})
	})
	if err != nil {
		return err
	}
	s.screen.done(fmt.Sprintf("each was renewed, after %s at the latest; they live %s", seconds(took), briefly(lifetime)))
	s.screen.doing(longLived + " lives 450 days: the annotation " + v1alpha1.RenewRequestedAtAnnotation + " asks for a new token now")
	now := s.screen.clock.Now().UTC().Format(time.RFC3339)
	err = s.patch(ctx, oauthToken(longLived), map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{v1alpha1.RenewRequestedAtAnnotation: now},
	}})
	if err != nil {
		return err
	}
	took, err = s.await(ctx, 10*time.Second, longLived+" should be renewed on request", func(v *view) string {
		if v.token(longLived).renewals == 0 {
			return "it has not been renewed"
		}
		return ""
	})
	if err != nil {
		return err
	}
	s.screen.done("renewed after " + seconds(took))
	return nil
}

// outage takes a vendor away and brings it back before the tokens' end.
func outage(ctx context.Context, s *stage) error {
	const name = "genesys-api"
	s.vendor.Outage(oauthtest.Genesys, oauthtest.Unavailable(nil))
	s.screen.doing("every request to genesys-cloud is answered with 503")
	var struck tokenView
	_, err := s.await(ctx, 30*time.Second, "the renewal of "+name+" should fail while its token is served", func(v *view) string {
		struck = v.token(name)
		if complaint := notReady(struck); complaint != "" {
			return complaint
		}
		return notReason(struck.failing, v1alpha1.ReasonVendorUnavailable)
	})
	if err != nil {
		return err
	}
	s.screen.done(fmt.Sprintf("%s: RenewalFailing, %s", name, struck.failing.reason))
	s.screen.note(struck.failing.message)
	if err := s.accepted(ctx, struck); err != nil {
		return err
	}
	s.screen.done("it stays Ready: the token that pods have is still good")
	if err := s.linger(ctx); err != nil {
		return err
	}
	s.vendor.Recover(oauthtest.Genesys)
	s.screen.doing("genesys-cloud is back")
	took, err := s.await(ctx, 20*time.Second, name+" should recover by itself", func(v *view) string {
		return firstComplaint(v.those(s.keptFresh), func(t tokenView) string {
			if t.name == name && !t.issuedAt.After(struck.issuedAt) {
				return "it has no new token"
			}
			return notHealthy(t)
		})
	})
	if err != nil {
		return err
	}
	s.screen.done(fmt.Sprintf("a new token after %s, and nobody had to do anything", seconds(took)))
	return nil
}

// deletion removes a target Secret, and with it the only copy of the token.
func deletion(ctx context.Context, s *stage) error {
	const name = "genesys-scim"
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	old := before.secret(before.token(name).secretName)
	if err := s.deleteSecret(ctx, old.name); err != nil {
		return err
	}
	s.screen.doing("Secret " + old.name + " is gone")
	took, err := s.await(ctx, 10*time.Second, "Secret "+old.name+" should be restored", func(v *view) string {
		if now := v.secret(old.name); now.uid == old.uid || len(now.keys) < len(old.keys) {
			return "it is not there"
		}
		return notHealthy(v.token(name))
	})
	if err != nil {
		return err
	}
	if err := s.accepted(ctx, before.token(name)); err != nil {
		return err
	}
	s.screen.done(fmt.Sprintf("restored after %s, with a new token", seconds(took)))
	return nil
}

// wrongPassword changes a password at the vendor, and mistypes it in the credentials Secret.
func wrongPassword(ctx context.Context, s *stage) error {
	const name, credentials, password = "sfr-supervisor-api", "sfr-supervisor", "Correct-Horse-1"
	s.vendor.SetPassword(oauthtest.User{Vendor: oauthtest.SFR, Tenant: "sfrxxx01-sfrresell", Username: "api-admin", Password: password})
	if err := s.setCredentials(ctx, credentials, map[string]string{"password": strings.ToLower(password)}); err != nil {
		return err
	}
	s.screen.doing("the password of api-admin changes; Secret " + credentials + " gets it with a typo")
	var rejected tokenView
	_, err := s.await(ctx, 20*time.Second, name+" should say that the password is wrong", func(v *view) string {
		rejected = v.token(name)
		return notReason(rejected.failing, v1alpha1.ReasonInvalidGrant)
	})
	if err != nil {
		return err
	}
	s.screen.done(fmt.Sprintf("%s: RenewalFailing, %s", name, rejected.failing.reason))
	s.screen.note(rejected.failing.message)
	if err := s.linger(ctx); err != nil {
		return err
	}
	if err := s.setCredentials(ctx, credentials, map[string]string{"password": password}); err != nil {
		return err
	}
	s.screen.doing("the typo is corrected")
	took, err := s.await(ctx, 10*time.Second, name+" should get a token with the right password", func(v *view) string {
		if !v.token(name).issuedAt.After(rejected.issuedAt) {
			return "it has no new token"
		}
		return notHealthy(v.token(name))
	})
	if err != nil {
		return err
	}
	s.screen.done("a new token after " + seconds(took))
	return nil
}
