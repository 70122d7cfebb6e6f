package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func entriesForTest() []entry {
	return []entry{{name: "program", content: []byte("#!/bin/sh\n"), program: true}, {name: "sub/LICENSE", content: []byte("Be kind.")}}
}

func TestArchivesFollowFromTheirContentAlone(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	for _, name := range []string{"a.tar", "a.tar.gz", "a.tgz", "a.zip"} {
		t.Run(name, func(t *testing.T) {
			var contents []string
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 7200)} {
				file := filepath.Join(t.TempDir(), name)
				if err := writeArchive(file, entriesForTest(), at.In(zone)); err != nil {
					t.Fatal(err)
				}
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				contents = append(contents, string(content))
			}
			if contents[0] != contents[1] {
				t.Error("a time zone changes the archive")
			}
		})
	}
}

func TestArchivesAreUnpackedByOthers(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	for name, command := range map[string]string{"a.tar.gz": "tar -xf a.tar.gz", "a.tar": "tar -xf a.tar", "a.zip": "python3 -m zipfile -e a.zip ."} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := writeArchive(filepath.Join(folder, name), entriesForTest(), at); err != nil {
				t.Fatal(err)
			}
			unpack := exec.CommandContext(t.Context(), "sh", "-c", command)
			unpack.Dir = folder
			if out, err := unpack.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			licence, err := os.ReadFile(filepath.Join(folder, "sub/LICENSE"))
			if err != nil || string(licence) != "Be kind." {
				t.Errorf("LICENSE: %q, %v", licence, err)
			}
			program, err := os.Stat(filepath.Join(folder, "program"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(command, "tar") && program.Mode().Perm() != 0o755 {
				t.Errorf("program: mode %v", program.Mode())
			}
		})
	}
}

func TestTarGzIsReadAsItWasWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tgz")
	if err := writeArchive(file, entriesForTest(), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readTarGz(content)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entriesForTest(), got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
