package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

const (
	// exchangeLimit is the time that an exchange may take in all.
	exchangeLimit = 30 * time.Second
	// maxAnswerBytes of an answer are used; a longer one is refused.
	maxAnswerBytes = 1 << 20
)

// endpoint names the other side in messages. Its host is not named: it may be made of a Secret's values.
type endpoint string

const (
	tokenEndpoint      endpoint = "token endpoint"
	revocationEndpoint endpoint = "revocation endpoint"
	metadataDocument   endpoint = "issuer's metadata document"

	// Named in messages only.
	authorizationEndpoint endpoint = "authorization endpoint"
	issuerURL             endpoint = "issuer"
)

// answer is what came back, whatever it says.
type answer struct {
	from     endpoint
	request  *Request
	status   int
	header   http.Header
	body     []byte // at most maxAnswerBytes
	tooLarge bool
	now      time.Time // when it came
}

// isSuccess tells whether the status promises success. Some servers answer 201 to a token request.
func (a *answer) isSuccess() bool { return a.status >= 200 && a.status < 300 }

// exchange sends a request, once, and reads the answer. A redirect is an answer like any other: net/http would resend the credentials
// to whatever host it names (RFC 9700, section 4.12).
func (c *Client) exchange(ctx context.Context, at endpoint, r *Request) (*answer, *Error) {
	target, failure := c.parseURL(at, r.URL)
	if failure != nil {
		return nil, failure
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	transport, failure := c.transport(ctx, at, target, r)
	if failure != nil {
		return nil, failure
	}
	g := &gate{now: c.options.Now, before: r.SendBefore, done: ctx.Done()}
	request := c.newHTTPRequest(httptrace.WithClientTrace(ctx, g.trace()), at, target, r)
	response, err := transport.RoundTrip(request)
	result := &answer{from: at, request: r}
	if err == nil {
		err = result.read(response)
	}
	result.now = c.options.Now()
	sent, err := g.close(err)
	switch {
	case err == nil, result.status >= http.StatusMultipleChoices: // a failure is one, also without the rest of its text
		return result, nil
	case errors.Is(err, errTooLate):
		return nil, tooLate(sent)
	}
	failure = networkFailure(at, err, sent)
	failure.StatusCode = result.status
	return nil, failure
}

// parseURL refuses what no request may go to.
func (c *Client) parseURL(at endpoint, text string) (*url.URL, *Error) {
	target, host, err := parseEndpoint(text)
	switch {
	case err != nil:
		return nil, &Error{Class: Rejected, Reason: ReasonInvalidSpec, Message: fmt.Sprintf("The address of the %s %v.", at, err)}
	case target.Scheme == "https", host.isInsecureAllowed(c.options.InsecureHTTPHosts):
		return target, nil
	}
	return nil, &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed, Message: fmt.Sprintf("The address of the %s starts with http://, "+
		"which shows credentials to the network. Use https://, or name the host in the manager's --insecure-http-hosts.", at)}
}

// isInsecureAllowed tells whether plain http may be spoken to this host. A pattern without a port means port 80 here.
func (h endpointHost) isInsecureAllowed(patterns []string) bool {
	return h.isAllowedBy(patterns) || h.port == "80" && endpointHost{name: h.name, port: "443"}.isAllowedBy(patterns)
}

// newHTTPRequest makes a POST, or a GET for metadata. It holds no cookie and no Idempotency-Key (with one, net/http resends a POST).
func (c *Client) newHTTPRequest(ctx context.Context, at endpoint, target *url.URL, r *Request) *http.Request {
	request := (&http.Request{Method: http.MethodGet, URL: target, Header: http.Header{}}).WithContext(ctx)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.options.UserAgent)
	if at == metadataDocument {
		return request
	}
	body := r.body.Reveal()
	request.Method = http.MethodPost
	request.ContentLength = int64(len(body))
	request.Body = io.NopCloser(strings.NewReader(body))
	// On a kept connection that turns out to be closed before a byte was written, net/http takes another one. The gate holds it to that.
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !r.authorization.IsEmpty() {
		request.Header.Set("Authorization", r.authorization.Reveal())
	}
	return request
}

// read takes the answer over. One byte more than is used shows that it is too large; the rest is left, and the connection with it.
func (a *answer) read(response *http.Response) error {
	a.status, a.header = response.StatusCode, response.Header
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if a.tooLarge = len(body) > maxAnswerBytes; a.tooLarge {
		body = nil
	}
	a.body = body
	return errors.Join(err, response.Body.Close())
}

// tooLate is the failure of a request that was held back after its time.
func tooLate(sent bool) *Error {
	return &Error{
		Class: Transient, Reason: ReasonVendorUnavailable, Sent: sent,
		Message: "The connection came too late for the request to be sent safely. It is made anew; check the network if this stays.",
	}
}
