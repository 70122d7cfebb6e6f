//go:build cluster

package gitops_test

import (
	"testing"
)

// TestArgoCD has real Applications in a real Argo CD. Its parts run at once, each with an Application and a namespace of its own.
func TestArgoCD(t *testing.T) {
	s := openStage(t)
	s.bootstrap(t) // installs the CRD and starts the manager
	t.Run("at once", func(t *testing.T) {
		for name, part := range map[string]func(*testing.T, *stage){
			"the life of a token shows no flap":                                      lifeClientSide,
			"the life of a token shows no flap with server-side apply":               lifeServerSide,
			"suspend and resume hold against selfHeal where Git says nothing":        suspendByAction,
			"Git is stronger than an action":                                         suspendAgainstGit,
			"selfHeal and prune leave target and state Secrets alone":                secretsAreLeftAlone,
			"Argo CD's own Lua agrees with the tables":                               ownLua,
			"a Secret in Git with the target's name is a conflict":                   targetInGit,
			"a Secret in Git that takes over the target is told of, and repaired":    targetTakenOver,
			"prune keeps or removes the target as deletionPolicy says":               removal,
			"a deletion that waits for its revocation is Progressing":                pendingRevocation,
			"a later wave waits for the token":                                       waves,
			"a suspended token holds up a sync in waves":                             suspendedInWaves,
			"appliers of the same OAuthToken fight nobody":                           otherAppliers,
			"ownership by two field managers leaves renewals by annotation in place": annotationSurvives,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				part(t, s)
			})
		}
	})
	t.Run("with label tracking", func(t *testing.T) { labelTracking(t, s) }) // a setting for all Applications
}
