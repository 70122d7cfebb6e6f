package consent

import (
	"slices"
	"time"
)

// Onto is the record with what somebody else has added to the one it was made from: theirs. The controller uses it when a record that must
// not be lost meets one that was changed meanwhile: attempts that were begun there stay, and so does a code that came. Of an attempt that
// both know, the version that has come further counts: a code that somebody has taken is never there again.
func (r Record) Onto(theirs Record) Record {
	if r.Ticket != theirs.Ticket { // it was used, or is not wanted any more
		r.Ticket, r.TicketUntil = "", time.Time{}
	}
	merged := slices.Clone(r.Attempts)
	for _, other := range theirs.Attempts {
		i := slices.IndexFunc(merged, func(a Attempt) bool { return a.State == other.State })
		switch {
		case i < 0:
			merged = append(merged, other)
		case other.isFurtherThan(merged[i]):
			merged[i] = other
		}
	}
	slices.SortStableFunc(merged, func(a, b Attempt) int { return a.StartedAt.Compare(b.StartedAt) })
	r.Attempts = atMost(MaxAttempts, merged)
	return r
}

// isFurtherThan compares two versions of one attempt. An answer may be put back after it was taken, which moves NotBefore. A good end is one
// even where somebody else has given up already.
func (a Attempt) isFurtherThan(b Attempt) bool {
	switch {
	case a.Outcome != nil:
		return b.Outcome == nil || a.Outcome.Result == Completed && b.Outcome.Result != Completed
	case b.Outcome != nil, a.Waits():
		return false
	case b.Waits():
		return true
	case !a.NotBefore.Equal(b.NotBefore):
		return a.NotBefore.After(b.NotBefore)
	}
	return a.Answer.IsEmpty() && !b.Answer.IsEmpty()
}
