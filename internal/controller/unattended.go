package controller

import (
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// goOnUnattended plans with a grant that begins in a browser although the portal is turned off, as long as nobody has to be asked: while there is a
// refresh token, or a first one in the credentials. What keeps the grant from beginning is told when somebody has to be.
func (r *plan) goOnUnattended(now time.Time, p planner, o *observation, settings oauth.Settings) {
	if r.flow != nil || settings.EnableInteractive {
		return
	}
	settings.EnableInteractive = true
	flow, fault := p.resolve(o, settings)
	if fault != nil {
		return
	}
	if _, seeded, _ := seedExchange(flow, o, r.keep); seeded || holdsRefreshToken(now, flow, r.keep.withStatedEnd(o.token, flow)) {
		r.flow, r.problem, r.portalOff = flow, nil, r.problem
	}
}

// withoutLink is a problem as it is told: nobody is sent to a link that can't be made.
func (r *plan) withoutLink(told *problem) *problem {
	switch {
	case r.portalOff == nil || told == nil || !told.authorize:
		return told
	case told.reason == v1alpha1.ReasonRefreshInterrupted:
		return &problem{reason: told.reason, waiting: true, message: refreshLost + leftAlone + "; the portal, where somebody could authorize anew before, is turned off"}
	}
	return r.portalOff
}
