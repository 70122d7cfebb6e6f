package oauth

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Request is one POST to a token or revocation endpoint. It is immutable but for SendBefore, and prints nothing secret.
type Request struct {
	// URL is the endpoint.
	URL string
	// CABundle is trusted beside the system's certificates.
	CABundle []byte
	// SendBefore, where set, is the time after which nothing may be written to the wire. It is checked once the connection stands.
	SendBefore time.Time

	authorization Sensitive // value of the Authorization header; empty: none
	body          Sensitive // application/x-www-form-urlencoded
	refresh       bool      // the body spends a refresh token
	once          bool      // the body spends something: a refresh token, a code, or a ready assertion
	hints         map[string]string
	credentials   Credentials // all that the Secret holds, sent or not: no message quotes any of it
}

// Format implements fmt.Formatter. Not even the URL is shown: a tenant in it may come from the credentials Secret.
func (r Request) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "request "+redacted) }

// LogValue implements slog.LogValuer.
func (r Request) LogValue() slog.Value { return slog.StringValue("request " + redacted) }

// request puts a body and the client's authentication together.
func (f *Flow) request(endpoint string, body form) *Request {
	authorization, client := f.authenticateClient()
	return &Request{
		URL:           endpoint,
		CABundle:      f.CABundle,
		authorization: authorization,
		body:          joinForms(body, client).encode(),
		hints:         f.Vendor.FailureHints,
		credentials:   f.settings.Credentials,
	}
}
