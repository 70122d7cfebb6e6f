package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// lab is a cluster that the script LAB makes.
type lab struct {
	script string
	home   string
	env    []string
}

// openLab makes a new cluster, and removes it after the test. Number counts the clusters that run at once.
func openLab(tb testing.TB, name string, number int, settings ...string) *lab {
	tb.Helper()
	base := os.Getenv("E2E_HOME")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			tb.Fatal(err)
		}
		base = filepath.Join(cache, "tokensync-e2e")
	}
	port, err := strconv.Atoi(cmp.Or(os.Getenv("E2E_PORT"), "36560"))
	if err != nil {
		tb.Fatalf("E2E_PORT: %v", err)
	}
	port += 2 * number
	l := &lab{script: os.Getenv("LAB"), home: filepath.Join(base, name)}
	l.env = append(os.Environ(), "CLUSTER_LAB_HOME="+l.home, fmt.Sprintf("LAB_PORT=%d", port), fmt.Sprintf("CHECK_PORT=%d", port+1))
	l.env = append(l.env, settings...)
	l.run(tb, "down", "--purge") // what a run left that was cut off
	tb.Cleanup(func() { l.run(tb, "down", "--purge") })
	l.run(tb, "up")
	return l
}

// run runs the script and returns what it printed.
func (l *lab) run(tb testing.TB, arguments ...string) string {
	tb.Helper()
	return run(tb, "", l.env, l.script, arguments...)
}

func (l *lab) kubeconfig(tb testing.TB) string {
	tb.Helper()
	return strings.TrimSpace(l.run(tb, "kubeconfig"))
}

// processes are those on this machine whose file under /proc satisfies a condition.
func processes(tb testing.TB, file string, condition func(content []byte) bool) []int {
	tb.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	var found []int
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil || !condition(content) {
			continue // it has ended
		}
		pid, err := strconv.Atoi(strings.Split(f, "/")[2])
		if err != nil {
			tb.Fatal(err)
		}
		found = append(found, pid)
	}
	return found
}

// stopAPIServer ends the process and no other; `up` brings it back.
func (l *lab) stopAPIServer(tb testing.TB) {
	tb.Helper()
	program := []byte(filepath.Join(l.home, "state", "bin", "kube-apiserver") + "\x00")
	found := processes(tb, "cmdline", func(line []byte) bool { return bytes.HasPrefix(line, program) })
	if len(found) != 1 {
		tb.Fatalf("%d API servers of %s run, want 1", len(found), l.home)
	}
	signal(tb, found[0], syscall.SIGKILL)
}

// killContainer kills every process of a container, and no other.
func (l *lab) killContainer(tb testing.TB, id string) {
	tb.Helper()
	const digest = 64 // characters of an identifier; less of one would be found in the groups of strangers
	if len(id) != digest {
		tb.Fatalf("%q is no container", id)
	}
	found := processes(tb, "cgroup", func(groups []byte) bool { return bytes.Contains(groups, []byte(id)) })
	if len(found) == 0 {
		tb.Fatalf("container %s has no process", id)
	}
	for _, pid := range found {
		signal(tb, pid, syscall.SIGKILL)
	}
}

func signal(tb testing.TB, pid int, s syscall.Signal) {
	tb.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		tb.Fatalf("signal %v to process %d: %v", s, pid, err)
	}
}

// run runs a program in a folder ("": this one) and returns what it wrote to standard output.
func run(tb testing.TB, folder string, env []string, program string, arguments ...string) string {
	tb.Helper()
	command := exec.Command(program, arguments...)
	command.Dir, command.Env = folder, env
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		tb.Fatalf("%s: %v\n%s%s", command, err, out.String(), complaints.String())
	}
	return out.String()
}
