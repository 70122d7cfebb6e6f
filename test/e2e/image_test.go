package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTheReleaseBefore tags commits of a history, and one that was never merged.
func TestTheReleaseBefore(t *testing.T) {
	for about, c := range map[string]struct {
		tags []string // of the commits, the last one being HEAD
		want string
	}{
		"no tag at all":                        {[]string{"", "", ""}, ""},
		"HEAD alone is tagged":                 {[]string{"", "", "v0.1.0"}, ""},
		"the next one is being made":           {[]string{"v0.1.0", "", ""}, "v0.1.0"},
		"the next one is tagged":               {[]string{"v0.1.0", "", "v0.2.0"}, "v0.1.0"},
		"more than one tag is at HEAD":         {[]string{"v0.1.0", "", "v0.2.0-rc.1 v0.2.0"}, "v0.1.0"},
		"a release comes after its candidates": {[]string{"v0.2.0-rc.1", "v0.2.0", ""}, "v0.2.0"},
		"a candidate comes before its release": {[]string{"v0.1.0", "v0.2.0-rc.1", "v0.2.0"}, "v0.2.0-rc.1"},
		"numbers are no words":                 {[]string{"v0.9.0", "v0.10.0", ""}, "v0.10.0"},
		"what is no version does not count":    {[]string{"v0.1.0", "nightly", ""}, "v0.1.0"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			checkout := t.TempDir()
			git := func(arguments ...string) {
				mine := []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
				for _, who := range []string{"AUTHOR", "COMMITTER"} {
					mine = append(mine, "GIT_"+who+"_NAME=test", "GIT_"+who+"_EMAIL=test@example.com")
				}
				run(t, checkout, append(os.Environ(), mine...), "git", arguments...)
			}
			git("init", "--quiet")
			git("commit", "--quiet", "--allow-empty", "--message=a branch's")
			git("tag", "v9.0.0")
			git("checkout", "--quiet", "--orphan", "main-line")
			for i, tags := range c.tags {
				git("commit", "--quiet", "--allow-empty", fmt.Sprintf("--message=%d", i))
				for tag := range strings.FieldsSeq(tags) {
					git("tag", tag)
				}
			}
			if got := tagBefore(t, checkout); got != c.want {
				t.Errorf("the release before is %q, want %q", got, c.want)
			}
		})
	}
}
