package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// product is something that a release ships, and the programs in it, one for each platform.
type product struct {
	name, purpose string
	programs      []*buildinfo.BuildInfo
}

// bill is the software bill of materials as SPDX 2.3: what is in each product, as the linker wrote it into the programs themselves.
func bill(r *release, products []product, known []component) (*spdx.Document, error) {
	licences := map[string]string{}
	for _, c := range known {
		licences[c.Path] = strings.Join(c.Licences, " AND ")
	}
	document := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      "tokensync-" + string(r.version),
		DocumentNamespace: fmt.Sprintf("https://tokensync.dev/spdx/tokensync-%s-%s", r.version, r.commit.hash),
		CreationInfo: &spdx.CreationInfo{
			Created:  r.commit.time.Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Organization", Creator: "The Tokensync authors"}, {CreatorType: "Tool", Creator: "tokensync-release"}},
		},
	}
	parts := map[spdx.ElementID]*spdx.Package{}
	for _, p := range products {
		top := productPackage(r, p)
		document.Packages = append(document.Packages, top)
		relate(document, "DOCUMENT", top, common.TypeRelationshipDescribe)
		for _, part := range partsOf(p, licences) {
			if parts[part.PackageSPDXIdentifier] == nil {
				parts[part.PackageSPDXIdentifier] = part
				document.Packages = append(document.Packages, part)
			}
			if part.PackageLicenseConcluded == "" {
				return nil, fmt.Errorf("%s is in %s, but no licence of it is known", part.PackageName, p.name)
			}
			relate(document, top.PackageSPDXIdentifier, part, common.TypeRelationshipContains)
		}
	}
	return document, nil
}

func productPackage(r *release, p product) *spdx.Package {
	return &spdx.Package{
		PackageName: p.name, PackageSPDXIdentifier: common.ElementID(p.name), PackageVersion: string(r.version),
		PackageSupplier:         &common.Supplier{SupplierType: "Organization", Supplier: "The Tokensync authors"},
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "Apache-2.0", PackageLicenseDeclared: "Apache-2.0",
		PackageCopyrightText: "NOASSERTION", PrimaryPackagePurpose: p.purpose, PackageSourceInfo: "git commit " + r.commit.hash,
	}
}

// partsOf are the modules in any program of the product, and the standard library, in order.
func partsOf(p product, licences map[string]string) []*spdx.Package {
	parts := map[string]*spdx.Package{}
	add := func(path, version, sum string) {
		parts[path] = &spdx.Package{
			PackageName: path, PackageVersion: version, PackageSPDXIdentifier: identifier(path, version),
			PackageDownloadLocation: "NOASSERTION", PackageCopyrightText: "NOASSERTION", PrimaryPackagePurpose: "LIBRARY",
			PackageLicenseConcluded: licences[path], PackageLicenseDeclared: licences[path], PackageSourceInfo: sum,
			PackageExternalReferences: []*spdx.PackageExternalReference{
				{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: packageURL(path, version)},
			},
		}
	}
	for _, program := range p.programs {
		add("std", strings.TrimPrefix(program.GoVersion, "go"), "")
		for _, module := range program.Deps {
			add(module.Path, module.Version, "go.sum "+module.Sum)
		}
	}
	var result []*spdx.Package
	for _, part := range parts {
		result = append(result, part)
	}
	slices.SortFunc(result, func(a, b *spdx.Package) int { return strings.Compare(a.PackageName, b.PackageName) })
	return result
}

// packageURL names a module as https://github.com/package-url/purl-spec does.
func packageURL(path, version string) string {
	if path == "std" {
		path = "stdlib" // as vulnerability scanners call it
	}
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// identifier may have letters, digits, dots and hyphens only.
func identifier(path, version string) common.ElementID {
	return common.ElementID(regexp.MustCompile(`[^A-Za-z0-9.-]+`).ReplaceAllString("go-"+path+"-"+version, "-"))
}

func relate(document *spdx.Document, from common.ElementID, to *spdx.Package, how string) {
	document.Relationships = append(document.Relationships, &spdx.Relationship{
		RefA: common.MakeDocElementID("", string(from)), RefB: common.MakeDocElementID("", string(to.PackageSPDXIdentifier)), Relationship: how,
	})
}

func writeBill(file string, document *spdx.Document) error {
	var content bytes.Buffer
	if err := spdxjson.Write(document, &content, spdxjson.Indent("  "), spdxjson.EscapeHTML(false)); err != nil {
		return err
	}
	return os.WriteFile(file, content.Bytes(), 0o644)
}
