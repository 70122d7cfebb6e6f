package consent

import "slices"

// Onto is the record with what somebody else has added to the one it was made from: theirs. The controller uses it when a record that must
// not be lost meets one that the portal has changed meanwhile: attempts that were begun there stay, and so does a code that came.
func (r Record) Onto(theirs Record) Record {
	if r.Ticket != theirs.Ticket { // it was used, or is not wanted any more
		r.Ticket = ""
	}
	r.Attempts = slices.Clone(r.Attempts)
	for _, other := range theirs.Attempts {
		i := slices.IndexFunc(r.Attempts, func(a Attempt) bool { return a.State == other.State })
		switch {
		case i < 0:
			r.Attempts = append(r.Attempts, other)
		case r.Attempts[i].Waits(): // what comes after a browser's return is the controller's
			r.Attempts[i] = other
		}
	}
	return r
}
