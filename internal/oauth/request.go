package oauth

import "time"

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
	hints         map[string]string
}
