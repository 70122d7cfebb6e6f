package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/api/v1alpha1"
)

func TestWhatAnEventSays(t *testing.T) {
	t.Parallel()
	const guide = "; see https://tokensync.dev/docs/failures#shortlifetime"
	long := strings.Repeat("é", 600) // 1,200 bytes
	for name, test := range map[string]struct {
		given notice
		want  string
	}{
		"something good is told as it is":             {notice{reason: v1alpha1.EventTokenIssued, about: "a token is there"}, "a token is there"},
		"a warning ends with the address of its page": {notice{true, v1alpha1.EventShortLifetime, "it is short"}, "it is short" + guide},
		"a sentence loses its full stop to it":        {notice{true, v1alpha1.EventShortLifetime, "It is short. Ask."}, "It is short. Ask" + guide},
		"a long text is cut at a character's border":  {notice{reason: v1alpha1.EventTokenIssued, about: long}, long[:1000]},
		"a long warning is cut, and its address never": {
			notice{true, v1alpha1.EventShortLifetime, long}, long[:(maxEventNote-len(guide))/2*2] + guide,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.given.note()); diff != "" {
				t.Errorf("the note differs (-want +got):\n%s", diff)
			}
		})
	}
}
