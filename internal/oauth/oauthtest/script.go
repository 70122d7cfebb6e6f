package oauthtest

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// subject is what a request is about: what faults and counts go by.
type subject struct {
	vendor   Vendor
	endpoint Endpoint
	clientID string
	grant    string
}

// Match selects requests. Empty fields select all, but for Endpoint, whose default is TokenEndpoint.
type Match struct {
	Vendor   Vendor
	Endpoint Endpoint
	ClientID string
	// Grant is the request's grant_type, such as ClientCredentials or RefreshToken.
	Grant string
	// Outcome is for counting only. Empty: all but Pending.
	Outcome Outcome
}

func (m Match) covers(s subject) bool {
	endpoint := m.Endpoint
	if endpoint == "" {
		endpoint = TokenEndpoint
	}
	return (m.Vendor == "" || m.Vendor == s.vendor) &&
		(endpoint == AnyEndpoint || endpoint == s.endpoint) &&
		(m.ClientID == "" || m.ClientID == s.clientID) &&
		(m.Grant == "" || m.Grant == s.grant)
}

// needsBody tells whether a request must be read before it can be told whether it matches.
func (m Match) needsBody() bool { return m.ClientID != "" || m.Grant != "" }

// line is one entry of the script.
type line struct {
	match  Match
	fault  Fault
	skip   int     // matching requests that pass first
	left   int     // matching requests that it still strikes; negative: all
	chance float64 // of striking
}

// LineOption says when a fault strikes.
type LineOption func(*line)

// Times lets the fault strike n matching requests and then no more. The default is every one.
func Times(n int) LineOption { return func(l *line) { l.left = n } }

// After lets n matching requests pass first.
func After(n int) LineOption { return func(l *line) { l.skip = n } }

// Probability lets the fault strike a matching request by chance, from 0 to 1. Runs with one seed (see WithSeed) and one order of
// requests agree.
func Probability(p float64) LineOption { return func(l *line) { l.chance = p } }

// script says which requests fail, and how.
type script struct {
	mu      sync.Mutex
	dice    *rand.Rand
	outages map[Vendor]Fault
	lines   []*line
}

func newScript(seed uint64) *script {
	return &script{
		dice:    rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // a repeatable run is wanted, not an unpredictable one
		outages: map[Vendor]Fault{},
	}
}

// Fail lets requests fail. Of several faults that match a request, the one told first strikes, so that faults with Times follow one
// another. The function that is returned takes the fault back.
func (s *Server) Fail(match Match, fault Fault, opts ...LineOption) (takeBack func()) {
	entry := &line{match: match, fault: fault, left: -1, chance: 1}
	for _, opt := range opts {
		opt(entry)
	}
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.lines = append(s.script.lines, entry)
	return func() {
		s.script.mu.Lock()
		defer s.script.mu.Unlock()
		s.script.lines = slices.DeleteFunc(s.script.lines, func(l *line) bool { return l == entry })
	}
}

// Outage lets every request to the vendor fail, whatever its endpoint, until Recover.
func (s *Server) Outage(vendor Vendor, fault Fault) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.outages[vendor] = fault
}

// Recover ends the vendor's outage and every fault that names the vendor.
func (s *Server) Recover(vendor Vendor) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	delete(s.script.outages, vendor)
	s.script.lines = slices.DeleteFunc(s.script.lines, func(l *line) bool { return l.match.Vendor == vendor })
}

// drawUnread finds a fault that strikes before the request is read.
func (s *script) drawUnread(subject subject) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if outage, out := s.outages[subject.vendor]; out {
		return outage, outage.unread
	}
	fault := s.strike(subject, func(l *line) bool { return l.fault.unread && !l.match.needsBody() })
	return fault, fault.unread
}

// draw finds the fault that strikes a request that was read; the zero Fault where none does.
func (s *script) draw(subject subject) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if outage, out := s.outages[subject.vendor]; out {
		return outage
	}
	return s.strike(subject, func(l *line) bool { return !l.fault.unread || l.match.needsBody() })
}

func (s *script) strike(subject subject, eligible func(*line) bool) Fault {
	for _, l := range s.lines {
		if !eligible(l) || !l.match.covers(subject) || l.left == 0 {
			continue
		}
		if l.skip > 0 {
			l.skip--
			continue
		}
		if l.chance < 1 && s.dice.Float64() >= l.chance {
			continue
		}
		l.left--
		return l.fault
	}
	return Fault{}
}
