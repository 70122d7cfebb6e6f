package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences under which code may be linked into what we ship, as SPDX names them: all of them ask for a copy of their text
// at most, and none for the source.
func allowed() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}
}

// enough is how much of a file, in percent, has to be known words of a licence. The rest is names and headings.
const enough = 75

// component is a module, or the standard library, whose code is in a program of ours.
type component struct {
	Path, Version string
	Licences      []string // SPDX identifiers, sorted
	Texts         []string // of the licence and notice files
}

// components are all that are linked into the targets, in order of their paths.
func components(ctx context.Context, targets []target) ([]component, error) {
	folders := map[string]component{} // by the folder of the component
	files := map[string]map[string]bool{}
	for _, t := range targets {
		packages, err := t.packages(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if err := addPackage(folders, files, p); err != nil {
				return nil, err
			}
		}
	}
	if err := addStandardLibrary(ctx, folders, files); err != nil {
		return nil, err
	}
	return read(folders, files)
}

// addPackage adds a package of somebody else's module.
func addPackage(folders map[string]component, files map[string]map[string]bool, p goPackage) error {
	if p.Standard || p.Module.Main {
		return nil
	}
	top := p.Module.Dir
	folders[top] = component{Path: p.Module.Path, Version: p.Module.Version}
	if files[top] == nil {
		files[top] = map[string]bool{}
	}
	return addLicenceFiles(files[top], p.Dir, top)
}

// addStandardLibrary adds Go's own library, which is in every program.
func addStandardLibrary(ctx context.Context, folders map[string]component, files map[string]map[string]bool) error {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return withOutput(err)
	}
	goroot, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	folders[goroot] = component{Path: "std", Version: strings.TrimPrefix(version, "go")}
	files[goroot] = map[string]bool{}
	return addLicenceFiles(files[goroot], goroot, goroot)
}

// addLicenceFiles adds what stands in a package's folder and those above it, up to the module's: code that a module took from elsewhere
// has a licence of its own near to it.
func addLicenceFiles(files map[string]bool, folder, top string) error {
	pattern := regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^notice`)
	for {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !entry.IsDir() && pattern.MatchString(entry.Name()) && filepath.Ext(entry.Name()) != ".go" {
				files[filepath.Join(folder, entry.Name())] = true
			}
		}
		if folder == top || !strings.HasPrefix(folder, top) {
			return nil
		}
		folder = filepath.Dir(folder)
	}
}

// read fills in the texts and licences, and names every component that may not be shipped.
func read(folders map[string]component, files map[string]map[string]bool) ([]component, error) {
	var result []component
	var faults []string
	for top, c := range folders {
		for _, file := range slices.Sorted(maps.Keys(files[top])) {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			c.Texts = append(c.Texts, string(text))
			if isNotice(file) {
				continue
			}
			names, fault := identify(text)
			if fault != "" {
				faults = append(faults, fmt.Sprintf("%s: %s %s", c.Path, strings.TrimPrefix(file, top+"/"), fault))
			}
			c.Licences = append(c.Licences, names...)
		}
		if len(c.Licences) == 0 {
			faults = append(faults, c.Path+": has no licence file")
		}
		slices.Sort(c.Licences)
		c.Licences = slices.Compact(c.Licences)
		result = append(result, c)
	}
	slices.SortFunc(result, func(a, b component) int { return cmp.Compare(a.Path, b.Path) })
	if len(faults) > 0 {
		slices.Sort(faults)
		return nil, fmt.Errorf("code may not be shipped under these terms (hack/release/licences.go has the list of licences):\n  %s",
			strings.Join(faults, "\n  "))
	}
	return result, nil
}

// isNotice tells an attribution that has to be handed on from the text of a licence.
func isNotice(file string) bool {
	return strings.HasPrefix(strings.ToLower(filepath.Base(file)), "notice")
}

// identify names the licences of a text, and what is wrong with them.
func identify(text []byte) (names []string, fault string) {
	coverage := licensecheck.Scan(text)
	for _, match := range coverage.Match {
		if match.IsURL {
			continue
		}
		names = append(names, match.ID)
		if !slices.Contains(allowed(), match.ID) {
			fault = "is under " + match.ID + ", which is not allowed"
		}
	}
	if fault == "" && (len(names) == 0 || coverage.Percent < enough) {
		fault = fmt.Sprintf("is not a known licence (%.0f %% of it is known words)", coverage.Percent)
	}
	return names, fault
}
