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
	// longWait is how long a request goes unanswered before its endpoint is taken for one that hangs.
	longWait = 5 * time.Second
	// narrowFor is how long an endpoint that hung has few places, unless it answers: longer than the longest back-off, after which all ask again.
	narrowFor = 15 * time.Minute
)

// gate keeps a vendor from being hammered: at most ten requests in flight per endpoint, the most urgent first, and none while the
// endpoint asks for a pause. Whoever finds no place is called when there is one, so no worker waits for a place. Where requests hang
// until they time out, places are taken away, down to one, so that a few dead endpoints don't occupy all workers. It may be lost.
type gate struct {
	call func(client.ObjectKey) // makes the object be reconciled

	mu        sync.Mutex
	endpoints map[string]*entrance
}

// entrance is the gate to one endpoint.
type entrance struct {
	inside  map[client.ObjectKey]bool      // requests under way
	granted map[client.ObjectKey]time.Time // called, and not come yet; until when
	waiting waiters                        // by urgency
	pauses  map[string]time.Time           // by client_id: until when
	width   int                            // how many places there are
	narrow  time.Time                      // until when width is less than it may be
	hanging map[client.ObjectKey]bool      // whose last request hung, while width is less than it may be
}

// enter tells whether a request may be made now. If not, the object is called later. urgency is since or from when pods are left without a token.
func (g *gate) enter(now time.Time, endpoint string, key client.ObjectKey, urgency time.Time) bool {
	g.mu.Lock()
	e := g.at(endpoint)
	e.expire(now)
	_, called := e.granted[key]
	if called || e.inside[key] {
		e.admit(key)
		g.mu.Unlock()
		return true
	}
	e.waiting.put(now, key, urgency, e.hanging[key])
	next := e.next(now) // a free place goes to the most urgent one, whoever asks first
	_, admitted := e.granted[key]
	if admitted {
		e.admit(key)
	}
	g.mu.Unlock()
	for _, other := range next {
		if other != key {
			g.call(other)
		}
	}
	return admitted
}

// waitsSince is when somebody's waiting began; zero: nobody of that name waits.
func (g *gate) waitsSince(endpoint string, key client.ObjectKey) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, known := g.endpoints[endpoint]; known {
		return e.waiting.byKey[key].since
	}
	return time.Time{}
}

// leave ends a request, and calls the most urgent of those who wait.
func (g *gate) leave(now time.Time, endpoint string, key client.ObjectKey) {
	g.withdraw(now, endpoint, func(e *entrance) {
		delete(e.inside, key)
		delete(e.granted, key)
		e.waiting.drop(key)
	})
}

// renounce gives the place of somebody to others who was called, or waits, and has nothing to request now. Who has nothing but the
// endpoint's pause to wait for keeps the place in the queue: after the pause, all come at once.
func (g *gate) renounce(now time.Time, endpoint string, key client.ObjectKey, paused bool, urgency time.Time) {
	g.withdraw(now, endpoint, func(e *entrance) {
		delete(e.granted, key)
		e.waiting.drop(key)
		if paused && !e.throttled(now).IsZero() {
			e.waiting.put(now, key, urgency, e.hanging[key])
		}
	})
}

// forget drops somebody who is gone from all queues.
func (g *gate) forget(now time.Time, key client.ObjectKey) { g.keepTo(now, "", key) }

// keepTo drops somebody from the queues of all endpoints but one.
func (g *gate) keepTo(now time.Time, endpoint string, key client.ObjectKey) {
	g.mu.Lock()
	var left []string
	for other, e := range g.endpoints {
		e.expire(now)
		switch {
		case other == endpoint:
		case e.knows(key):
			delete(e.hanging, key)
			left = append(left, other)
		case e.isIdle():
			delete(g.endpoints, other)
		}
	}
	g.mu.Unlock()
	for _, other := range left {
		g.renounce(now, other, key, false, time.Time{})
	}
}

// withdraw changes who is at an entrance, and calls the most urgent of those who wait for the places that are free then.
func (g *gate) withdraw(now time.Time, endpoint string, change func(*entrance)) {
	g.mu.Lock()
	e, known := g.endpoints[endpoint]
	if !known {
		g.mu.Unlock()
		return
	}
	change(e)
	e.expire(now)
	next := e.next(now)
	if e.isIdle() {
		delete(g.endpoints, endpoint)
	}
	g.mu.Unlock()
	for _, other := range next {
		g.call(other)
	}
}

// heard notes how somebody's request ended: each that hung halves the places of its endpoint, each that was answered doubles them. While there
// are few, those whose requests hang come after those whose requests may be answered, since an endpoint may hang for some of its clients alone.
func (g *gate) heard(now time.Time, endpoint string, key client.ObjectKey, hung bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.at(endpoint)
	if hung {
		e.width, e.narrow, e.hanging[key] = max(1, e.width/2), now.Add(narrowFor), true
		return
	}
	delete(e.hanging, key)
	e.widen(min(maxInFlight, 2*e.width))
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
	return later(e.pauses[clientID], e.throttled(now))
}

func (g *gate) at(endpoint string) *entrance {
	if g.endpoints == nil {
		g.endpoints = map[string]*entrance{}
	}
	if g.endpoints[endpoint] == nil {
		g.endpoints[endpoint] = &entrance{
			inside: map[client.ObjectKey]bool{}, granted: map[client.ObjectKey]time.Time{},
			waiting: newWaiters(), pauses: map[string]time.Time{}, width: maxInFlight, hanging: map[client.ObjectKey]bool{},
		}
	}
	return g.endpoints[endpoint]
}

// isIdle tells whether there is nothing to remember.
func (e *entrance) isIdle() bool {
	return len(e.inside)+len(e.granted)+e.waiting.len()+len(e.pauses) == 0 && e.width == maxInFlight
}

// knows tells whether somebody has a place in a queue, or is known as one whose requests hang.
func (e *entrance) knows(key client.ObjectKey) bool {
	_, called := e.granted[key]
	return called || e.waiting.has(key) || e.hanging[key]
}

// widen gives an endpoint more places. With all of them, urgency alone counts again.
func (e *entrance) widen(width int) {
	e.width = width
	if width < maxInFlight {
		return
	}
	for key := range e.hanging {
		e.waiting.forgive(key)
	}
	clear(e.hanging)
}

// admit lets somebody in.
func (e *entrance) admit(key client.ObjectKey) {
	delete(e.granted, key)
	e.waiting.drop(key)
	e.inside[key] = true
}

// next keeps the places that are free for the most urgent of those who wait, and returns who they are. There are none while the endpoint
// is throttled: whoever was called could not ask.
func (e *entrance) next(now time.Time) (called []client.ObjectKey) {
	for e.waiting.len() > 0 && len(e.inside)+len(e.granted) < e.width && e.throttled(now).IsZero() {
		key := e.waiting.takeFirst()
		e.granted[key] = now.Add(grantLifetime)
		called = append(called, key)
	}
	return called
}

// throttled is the end of the longest pause where two clients were asked to wait, since then it is the endpoint that is throttled; else zero.
func (e *entrance) throttled(now time.Time) (latest time.Time) {
	clients := 0
	for _, until := range e.pauses {
		if until.After(now) {
			clients, latest = clients+1, later(latest, until)
		}
	}
	if clients < 2 {
		return time.Time{}
	}
	return latest
}

// expire takes back what was kept for a time that is over.
func (e *entrance) expire(now time.Time) {
	maps.DeleteFunc(e.granted, func(_ client.ObjectKey, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(e.pauses, func(_ string, until time.Time) bool { return !until.After(now) })
	if !e.narrow.After(now) {
		e.widen(maxInFlight)
	}
}
