package consent

import (
	"slices"
	"time"
)

// Next is the first time after now at which Tidy or Invites may give another result, or a code may be sent again, though nobody does
// anything; zero: there is none.
func (r Record) Next(now time.Time) time.Time {
	times := []time.Time{r.TicketUntil.Add(-TicketRenewal)}
	for _, a := range r.Attempts {
		times = append(times, a.Until, a.NotBefore)
		switch {
		case a.Outcome != nil || a.ReceivedAt.IsZero():
		case !a.SendBefore.IsZero():
			times = append(times, a.SendBefore.Add(graceAfterSending))
		default:
			times = append(times, a.ReceivedAt.Add(CodeLife))
		}
	}
	times = slices.DeleteFunc(times, func(t time.Time) bool { return !t.After(now) })
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}
