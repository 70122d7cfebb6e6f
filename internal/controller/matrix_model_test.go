package controller_test

import (
	"slices"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// This file is the class table of the failures once more, written from the documentation and not from the code, so that the two can disagree.

// class is what a failure is.
type class int

const (
	transient class = iota
	throttled
	rejected
	malformed
)

// mishap is one failure of the matrix.
type mishap struct {
	class   class
	reason  string
	fault   oauthtest.Fault
	network string        // the failure lies before the vendor: refused, tls, or dns
	pause   time.Duration // that the vendor asks for; 0: none is named
	clear   bool          // the answer proves that nothing was issued or spent
	acted   bool          // the vendor had issued a token, and spent what was sent
	rest    bool          // the answer holds the refresh token that it issued with it
}

// sent tells whether the vendor may have seen the request.
func (m mishap) sent() bool { return m.network == "" }

// ambiguous tells whether nobody knows if a refresh token is spent.
func (m mishap) ambiguous() bool { return m.sent() && !m.clear }

func mishaps() map[string]mishap {
	all := map[string]mishap{
		"refused":  {class: transient, reason: v1alpha1.ReasonVendorUnavailable, network: "refused"},
		"tls":      {class: transient, reason: v1alpha1.ReasonVendorUnavailable, network: "tls"},
		"dns":      {class: transient, reason: v1alpha1.ReasonVendorUnavailable, network: "dns"},
		"time-out": {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.Held(nil)},
		"cut":      {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.Drop()},
		"cut-amid": {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.DropMidAnswer(), acted: true},
		"500":      {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.Status(500, "text/html", "<p>oops</p>")},
		"502":      {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.Status(502, "text/html", "<p>oops</p>")},
		"503":      {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.Unavailable(nil)},
		"500-acted": {
			class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.AfterActing(oauthtest.Status(500, "text/html", "")), acted: true,
		},
		"server-error": {class: transient, reason: v1alpha1.ReasonVendorUnavailable, fault: oauthtest.OAuthError("server_error"), clear: true},

		"429-seconds": {class: throttled, fault: oauthtest.TooManyRequests(oauthtest.InSeconds(90)), pause: 90 * time.Second, clear: true},
		"429-date":    {class: throttled, fault: oauthtest.TooManyRequests(oauthtest.AtDate(90 * time.Second)), pause: 90 * time.Second, clear: true},
		"503-seconds": {class: throttled, fault: oauthtest.Unavailable(oauthtest.InSeconds(90)), pause: 90 * time.Second, clear: true},
		"429":         {class: throttled, fault: oauthtest.TooManyRequests(nil), clear: true},
		"429-no-end":  {class: throttled, fault: oauthtest.TooManyRequests(oauthtest.InSeconds(1 << 30)), pause: time.Hour, clear: true},

		"html":         {class: malformed, fault: oauthtest.HTMLPage()},
		"empty":        {class: malformed, fault: oauthtest.EmptyBody()},
		"half":         {class: malformed, fault: oauthtest.HalfJSON(), acted: true},
		"no-token":     {class: malformed, fault: oauthtest.WithoutMember("access_token"), acted: true, rest: true},
		"over-1-mib":   {class: malformed, fault: oauthtest.HugeBody(1 << 20), acted: true},
		"token-type":   {class: malformed, fault: oauthtest.Member("token_type", `"mac"`), acted: true, rest: true},
		"born-expired": {class: malformed, fault: oauthtest.Member("expires_in", `-5`), acted: true, rest: true},
		"redirect-301": {class: malformed, fault: oauthtest.Redirect(301, "/generic/oauth2/token")},
		"redirect-302": {class: malformed, fault: oauthtest.Redirect(302, "/generic/oauth2/token")},
		"redirect-307": {class: malformed, fault: oauthtest.Redirect(307, "/generic/oauth2/token")},
		"403-page":     {class: malformed, fault: oauthtest.Status(403, "text/html", "<p>no way</p>")},
		"404":          {class: malformed, fault: oauthtest.Status(404, "text/plain", "no such page")},

		"403": {class: rejected, reason: v1alpha1.ReasonAccessDenied, fault: oauthtest.Status(403, "text/plain", "")},
	}
	for code, reason := range map[string]string{
		"invalid_client": v1alpha1.ReasonInvalidClient, "invalid_grant": v1alpha1.ReasonInvalidGrant, "invalid_scope": v1alpha1.ReasonInvalidScope,
		"invalid_request": v1alpha1.ReasonInvalidRequest, "unauthorized_client": v1alpha1.ReasonUnauthorizedClient,
		"unsupported_grant_type": v1alpha1.ReasonUnsupportedGrantType, "access_denied": v1alpha1.ReasonAccessDenied,
	} {
		all[dashed(code)] = mishap{class: rejected, reason: reason, fault: oauthtest.OAuthError(code), clear: true}
	}
	for name, m := range all {
		switch m.class {
		case throttled:
			m.reason = v1alpha1.ReasonRateLimited
		case malformed:
			m.reason = v1alpha1.ReasonMalformedResponse
		case transient, rejected:
		}
		all[name] = m
	}
	return all
}

// route is a grant, and which of its requests fails.
type route struct {
	grant     v1alpha1.GrantType
	served    bool // a token of an earlier request is served: it is a renewal
	refreshes bool // the request spends a refresh token
	code      bool // the request spends the code of a person's consent
	assertion bool // the request spends a ready assertion
}

func routes() map[string]route {
	return map[string]route{
		"client-credentials-first":   {grant: v1alpha1.GrantClientCredentials},
		"client-credentials-renewal": {grant: v1alpha1.GrantClientCredentials, served: true},
		"password-first":             {grant: v1alpha1.GrantPassword},
		"password-renewal":           {grant: v1alpha1.GrantPassword, served: true},
		"password-refresh":           {grant: v1alpha1.GrantPassword, served: true, refreshes: true},
		"saml-first":                 {grant: v1alpha1.GrantSAML2Bearer},
		"saml-renewal":               {grant: v1alpha1.GrantSAML2Bearer, served: true},
		"assertion-first":            {grant: v1alpha1.GrantSAML2Bearer, assertion: true},
		"assertion-renewal":          {grant: v1alpha1.GrantSAML2Bearer, served: true, assertion: true},
		"refresh-token-first":        {grant: v1alpha1.GrantRefreshToken, refreshes: true},
		"refresh-token-refresh":      {grant: v1alpha1.GrantRefreshToken, served: true, refreshes: true},
		"code-first":                 {grant: v1alpha1.GrantAuthorizationCode, code: true},
		"code-refresh":               {grant: v1alpha1.GrantAuthorizationCode, served: true, refreshes: true},
	}
}

// fate is what must become of an OAuthToken after a mishap.
type fate struct {
	reason     string
	conditions []string      // that are True, without Ready
	least      time.Duration // until the next request: at least, and at most; 0: a person comes first
	most       time.Duration
	lastTenth  bool   // the next request comes when a tenth of the served token's life remains
	vain       string // why that request fails too, where what it sends is spent or past its end
	spent      bool   // no request comes then, since there is nothing left to send: the credentials are awaited
}

// after tells the fate that the contract has for a mishap on a route.
func (r route) after(m mishap) fate {
	f := fate{reason: m.reason}
	f.least, f.most = pauseAfter(m.class, m.pause)
	forGood := m.class == rejected
	unattended := r.grant == v1alpha1.GrantPassword
	person := false
	switch {
	case m.rest && (r.code || r.refreshes): // what was spent is replaced
	case r.code && m.pause > 10*time.Minute: // a code is worth nothing by then
		f.least, f.most = 0, 0
	case r.code && m.class == throttled:
		if m.pause > time.Minute { // this vendor's codes live for that long
			f.vain = v1alpha1.ReasonInvalidGrant
		}
	case r.code && m.sent(): // a code is sent once
		person, f.least, f.most = true, 0, 0
		if m.class != rejected { // that would end by itself, and the code is lost
			f.reason = v1alpha1.ReasonAuthorizationRequired
		}
	case r.assertion && m.class == throttled && m.pause > 5*time.Minute: // that is how long an assertion is good for
		f.vain = v1alpha1.ReasonInvalidGrant
	case r.assertion && m.class != throttled:
		f.spent = m.sent()
	case r.refreshes && m.ambiguous():
		f.reason = v1alpha1.ReasonRefreshInterrupted
		f.least, f.most = pauseAfter(transient, 0)
		forGood = false
		if m.acted && !unattended {
			f.vain = v1alpha1.ReasonAuthorizationRequired
		}
		f.lastTenth = r.served && !unattended
		person = r.served && r.grant == v1alpha1.GrantAuthorizationCode // asked at once, while there is time
	case r.refreshes && m.reason == v1alpha1.ReasonInvalidGrant && unattended:
		f.least, f.most = pauseAfter(transient, 0)
		forGood = false
	case r.refreshes && m.reason == v1alpha1.ReasonInvalidGrant:
		f.reason, person, f.least, f.most = v1alpha1.ReasonAuthorizationRequired, true, 0, 0
	}
	switch {
	case r.served:
		f.conditions = []string{v1alpha1.ConditionRenewalFailing}
	case forGood || person:
		f.conditions = []string{v1alpha1.ConditionStalled}
	default:
		f.conditions = []string{v1alpha1.ConditionReconciling}
	}
	if person {
		f.conditions = append(f.conditions, v1alpha1.ConditionAuthorizationRequired)
	}
	slices.Sort(f.conditions)
	return f
}

// pauseAfter is the first pause of a class, as the table has it.
func pauseAfter(c class, asked time.Duration) (least, most time.Duration) {
	switch c {
	case throttled:
		if asked == 0 {
			return 27 * time.Second, 33 * time.Second
		}
		return asked, asked + asked/10
	case rejected:
		return 6 * time.Hour, 6*time.Hour + 10*time.Minute
	case malformed:
		return 54 * time.Second, 66 * time.Second
	case transient:
	}
	return 4 * time.Second, 6 * time.Second
}
