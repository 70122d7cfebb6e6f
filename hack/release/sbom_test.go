package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
)

func releaseForTest() *release {
	return &release{version: "v1.2.3", commit: commit{hash: "0123abc", time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
}

func productsForTest() []product {
	return []product{
		{name: "image", purpose: "CONTAINER", programs: []*debug.BuildInfo{{GoVersion: "go1.26.8", Deps: []*debug.Module{
			{Path: "example.com/b", Version: "v1.0.0", Sum: "h1:b="}, {Path: "example.com/a/v2", Version: "v2.0.0-20260101000000-0123456789ab", Sum: "h1:a="},
		}}}},
		{name: "plugin", purpose: "APPLICATION", programs: []*debug.BuildInfo{
			{GoVersion: "go1.26.8", Deps: []*debug.Module{{Path: "example.com/b", Version: "v1.0.0", Sum: "h1:b="}}},
			{GoVersion: "go1.26.8", Deps: []*debug.Module{{Path: "example.com/windows", Version: "v0.1.0+incompatible", Sum: "h1:w="}}},
		}},
	}
}

func componentsForTest() []component {
	return []component{
		{Path: "std", Licences: []string{"BSD-3-Clause"}},
		{Path: "example.com/a/v2", Licences: []string{"Apache-2.0", "MIT"}},
		{Path: "example.com/b", Licences: []string{"MIT"}},
		{Path: "example.com/windows", Licences: []string{"ISC"}},
	}
}

// TestBillIsValid writes a bill, reads it by the rules of SPDX's own library, and looks at what that library does not.
func TestBillIsValid(t *testing.T) {
	document, err := bill(releaseForTest(), productsForTest(), componentsForTest())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bill.spdx.json")
	if err := writeBill(path, document); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := spdxjson.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(read); err != nil {
		t.Error(err)
	}
	checkBill(t, read)
	got := map[string]string{}
	for _, p := range read.Packages {
		for _, reference := range p.PackageExternalReferences {
			got[reference.Locator] = p.PackageLicenseConcluded
		}
	}
	want := map[string]string{
		"pkg:golang/stdlib@1.26.8":                                       "BSD-3-Clause",
		"pkg:golang/example.com/b@v1.0.0":                                "MIT",
		"pkg:golang/example.com/a/v2@v2.0.0-20260101000000-0123456789ab": "Apache-2.0 AND MIT",
		"pkg:golang/example.com/windows@v0.1.0%2Bincompatible":           "ISC",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

// checkBill checks what SPDX 2.3 demands of every document, in chapters 6, 7 and 11.
func checkBill(t *testing.T, document *spdx.Document) {
	t.Helper()
	if document.SPDXVersion != "SPDX-2.3" || document.DataLicense != "CC0-1.0" || document.DocumentName == "" || len(document.CreationInfo.Creators) == 0 {
		t.Errorf("the document's head is incomplete: %+v", document)
	}
	if !strings.HasPrefix(document.DocumentNamespace, "https://") || strings.Contains(document.DocumentNamespace, "#") {
		t.Errorf("namespace %q", document.DocumentNamespace)
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", document.CreationInfo.Created); err != nil {
		t.Error(err)
	}
	seen := map[spdx.ElementID]bool{}
	for _, p := range document.Packages {
		if id := p.PackageSPDXIdentifier; seen[id] || !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(string(id)) {
			t.Errorf("identifier %q is taken or malformed", id)
		}
		seen[p.PackageSPDXIdentifier] = true
		if p.PackageName == "" || p.PackageVersion == "" || p.PackageDownloadLocation == "" || p.PackageLicenseConcluded == "" || p.FilesAnalyzed {
			t.Errorf("package %s is incomplete: %+v", p.PackageName, p)
		}
	}
	described := 0
	for _, r := range document.Relationships {
		if r.Relationship == "DESCRIBES" {
			described++
		}
	}
	if described != 2 {
		t.Errorf("%d products are described, want 2", described)
	}
}

func TestBillNeedsTheLicenceOfEachModule(t *testing.T) {
	_, err := bill(releaseForTest(), productsForTest(), componentsForTest()[:3])
	if err == nil || !strings.Contains(err.Error(), "example.com/windows is in plugin, but no licence of it is known") {
		t.Error(err)
	}
}
