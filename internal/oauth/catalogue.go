package oauth

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// embedded are the entries that come with the program.
//
//go:embed vendors/*.yaml
var embedded embed.FS

// largestEntry bounds a file of the catalogue.
const largestEntry = 1 << 20

// Catalogue is the set of vendors that this process knows. It is immutable and safe for concurrent use.
type Catalogue struct{ vendors map[string]*Vendor }

// LoadCatalogue reads the embedded entries, then those of a directory (empty: none), which are added or take the place of embedded
// ones of the same name. Files named *.yaml, *.yml or *.json are read, hidden ones left out. The error names every fault of every
// entry, with file and field.
func LoadCatalogue(dir string) (*Catalogue, error) {
	builtIn, err := fs.Sub(embedded, "vendors")
	if err != nil {
		return nil, err
	}
	vendors, faults := readEntries(builtIn)
	if dir != "" {
		added, addedFaults := readEntries(os.DirFS(dir))
		maps.Copy(vendors, added)
		faults = append(faults, addedFaults...)
	}
	if err = errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Catalogue{vendors: vendors}, nil
}

// Vendor returns the entry of that name.
func (c *Catalogue) Vendor(name string) (*Vendor, bool) {
	vendor, ok := c.vendors[name]
	return vendor, ok
}

// GrantOf is the grant that counts where a user states one or, with an empty one, none: the vendor's then; empty where that is left open.
func (c *Catalogue) GrantOf(vendor string, stated GrantType) GrantType {
	if entry, ok := c.vendors[vendor]; ok && stated == "" {
		return entry.preferredGrant()
	}
	return stated
}

// Names returns the names of all vendors, sorted.
func (c *Catalogue) Names() []string { return slices.Sorted(maps.Keys(c.vendors)) }

// readEntries reads the entries of one directory, not of those below it.
func readEntries(dir fs.FS) (map[string]*Vendor, []error) {
	vendors, from := make(map[string]*Vendor), make(map[string]string)
	files, err := fs.ReadDir(dir, ".")
	if err != nil {
		return vendors, []error{fmt.Errorf("vendor catalogue: %w", err)}
	}
	var faults []error
	for _, file := range files {
		if !isEntryFile(dir, file.Name()) {
			continue
		}
		vendor, fileFaults := readEntry(dir, file.Name())
		if other, twice := from[vendor.Name]; twice && vendor.Name != "" {
			fileFaults = append(fileFaults, fmt.Sprintf("name: %s is taken by %s in the same directory", quote(vendor.Name), other))
		}
		for _, fault := range fileFaults {
			faults = append(faults, fmt.Errorf("%s: %s", file.Name(), fault))
		}
		vendors[vendor.Name], from[vendor.Name] = vendor, file.Name()
	}
	return vendors, faults
}

// isEntryFile leaves out what a mounted ConfigMap keeps beside its keys: the link ..data and the directory that it points to. The
// keys themselves are links to files.
func isEntryFile(dir fs.FS, name string) bool {
	if strings.HasPrefix(name, ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
		return false
	}
	info, err := fs.Stat(dir, name)
	return err != nil || !info.IsDir() // what can't be looked at becomes a fault when it is read
}

// readEntry reads one file. What could be read is returned with the faults, if only the name.
func readEntry(dir fs.FS, name string) (*Vendor, []string) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return &Vendor{}, []string{"can't be read: " + err.Error()}
	}
	if info.Size() > largestEntry {
		return &Vendor{}, []string{"is larger than 1 MiB"}
	}
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return &Vendor{}, []string{"can't be read: " + err.Error()}
	}
	return parseVendor(text)
}
