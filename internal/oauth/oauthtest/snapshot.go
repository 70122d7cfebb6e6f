package oauthtest

import (
	"encoding/json"
	"fmt"
	"time"
)

// snapshot is what a server has issued and counted, in a form that can be kept. Codes and assertions, which live for minutes, are left
// out.
type snapshot struct {
	Access    map[string]keptToken
	Families  []keptFamily
	Refreshes map[string]int // refresh token -> its family
	Counts    []keptCount
}

type keptToken struct {
	Vendor          Vendor
	ClientID, Scope string
	End             time.Time
	Family          int // -1: none
}

type keptFamily struct {
	Vendor                Vendor
	ClientID, Scope, Live string
	End                   time.Time
	Revoked               bool
}

type keptCount struct {
	Vendor          Vendor
	Endpoint        Endpoint
	ClientID, Grant string
	Outcome         Outcome
	Count           int
}

// Snapshot is what the server has issued and counted, secrets included: Restore gives it to a server that takes this one's place.
func (s *Server) Snapshot() ([]byte, error) {
	kept := snapshot{Access: map[string]keptToken{}, Refreshes: map[string]int{}}
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	numbers := map[*family]int{}
	for token, f := range s.vault.refreshers {
		number, known := numbers[f]
		if !known {
			number = len(kept.Families)
			numbers[f] = number
			kept.Families = append(kept.Families, keptFamily{f.vendor, f.clientID, f.scope, f.live, f.end, f.revoked})
		}
		kept.Refreshes[token] = number
	}
	for token, t := range s.vault.access {
		number := -1
		if known, ok := numbers[t.family]; ok {
			number = known
		}
		kept.Access[token] = keptToken{t.vendor, t.clientID, t.scope, t.end, number}
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	for key, n := range s.journal.counts {
		if key.outcome != Pending {
			kept.Counts = append(kept.Counts, keptCount{key.subject.vendor, key.subject.endpoint, key.subject.clientID, key.subject.grant, key.outcome, n})
		}
	}
	return json.Marshal(kept)
}

// Restore gives a new server what another one had issued and counted.
func (s *Server) Restore(data []byte) error {
	var kept snapshot
	if err := json.Unmarshal(data, &kept); err != nil {
		return fmt.Errorf("reading a vendor's snapshot: %w", err)
	}
	families := make([]*family, len(kept.Families))
	for i, f := range kept.Families {
		families[i] = &family{f.Vendor, f.ClientID, f.Scope, f.End, f.Live, f.Revoked}
	}
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	for token, number := range kept.Refreshes {
		s.vault.refreshers[token] = families[number]
	}
	for token, t := range kept.Access {
		restored := accessToken{t.Vendor, t.ClientID, t.Scope, t.End, nil}
		if t.Family >= 0 {
			restored.family = families[t.Family]
		}
		s.vault.access[token] = restored
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	for _, c := range kept.Counts {
		s.journal.counts[tally{subject{c.Vendor, c.Endpoint, c.ClientID, c.Grant}, c.Outcome}] += c.Count
	}
	return nil
}
