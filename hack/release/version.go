package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// version is what a release is called: a semantic version with a v before it.
type version string

// parseVersion accepts v1.2.3 and v1.2.3-rc.1.
func parseVersion(text string) (version, error) {
	if !regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(alpha|beta|rc)\.(0|[1-9]\d*))?$`).MatchString(text) {
		return "", fmt.Errorf("%q is not a version: give one such as VERSION=v0.1.0 or VERSION=v0.1.0-rc.1", text)
	}
	return version(text), nil
}

// bare is the version as CHANGELOG.md and Helm write it.
func (v version) bare() string { return strings.TrimPrefix(string(v), "v") }

// commit is what is released.
type commit struct {
	hash string
	time time.Time
}

// headCommit is the commit that the tree shows. A tree that differs from it, and a version that is another commit's, are refused: what is
// released could not be built again.
func headCommit(ctx context.Context, v version) (commit, error) {
	status, err := git(ctx, "status", "--porcelain")
	if err != nil {
		return commit{}, err
	}
	if status != "" {
		return commit{}, fmt.Errorf("the tree differs from its commit: commit or remove these files first\n%s", status)
	}
	head, err := git(ctx, "log", "-1", "--format=%H %ct")
	if err != nil {
		return commit{}, err
	}
	hash, seconds, _ := strings.Cut(head, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return commit{}, err
	}
	// No such tag is no failure: a release is built before it is tagged.
	if tagged, err := git(ctx, "rev-parse", "-q", "--verify", "refs/tags/"+string(v)+"^{commit}"); err == nil && tagged != hash {
		return commit{}, fmt.Errorf("%s is already the tag of commit %s: choose the next version, or check that commit out", v, tagged)
	}
	return commit{hash: hash, time: time.Unix(unix, 0).UTC()}, nil
}

func git(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", arguments...)
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", arguments[0], withOutput(err))
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// notes are what CHANGELOG.md says of the version.
func notes(changelog string, v version) (string, error) {
	heading := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(v.bare()) + `\].*$`).FindStringIndex(changelog)
	if heading == nil {
		return "", fmt.Errorf("CHANGELOG.md has no section for %s: rename [Unreleased] to `## [%s] - YYYY-MM-DD`, and begin a new one above it", v, v.bare())
	}
	section := changelog[heading[1]:]
	if end := regexp.MustCompile(`(?m)^(## |\[[^\]]+\]: )`).FindStringIndex(section); end != nil {
		section = section[:end[0]]
	}
	if section = strings.TrimSpace(section); section == "" {
		return "", errors.New("the section of CHANGELOG.md for " + string(v) + " is empty: say what changed for users")
	}
	return section + "\n", nil
}
