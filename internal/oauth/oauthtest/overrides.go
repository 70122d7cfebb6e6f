package oauthtest

import (
	"fmt"
	"io/fs"
	"regexp"
)

// The parts of a catalogue entry that are looked for.
var (
	entryName     = regexp.MustCompile(`(?m)^name: *(\S+)`)
	entryEndpoint = regexp.MustCompile(`(?m)^( +\w+URL: *["']?)https?://[^/\s"']+(/)`)
)

// Overrides reads catalogue entries (files named *.yaml) and returns copies, by file name, whose endpoints are this server's: scheme
// and host are replaced, the vendor's prefix and the entry's own path follow. They are what --vendors-dir takes. Entries without
// endpoints, such as Generic's, and those of vendors that are not played here are left out. The server must be listening.
func (s *Server) Overrides(entries fs.FS) (map[string][]byte, error) {
	names, err := fs.Glob(entries, "*.yaml")
	if err != nil {
		return nil, err
	}
	overrides := map[string][]byte{}
	for _, name := range names {
		entry, err := fs.ReadFile(entries, name)
		if err != nil {
			return nil, fmt.Errorf("reading a catalogue entry: %w", err)
		}
		if override, ok := s.override(entry); ok {
			overrides[name] = override
		}
	}
	return overrides, nil
}

func (s *Server) override(entry []byte) ([]byte, bool) {
	name := entryName.FindSubmatch(entry)
	if name == nil || !entryEndpoint.Match(entry) {
		return nil, false
	}
	d, played := s.dialects[Vendor(name[1])]
	if !played {
		return nil, false
	}
	return entryEndpoint.ReplaceAll(entry, []byte("${1}"+s.URL()+d.prefix+"${2}")), true
}
