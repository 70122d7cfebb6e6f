package controller

import (
	"maps"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// maxInFlight is how many requests may be under way to one endpoint.
	maxInFlight = 10
	// grantLifetime is how long a place is kept for somebody who was called.
	grantLifetime = 10 * time.Second
)

// gate keeps a vendor from being hammered: at most ten requests in flight per endpoint, the most urgent first, and none while the
// endpoint asks for a pause. Whoever finds no place is called when there is one, so no worker waits. It may be lost.
type gate struct {
	call func(client.ObjectKey) // makes the object be reconciled

	mu        sync.Mutex
	endpoints map[string]*entrance
}

// entrance is the gate to one endpoint.
type entrance struct {
	inside  map[client.ObjectKey]bool      // requests under way
	granted map[client.ObjectKey]time.Time // called, and not come yet; until when
	waiting map[client.ObjectKey]time.Time // by urgency: when pods are left without a token
	pauses  map[string]time.Time           // by client_id: until when
}

// enter tells whether a request may be made now. If not, the object is called later. urgency is when pods are left without a token.
func (g *gate) enter(now time.Time, endpoint string, key client.ObjectKey, urgency time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.at(endpoint)
	e.expire(now)
	_, called := e.granted[key]
	if !called && !e.inside[key] && len(e.inside)+len(e.granted) >= maxInFlight {
		e.waiting[key] = urgency
		return false
	}
	delete(e.granted, key)
	delete(e.waiting, key)
	e.inside[key] = true
	return true
}

// leave ends a request, or a wish for one, and calls the most urgent of those who wait.
func (g *gate) leave(now time.Time, endpoint string, key client.ObjectKey) {
	g.mu.Lock()
	e := g.at(endpoint)
	e.expire(now)
	delete(e.inside, key)
	delete(e.granted, key)
	delete(e.waiting, key)
	var called []client.ObjectKey
	for len(e.waiting) > 0 && len(e.inside)+len(e.granted) < maxInFlight {
		next := e.mostUrgent()
		delete(e.waiting, next)
		e.granted[next] = now.Add(grantLifetime)
		called = append(called, next)
	}
	if len(e.inside)+len(e.granted)+len(e.pauses) == 0 {
		delete(g.endpoints, endpoint)
	}
	g.mu.Unlock()
	for _, next := range called {
		g.call(next)
	}
}

// pause notes that an endpoint asked a client to wait.
func (g *gate) pause(endpoint, clientID string, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	pauses := g.at(endpoint).pauses
	pauses[clientID] = later(pauses[clientID], until)
}

// pausedUntil is the end of the pause that holds for a client: its own, or the longest where two clients were asked to wait, since then
// it is the endpoint that is throttled.
func (g *gate) pausedUntil(now time.Time, endpoint, clientID string) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, known := g.endpoints[endpoint]
	if !known {
		return time.Time{}
	}
	e.expire(now)
	var latest time.Time
	for _, until := range e.pauses {
		latest = later(latest, until)
	}
	if len(e.pauses) > 1 {
		return latest
	}
	return e.pauses[clientID]
}

func (g *gate) at(endpoint string) *entrance {
	if g.endpoints == nil {
		g.endpoints = map[string]*entrance{}
	}
	if g.endpoints[endpoint] == nil {
		g.endpoints[endpoint] = &entrance{
			inside: map[client.ObjectKey]bool{}, granted: map[client.ObjectKey]time.Time{},
			waiting: map[client.ObjectKey]time.Time{}, pauses: map[string]time.Time{},
		}
	}
	return g.endpoints[endpoint]
}

// expire takes back what was kept for a time that is over.
func (e *entrance) expire(now time.Time) {
	maps.DeleteFunc(e.granted, func(_ client.ObjectKey, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(e.pauses, func(_ string, until time.Time) bool { return !until.After(now) })
}

// mostUrgent is who is left without a token first; by name where that is equal. It is called only when somebody waits.
func (e *entrance) mostUrgent() (first client.ObjectKey) {
	var soonest time.Time
	chosen := false
	for key, urgency := range e.waiting {
		if !chosen || urgency.Before(soonest) || urgency.Equal(soonest) && key.String() < first.String() {
			first, soonest, chosen = key, urgency, true
		}
	}
	return first
}
