package oauth

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodAnswer = `{"access_token":"abc","token_type":"Bearer","expires_in":3600}`

// endpointUnderTest is a TLS server that counts what reaches it.
type endpointUnderTest struct {
	*httptest.Server
	requests, connections atomic.Int32
}

func serve(t *testing.T, handler http.HandlerFunc) *endpointUnderTest {
	t.Helper()
	e := &endpointUnderTest{}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		handler(w, r)
	}))
	e.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			e.connections.Add(1)
		}
	}
	e.Config.ErrorLog = quiet()
	e.EnableHTTP2 = true
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

func (e *endpointUnderTest) caBundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw})
}

// plainRequest is one that may be repeated.
func (e *endpointUnderTest) plainRequest() *Request {
	request := e.request()
	request.refresh, request.once = false, false
	return request
}

// request is one that spends a refresh token: the kind that may not be lost.
func (e *endpointUnderTest) request() *Request {
	return &Request{
		URL: e.URL + "/token?version=2", CABundle: e.caBundle(), refresh: true, once: true,
		authorization: NewSensitive("Basic aWQ6c2VjcmV0"), body: NewSensitive("grant_type=refresh_token&refresh_token=r1"),
	}
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// newTestClient is one that may speak to this machine. Options may change it.
func newTestClient(t *testing.T, change ...func(*ClientOptions)) *Client {
	t.Helper()
	options := ClientOptions{AllowLoopback: true, Now: func() time.Time { return noon }, Proxy: noProxy}
	for _, each := range change {
		each(&options)
	}
	client := NewClient(options)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// failureOf is the failure that a token request must give.
func failureOf(t *testing.T, token *Token, err error) *Error {
	t.Helper()
	var failure *Error
	if token != nil || !errors.As(err, &failure) {
		t.Fatalf("got %v, %v; want an *Error", token, err)
	}
	if failure != err { //nolint:errorlint // it must be one, not wrap one
		t.Errorf("the error is wrapped: %T", err)
	}
	return failure
}

func TestT1_T4_T5_TheRequestOnTheWire(t *testing.T) {
	var got *http.Request
	var body []byte
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, goodAnswer)
	})
	client := newTestClient(t, func(o *ClientOptions) { o.UserAgent = "tokensync/test" })
	if _, err := client.Token(t.Context(), e.plainRequest()); err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Accept": {"application/json"}, "User-Agent": {"tokensync/test"}, "Content-Type": {"application/x-www-form-urlencoded"},
		"Authorization": {"Basic aWQ6c2VjcmV0"}, "Content-Length": {"41"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Error(diff)
	}
	if line := got.Method + " " + got.RequestURI + " " + got.Proto; line != "POST /token?version=2 HTTP/1.1" {
		t.Errorf("request line %q", line)
	}
	if string(body) != "grant_type=refresh_token&refresh_token=r1" {
		t.Errorf("body %q", body)
	}
}

func TestT4_WithoutAuthorizationThereIsNoHeader(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, has := r.Header["Authorization"]; has || len(r.Header["Cookie"]) > 0 {
			t.Errorf("header %v", r.Header)
		}
		w.Header().Set("Set-Cookie", "session=1")
		_, _ = io.WriteString(w, goodAnswer)
	})
	client, request := newTestClient(t), e.request()
	request.authorization = Sensitive{}
	for range 2 {
		if _, err := client.Token(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
}

func TestT7_PlainHTTPIsRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) }))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for what, c := range map[string]struct {
		hosts   []string
		allowed bool
	}{
		"anywhere":                 {nil, false},
		"on another port":          {[]string{"127.0.0.1"}, false},
		"on another host":          {[]string{"*.example.com", "127.0.0.2:80"}, false},
		"but not where it's meant": {[]string{"*.example.com", host}, true},
	} {
		t.Run(what, func(t *testing.T) {
			client := newTestClient(t, func(o *ClientOptions) { o.InsecureHTTPHosts = c.hosts })
			token, err := client.Token(t.Context(), &Request{URL: server.URL})
			if c.allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantFailure(t, failureOf(t, token, err), &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed}, "--insecure-http-hosts")
		})
	}
}

func TestT7_AnInsecureHostWithoutAPortMeansPort80(t *testing.T) {
	for target, want := range map[string]bool{"http://vendor.example/token": true, "http://vendor.example:8080/token": false} {
		_, failure := newTestClient(t, func(o *ClientOptions) { o.InsecureHTTPHosts = []string{"vendor.example"} }).parseURL(tokenEndpoint, target)
		if got := failure == nil; got != want {
			t.Errorf("%s: got %v", target, failure)
		}
	}
}

func TestT5_URLsThatNoRequestMayGoTo(t *testing.T) {
	for _, text := range []string{
		"", "token", "//vendor.example/token", "https://", "https:///token", "https:vendor.example", "ftp://vendor.example/", "file:///etc/passwd",
		"https://vendor.example/token#part", "https://user:" + theSecret + "@vendor.example/token", "https://vendor.example:99999/", "https://[::1%25lo]/",
		"https://" + theSecret + "\x7f/",
	} {
		t.Run(text, func(t *testing.T) {
			token, err := newTestClient(t).Token(t.Context(), &Request{URL: text})
			failure := failureOf(t, token, err)
			wantFailure(t, failure, &Error{Class: Rejected, Reason: ReasonInvalidSpec}, "token endpoint")
			wantNoSecret(t, failure.Message)
		})
	}
}

func TestT7_Certificates(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	port := e.Listener.Addr().(*net.TCPAddr).Port
	for what, c := range map[string]struct {
		change  func(*Request)
		options func(*ClientOptions)
		message string // empty: a token comes
	}{
		"of an authority in the bundle are trusted": {},
		"of an unknown authority are refused":       {change: func(r *Request) { r.CABundle = nil }, message: "spec.caBundle"},
		"that are expired are refused": {
			options: func(o *ClientOptions) { o.Now = func() time.Time { return noon.AddDate(200, 0, 0) } }, message: "expired or not valid yet",
		},
		"that are not valid yet are refused": {
			options: func(o *ClientOptions) { o.Now = func() time.Time { return noon.AddDate(-200, 0, 0) } }, message: "expired or not valid yet",
		},
		"for another name are refused": {
			change:  func(r *Request) { r.URL = fmt.Sprintf("https://vendor.test:%d/token", port) },
			options: func(o *ClientOptions) { o.Resolver = resolving(map[string][]string{"vendor.test": {"127.0.0.1"}}) },
			message: "for another name",
		},
	} {
		t.Run(what, func(t *testing.T) {
			e.requests.Store(0)
			request, options := e.request(), func(*ClientOptions) {}
			if c.change != nil {
				c.change(request)
			}
			if c.options != nil {
				options = c.options
			}
			token, err := newTestClient(t, options).Token(t.Context(), request)
			if c.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantFailure(t, failureOf(t, token, err), &Error{Class: Transient, Reason: ReasonVendorUnavailable}, c.message)
			if got := e.requests.Load(); got != 0 {
				t.Errorf("%d requests came through", got)
			}
		})
	}
}

func TestT7_OldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) }))
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	e := &endpointUnderTest{Server: server}
	token, err := newTestClient(t).Token(t.Context(), e.request())
	wantFailure(t, failureOf(t, token, err), &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "TLS as it should (1.2 or later")
}

func TestT7_AServerWithoutTLSIsRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	token, err := newTestClient(t).Token(t.Context(), &Request{URL: strings.Replace(server.URL, "http:", "https:", 1)})
	wantFailure(t, failureOf(t, token, err), &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "does not speak TLS as it should")
}

func TestT7_ABundleWithoutCertificatesIsRefused(t *testing.T) {
	token, err := newTestClient(t).Token(t.Context(), &Request{URL: "https://vendor.example/token", CABundle: []byte("not PEM")})
	wantFailure(t, failureOf(t, token, err), &Error{Class: Rejected, Reason: ReasonInvalidSpec}, "spec.caBundle")
}

func TestT8_RedirectsAreNotFollowed(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			e := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+"/token?"+theSecret, status)
			})
			request := e.request()
			request.CABundle = append(request.CABundle, elsewhere.caBundle()...)
			token, err := newTestClient(t).Token(t.Context(), request)
			failure := failureOf(t, token, err)
			want := &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: status, Sent: true}
			wantFailure(t, failure, want, fmt.Sprintf("HTTP status %d, a redirect", status))
			wantNoSecret(t, failure.Message)
			if e.requests.Load() != 1 || elsewhere.connections.Load() != 0 {
				t.Errorf("%d requests, %d connections elsewhere", e.requests.Load(), elsewhere.connections.Load())
			}
		})
	}
}

func TestA3_LifetimesCountFromBeforeTheRequest(t *testing.T) {
	clock := noon.Add(900 * time.Millisecond).In(time.FixedZone("elsewhere", 3600))
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		clock = clock.Add(20 * time.Second) // the answer travels long
		_, _ = io.WriteString(w, goodAnswer)
	})
	var mu sync.Mutex
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
	token, err := newTestClient(t, func(o *ClientOptions) { o.Now = now }).Token(t.Context(), e.request())
	if err != nil {
		t.Fatal(err)
	}
	if token.RequestedAt != noon {
		t.Errorf("got %v, want %v in UTC and whole seconds", token.RequestedAt, noon)
	}
}

func TestA1_ContentTypeAndStatusAreNotAsked(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain", "text/html; charset=utf-8", "application/x-www-form-urlencoded", "?", ""} {
		for _, status := range []int{200, 201, 203} {
			t.Run(fmt.Sprint(status, contentType), func(t *testing.T) {
				e := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = []string{contentType}
					w.WriteHeader(status)
					_, _ = io.WriteString(w, goodAnswer)
				})
				token, err := newTestClient(t).Token(t.Context(), e.request())
				if err != nil || token.AccessToken.Reveal() != "abc" || token.Lifetime != time.Hour {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestA8_AnswersOverAMebibyteAreRefused(t *testing.T) {
	padded := func(size int) string {
		return goodAnswer[:len(goodAnswer)-1] + `,"p":"` + strings.Repeat("x", size-len(goodAnswer)-len(`,"p":""`)) + `"}`
	}
	for what, c := range map[string]struct {
		status int
		body   string
		want   *Error
	}{
		"a mebibyte is taken":             {200, padded(1 << 20), nil},
		"a byte more is not":              {200, padded(1<<20 + 1), &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 200, Sent: true}},
		"two mebibytes are not":           {200, padded(2 << 20), &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 200, Sent: true}},
		"a large failure is still itself": {500, padded(2 << 20), &Error{Class: Transient, Reason: ReasonVendorUnavailable, StatusCode: 500, Sent: true}},
	} {
		t.Run(what, func(t *testing.T) {
			e := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			token, err := newTestClient(t).Token(t.Context(), e.request())
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantFailure(t, failureOf(t, token, err), c.want, "")
		})
	}
}

func TestA8_CompressedAnswersAreNotUnpacked(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("Accept-Encoding %q", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		bomb := gzip.NewWriter(w)
		_, _ = bomb.Write(bytes.Repeat([]byte(" "), 8<<20))
		_ = bomb.Close()
	})
	token, err := newTestClient(t).Token(t.Context(), e.request())
	want := &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 200, Sent: true}
	wantFailure(t, failureOf(t, token, err), want, "compressed content")
}

// hijacked hands the handler the connection itself, once the request is read.
func hijacked(handle func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		handle(conn)
	}
}

func TestE4_ConnectionsThatFail(t *testing.T) {
	say := func(text string) func(net.Conn) { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
	for what, c := range map[string]struct {
		handle  func(net.Conn)
		want    Error
		message string
	}{
		"closed after the request was read":  {say(""), Error{}, "cut the connection before its answer was complete"},
		"closed in the middle of the status": {say("HTTP/1.1 2"), Error{}, "no complete HTTP answer"},
		"closed in the middle of the header": {say("HTTP/1.1 200 OK\r\nContent-"), Error{}, "no complete HTTP answer"},
		"closed in the middle of the JSON":   {say(head + goodAnswer[:30]), Error{StatusCode: 200}, "cut the connection"},
		"an answer that is not HTTP":         {say("220 mail.example ESMTP " + theSecret + "\r\n"), Error{}, "no complete HTTP answer"},
		"a header without end":               {say("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20)), Error{}, "no complete HTTP answer"},
		"early answers without end":          {say(strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n", 1000)), Error{}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			e := serve(t, hijacked(c.handle))
			token, err := newTestClient(t).Token(t.Context(), e.request())
			c.want.Class, c.want.Reason, c.want.Sent = Transient, ReasonVendorUnavailable, true
			failure := failureOf(t, token, err)
			wantFailure(t, failure, &c.want, c.message)
			if got := e.requests.Load(); got != 1 || !failure.Ambiguous() {
				t.Errorf("%d requests, ambiguous %v", got, failure.Ambiguous())
			}
		})
	}
}

func TestE4_AFailureWithHalfABodyIsStillItself(t *testing.T) {
	e := serve(t, hijacked(func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 500\r\n\r\n{")
	}))
	token, err := newTestClient(t).Token(t.Context(), e.request())
	want := &Error{Class: Throttled, Reason: ReasonRateLimited, StatusCode: 429, RetryAfter: 7 * time.Second, Sent: true, Definite: true}
	wantFailure(t, failureOf(t, token, err), want, "")
}

// Both on a new connection and on a kept one, where net/http has reasons of its own to send again.
func TestARequestIsSentOnceAlthoughTheConnectionBreaks(t *testing.T) {
	var breaking atomic.Bool
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if breaking.Load() {
			hijacked(func(net.Conn) {})(w, r)
			return
		}
		_, _ = io.WriteString(w, goodAnswer)
	})
	client := newTestClient(t)
	if _, err := client.Token(t.Context(), e.plainRequest()); err != nil {
		t.Fatal(err)
	}
	breaking.Store(true)
	token, err := client.Token(t.Context(), e.plainRequest())
	want := &Error{Class: Transient, Reason: ReasonVendorUnavailable, Sent: true}
	wantFailure(t, failureOf(t, token, err), want, "cut the connection")
	if e.requests.Load() != 2 || e.connections.Load() != 1 {
		t.Errorf("%d requests on %d connections, want 2 on 1", e.requests.Load(), e.connections.Load())
	}
}

func TestE4_NothingIsSentWhereNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	token, err := newTestClient(t).Token(t.Context(), &Request{URL: "https://" + address})
	wantFailure(t, failureOf(t, token, err), &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "refuses connections")
}

func TestE4_ConnectionsThatBreakBeforeTheRequest(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 100))
			_ = conn.Close()
		}
	}()
	token, err := newTestClient(t).Token(t.Context(), &Request{URL: "https://" + listener.Addr().String()})
	wantFailure(t, failureOf(t, token, err), &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "before the request was sent")
}

func TestE4_NamesThatDoNotResolve(t *testing.T) {
	client := newTestClient(t, func(o *ClientOptions) { o.Resolver = resolving(nil) })
	token, err := client.Token(t.Context(), &Request{URL: "https://nowhere.test/"})
	failure := failureOf(t, token, err)
	wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "DNS does not know")
	if strings.Contains(failure.Message, "nowhere") {
		t.Errorf("message %q names the host, which may come from a Secret", failure.Message)
	}
}

func TestE4_SlowAnswersEndAtTheLimit(t *testing.T) {
	for what, begin := range map[string]string{"before the status": "", "in the middle of the body": goodAnswer[:20]} {
		t.Run(what, func(t *testing.T) {
			e := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // the server watches for the client's end only after that
				if begin != "" {
					_, _ = io.WriteString(w, begin)
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			})
			client := newTestClient(t)
			client.limit = 300 * time.Millisecond
			token, err := client.Token(t.Context(), e.request())
			failure := failureOf(t, token, err)
			failure.StatusCode = 0
			wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable, Sent: true}, "no answer in time")
			if !errors.Is(failure, context.DeadlineExceeded) {
				t.Error("errors.Is does not find context.DeadlineExceeded")
			}
		})
	}
}

func TestE4_ConnectingEndsAtTheLimit(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	client := newTestClient(t)
	client.limit = 100 * time.Millisecond
	token, err := client.Token(t.Context(), &Request{URL: "https://" + listener.Addr().String()})
	want := &Error{Class: Transient, Reason: ReasonVendorUnavailable}
	wantFailure(t, failureOf(t, token, err), want, "could not be connected to in time")
}

func TestACancelledRequestSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	token, err := newTestClient(t).Token(ctx, e.request())
	failure := failureOf(t, token, err)
	wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable, Sent: true}, "left in the middle")
	if !errors.Is(failure, context.Canceled) {
		t.Error("errors.Is does not find context.Canceled")
	}
}

func TestSendBefore(t *testing.T) {
	for what, c := range map[string]struct {
		before time.Time
		isSent bool
	}{
		"no limit":                        {time.Time{}, true},
		"in time":                         {noon.Add(11 * time.Second), true},
		"at the last moment":              {noon.Add(10 * time.Second), true},
		"over while connecting":           {noon.Add(9 * time.Second), false},
		"over before anything was begun,": {noon.Add(-time.Hour), false},
	} {
		for _, kept := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s on a kept connection: %v", what, kept), func(t *testing.T) {
				var offset atomic.Int64
				e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
				client := newTestClient(t, func(o *ClientOptions) {
					o.Now = func() time.Time { return noon.Add(time.Duration(offset.Load())) }
				})
				if kept {
					if _, err := client.Token(t.Context(), e.plainRequest()); err != nil {
						t.Fatal(err)
					}
				}
				e.requests.Store(0)
				request := e.plainRequest()
				request.SendBefore = c.before
				standing := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { offset.Store(int64(10 * time.Second)) }}
				token, err := client.Token(httptrace.WithClientTrace(t.Context(), standing), request)
				if got := e.requests.Load() == 1; got != c.isSent {
					t.Errorf("sent: %v, want %v", got, c.isSent)
				}
				if c.isSent {
					if err != nil {
						t.Error(err)
					}
					return
				}
				want := &Error{Class: Transient, Reason: ReasonVendorUnavailable}
				wantFailure(t, failureOf(t, token, err), want, "too late for the request to be sent safely")
			})
		}
	}
}

func TestConnectionsAreReusedPerEndpointAndBundle(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	client := newTestClient(t)
	ask := func(r *Request, want int32) {
		t.Helper()
		if _, err := client.Token(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := e.connections.Load(); got != want {
			t.Errorf("%d connections, want %d", got, want)
		}
	}
	other := e.plainRequest()
	other.CABundle = append(other.CABundle, other.CABundle...)
	elsewhere := e.plainRequest()
	elsewhere.URL = e.URL + "/other/path"
	ask(e.plainRequest(), 1)
	ask(e.plainRequest(), 1)
	ask(elsewhere, 1)
	ask(other, 2) // another trust, another connection
	ask(e.plainRequest(), 2)
	client.CloseIdleConnections()
	ask(e.plainRequest(), 3)
	ask(e.request(), 4) // a refresh has a connection of its own
	ask(e.request(), 5)
}

func TestWhatCanBeSentOnceGetsAConnectionOfItsOwn(t *testing.T) {
	saml := samlSettings(ecdsaPair().pkcs8, ecdsaPair().certificate, nil)
	ready := genericSettings(func(s *Settings) { s.Grant = SAML2Bearer })
	ready.Credentials["assertion"] = NewSensitive("ready")
	seeded := genericSettings(func(s *Settings) { s.Grant = RefreshToken })
	seeded.Credentials["refresh_token"] = NewSensitive("seed")
	plain := mustResolve(t, genericSettings(nil))
	for name, test := range map[string]struct {
		request *Request
		alone   bool
	}{
		"a refresh":                           {plain.RefreshRequest(NewSensitive("r1")), true},
		"a first refresh token":               {mustTokenRequest(t, mustResolve(t, seeded)), true},
		"a code":                              {plain.CodeRequest(NewSensitive("code"), Sensitive{}, "https://tokens.example/callback"), true},
		"a ready assertion":                   {mustTokenRequest(t, mustResolve(t, ready)), true},
		"an assertion that is signed anew":    {mustTokenRequest(t, mustResolve(t, saml)), false},
		"nothing but the client's own secret": {mustTokenRequest(t, plain), false},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
			client := newTestClient(t)
			test.request.URL, test.request.CABundle = e.URL+"/token", e.caBundle()
			for range 2 {
				if _, err := client.Token(t.Context(), test.request); err != nil {
					t.Fatal(err)
				}
			}
			if got := e.connections.Load() == 2; got != test.alone {
				t.Errorf("each request has its own connection: %t, want %t", got, test.alone)
			}
		})
	}
}

func TestTransportsAreBounded(t *testing.T) {
	client := newTestClient(t)
	for i := range 3 * maxTransports {
		target := &url.URL{Scheme: "https", Host: fmt.Sprintf("h%d.example", i)}
		if _, failure := client.transport(t.Context(), tokenEndpoint, target, &Request{}); failure != nil {
			t.Fatal(failure)
		}
	}
	for i := range 3 * maxTransports {
		_, isKept := client.pool.transports[poolKey{endpoint: fmt.Sprintf("https://h%d.example", i), caBundle: emptyHash}]
		if want := i >= 2*maxTransports; isKept != want {
			t.Errorf("transport %d is kept: %v, want %v", i, isKept, want)
		}
	}
}

func TestHintsStandAtEveryFailureOfATokenRequest(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"error":"invalid_grant"}`) })
	unreachable := &Request{URL: "https://127.0.0.1:1/"}
	for want, request := range map[string]*Request{"Reached.": e.request(), "Unreached.": unreachable} {
		request.hints = map[string]string{"invalid_grant": "Reached.", "VendorUnavailable": "Unreached."}
		token, err := newTestClient(t).Token(t.Context(), request)
		if failure := failureOf(t, token, err); !strings.HasSuffix(failure.Message, ". "+want) {
			t.Errorf("message %q does not end with %q", failure.Message, want)
		}
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, `{"access_token":%q}`, body)
	})
	client := newTestClient(t)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			request := e.request()
			request.body = NewSensitive(fmt.Sprintf("n=%d", i))
			token, err := client.Token(t.Context(), request)
			if err != nil || token.AccessToken.Reveal() != request.body.Reveal() {
				t.Errorf("request %d got %v", i, err)
			}
		})
	}
	group.Wait()
	if got := e.requests.Load(); got != 50 {
		t.Errorf("%d requests, want 50", got)
	}
}

// proxyUnderTest is a proxy that tunnels to wherever it is asked to, or refuses with a status.
func proxyUnderTest(t *testing.T, target string, status int) (proxy func(*http.Request) (*url.URL, error), asked *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	asked = &atomic.Int32{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			go tunnel(conn, target, status)
		}
	}()
	return http.ProxyURL(&url.URL{Scheme: "http", Host: listener.Addr().String()}), asked
}

func tunnel(conn net.Conn, target string, status int) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	if _, err := http.ReadRequest(reader); err != nil {
		return
	}
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n\r\n", status, http.StatusText(status))
	upstream, err := net.Dial("tcp", target)
	if err != nil || status != http.StatusOK {
		return
	}
	defer func() { _ = upstream.Close() }()
	go func() { _, _ = io.Copy(upstream, reader) }()
	_, _ = io.Copy(conn, upstream)
}

func TestProxies(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	port := e.Listener.Addr().(*net.TCPAddr).Port
	names := map[string][]string{"example.com": {"203.0.113.7"}, "mixed.example.com": {"203.0.113.7", "169.254.169.254"}}
	for what, c := range map[string]struct {
		host    string
		status  int
		want    *Error
		message string
		asked   int32
	}{
		"a tunnel":                        {"example.com", 200, nil, "", 1},
		"a refusal":                       {"example.com", 407, &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "HTTP 407", 1},
		"a name with a forbidden address": {"mixed.example.com", 200, &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed}, "never connects to", 0},
		"a forbidden address itself":      {"169.254.169.254", 200, &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed}, "never connects to", 0},
		"a name that DNS does not know":   {"nowhere.example.com", 200, &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "DNS does not know", 0},
	} {
		t.Run(what, func(t *testing.T) {
			proxy, asked := proxyUnderTest(t, e.Listener.Addr().String(), c.status)
			client := newTestClient(t, func(o *ClientOptions) {
				o.Proxy, o.Resolver, o.AllowLoopback = proxy, resolving(names), false
			})
			request := e.request()
			request.URL = fmt.Sprintf("https://%s:%d/token", c.host, port)
			request.SendBefore = noon
			token, err := client.Token(t.Context(), request)
			switch {
			case c.want != nil:
				wantFailure(t, failureOf(t, token, err), c.want, c.message)
			case err != nil:
				t.Error(err)
			}
			if got := asked.Load(); got != c.asked {
				t.Errorf("the proxy was asked %d times, want %d", got, c.asked)
			}
		})
	}
}

func TestAProxyThatIsDownIsNamedAsSuch(t *testing.T) {
	proxy := func(*http.Request) (*url.URL, error) { return url.Parse("http://127.0.0.1:1") }
	client := newTestClient(t, func(o *ClientOptions) {
		o.Proxy, o.Resolver = proxy, resolving(map[string][]string{"vendor.test": {"203.0.113.7"}})
	})
	token, err := client.Token(t.Context(), &Request{URL: "https://vendor.test/token"})
	want := &Error{Class: Transient, Reason: ReasonVendorUnavailable}
	wantFailure(t, failureOf(t, token, err), want, "The manager's proxy refuses connections")
}

func TestProxySettingsThatAreWrongAreNotQuoted(t *testing.T) {
	client := newTestClient(t, func(o *ClientOptions) {
		o.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("bad " + theSecret) }
	})
	token, err := client.Token(t.Context(), &Request{URL: "https://vendor.test/token"})
	failure := failureOf(t, token, err)
	wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "HTTPS_PROXY")
	wantNoSecret(t, failure.Message)
}
