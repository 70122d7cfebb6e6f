package oauthtest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// exchange is one request from arrival to answer.
type exchange struct {
	server  *Server
	place   place
	writer  http.ResponseWriter
	request *http.Request
	arrived time.Time

	body       string
	form       url.Values
	unreadable bool // the body is no form
	fault      Fault
}

// serve reads, acts, notes down and answers; a fault may change each step. A request is noted down before the answer is written, so
// that a client which has the answer finds it in the journal.
func (x *exchange) serve(ctx context.Context) {
	defer x.server.journal.enter(x.place)()
	if fault, hit := x.server.script.drawUnread(x.subject()); hit {
		x.fault = fault
		x.server.journal.record(x.report(Faulted, 0))
		panic(http.ErrAbortHandler)
	}
	x.read()
	x.fault = x.server.script.draw(x.subject())
	subject := x.subject()
	x.server.journal.arrive(subject)
	given, outcome := x.answer(ctx)
	x.server.journal.record(x.report(outcome, x.visibleStatus(given)))
	x.server.journal.settle(subject)
	x.send(given)
}

// answer acts on the request and makes the answer, as far as the fault lets it.
func (x *exchange) answer(ctx context.Context) (answer, Outcome) {
	fault := x.fault
	given, outcome := answer{}, Faulted
	acts := fault.instead == nil && fault.cut != cutBefore
	if fault.actsFirst {
		given, outcome = x.act()
	}
	if fault.pause != nil && !fault.pause(ctx) {
		if !fault.actsFirst {
			outcome = Abandoned
		}
		return given, outcome
	}
	if acts && !fault.actsFirst {
		given, outcome = x.act()
	}
	if fault.instead != nil {
		given = fault.instead(x)
	}
	if fault.spoil != nil && given.good() {
		fault.spoil(&given)
	}
	return given, outcome
}

// act does what the request asks for, or refuses it.
func (x *exchange) act() (answer, Outcome) {
	switch x.place.endpoint {
	case TokenEndpoint:
		return x.token()
	case AuthorizationEndpoint:
		return x.authorize()
	case RevocationEndpoint:
		return x.revocation()
	case DiscoveryEndpoint:
		return x.discovery()
	case ResourceEndpoint:
		return x.resource()
	case UnknownEndpoint, AnyEndpoint:
	}
	return answer{status: http.StatusNotFound, contentType: "text/plain", body: "404 page not found\n"}, NotFound
}

// send writes the answer, or as much of it as the fault leaves.
func (x *exchange) send(given answer) {
	if x.fault.cut == cutBefore || given.status == 0 { // 0: the client has gone
		panic(http.ErrAbortHandler)
	}
	body := given.text()
	header := x.writer.Header()
	maps.Copy(header, given.header)
	header.Set("Content-Type", contentType(given))
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.writer.WriteHeader(given.status)
	if x.fault.cut == cutMiddle {
		_, _ = io.WriteString(x.writer, body[:len(body)/2])
		_ = http.NewResponseController(x.writer).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(x.writer, body) // a client that left early is its own affair
}

func contentType(given answer) string {
	if given.contentType == "" {
		return "application/json;charset=UTF-8"
	}
	return given.contentType
}

// visibleStatus is the status that the client sees; 0 where the connection ends before it.
func (x *exchange) visibleStatus(given answer) int {
	if x.fault.cut == cutBefore {
		return 0
	}
	return given.status
}

func (x *exchange) dialect() dialect {
	d, known := x.server.dialects[x.place.vendor]
	if !known {
		return dialect{refuse: standardRefusal, throttle: plainThrottle}
	}
	return d
}

// clientID is the one that the request names, in the header or else in the body.
func (x *exchange) clientID() string {
	if basic, ok := decodeBasic(x.request.Header.Get("Authorization")); ok {
		return basic.id
	}
	if x.place.endpoint == AuthorizationEndpoint {
		return x.request.URL.Query().Get("client_id")
	}
	return x.form.Get("client_id")
}

func (x *exchange) subject() subject {
	return subject{x.place.vendor, x.place.endpoint, x.clientID(), x.form.Get("grant_type")}
}
