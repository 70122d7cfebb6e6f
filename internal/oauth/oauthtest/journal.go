package oauthtest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Outcome is what the vendor did with a request, whether or not the client got to know. Refusals have the error code of RFC 6749,
// sections 4.1.2.1 and 5.2, for an outcome, such as "invalid_grant".
type Outcome string

// The outcomes that are no refusals.
const (
	Issued    Outcome = "issued"
	Revoked   Outcome = "revoked"
	Served    Outcome = "served"    // a discovery document, the page to sign in, or the resource
	Faulted   Outcome = "faulted"   // a fault kept the vendor from doing anything
	Abandoned Outcome = "abandoned" // the client left before the vendor did anything
	NotFound  Outcome = "not_found"
	Pending   Outcome = "pending" // read, and not answered yet
)

// Request is one request that was answered, or whose connection was dropped.
type Request struct {
	Time     time.Time // of arrival
	Vendor   Vendor
	Endpoint Endpoint
	Method   string
	Host     string
	Path     string
	ClientID string
	Grant    string // the request's grant_type
	Outcome  Outcome
	Fault    string // what struck it; empty: nothing did
	Status   int    // of the answer; 0 where the connection was dropped before

	header http.Header
	query  string
	body   string
}

// Query is the query of the request's URL as sent, secrets included: at the authorization endpoint, all that was asked for. It is empty
// where it can't be read.
func (r Request) Query() url.Values {
	query, err := url.ParseQuery(r.query)
	if err != nil {
		return url.Values{}
	}
	return query
}

// Form is the request's body as sent, secrets included; empty where it is no form.
func (r Request) Form() url.Values {
	form, err := url.ParseQuery(r.body)
	if err != nil {
		return url.Values{}
	}
	return form
}

// Body is the request's body as sent, secrets included.
func (r Request) Body() string { return r.body }

// Header is the request's header as sent, secrets included.
func (r Request) Header() http.Header { return r.header.Clone() }

// String leaves out what may be secret.
func (r Request) String() string {
	return fmt.Sprintf("%s %s: vendor %s, client %s, grant %s, outcome %s, fault %q, status %d",
		r.Method, r.Path, r.Vendor, r.ClientID, r.Grant, r.Outcome, r.Fault, r.Status)
}

func (x *exchange) report(outcome Outcome, status int) Request {
	s := x.subject()
	return Request{
		Time: x.arrived, Vendor: s.vendor, Endpoint: s.endpoint, ClientID: s.clientID, Grant: s.grant,
		Method: x.request.Method, Host: x.request.Host, Path: x.request.URL.Path,
		Outcome: outcome, Fault: x.fault.name, Status: status,
		header: x.request.Header, query: x.request.URL.RawQuery, body: x.body,
	}
}

// tally counts the requests of one kind.
type tally struct {
	subject subject
	outcome Outcome
}

// flights are the requests at one endpoint at a time.
type flights struct{ now, most int }

type journal struct {
	mu       sync.Mutex
	limit    int // of requests kept; 0: all
	requests []Request
	counts   map[tally]int
	flights  map[place]flights
	news     chan struct{} // closed at the next change, where somebody waits; else nil
}

func newJournal() *journal { return &journal{counts: map[tally]int{}, flights: map[place]flights{}} }

// Requests are the requests that were answered, in the order of their answers.
func (s *Server) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	kept := s.journal.requests
	if limit := s.journal.limit; limit > 0 && len(kept) > limit {
		kept = kept[len(kept)-limit:]
	}
	return slices.Clone(kept)
}

// Count counts the requests that match, since the server was made.
func (s *Server) Count(match Match) int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.count(match)
}

// Await waits until n requests match. It fails when ctx ends first.
func (s *Server) Await(ctx context.Context, match Match, n int) error {
	for {
		count, news := s.journal.watch(match)
		if count >= n {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d requests came: %w", count, n, ctx.Err())
		}
	}
}

// MostInFlight is the largest number of requests that the vendor's token endpoint had at a time.
func (s *Server) MostInFlight(vendor Vendor) int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.flights[place{vendor: vendor, endpoint: TokenEndpoint}].most
}

// enter counts a request as in flight until the function that is returned is called.
func (j *journal) enter(at place) (leave func()) {
	at.prefix = "" // both paths are one endpoint
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.flights[at]
	f.now++
	f.most = max(f.most, f.now)
	j.flights[at] = f
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		f := j.flights[at]
		f.now--
		j.flights[at] = f
	}
}

// arrive counts a request as pending, until settle.
func (j *journal) arrive(s subject) { j.add(tally{s, Pending}, 1) }

func (j *journal) settle(s subject) { j.add(tally{s, Pending}, -1) }

func (j *journal) add(key tally, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[key] += n
	j.tell()
}

// record keeps and counts a request.
func (j *journal) record(r Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[tally{subject{r.Vendor, r.Endpoint, r.ClientID, r.Grant}, r.Outcome}]++
	j.requests = append(j.requests, r)
	if j.limit > 0 && len(j.requests) >= 2*j.limit { // seldom, so that appending stays cheap
		j.requests = slices.Clone(j.requests[len(j.requests)-j.limit:])
	}
	j.tell()
}

func (j *journal) tell() {
	if j.news != nil {
		close(j.news)
		j.news = nil
	}
}

func (j *journal) count(match Match) int {
	n := 0
	for key, count := range j.counts {
		counted := match.Outcome == key.outcome || match.Outcome == "" && key.outcome != Pending
		if counted && match.covers(key.subject) {
			n += count
		}
	}
	return n
}

// watch counts, and tells of the next change.
func (j *journal) watch(match Match) (int, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.news == nil {
		j.news = make(chan struct{})
	}
	return j.count(match), j.news
}
