package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// noticesFile is in the project's top folder, in the image and in every archive.
const noticesFile = "THIRD_PARTY_NOTICES"

// notices hands on every licence and attribution, each text once. Versions are left out: a new one changes nothing here.
func notices(components []component) string {
	users := map[string][]string{} // of a text
	var texts []string             // in the order of their first users
	for _, c := range components {
		for _, text := range c.Texts {
			text = tidy(text)
			if users[text] == nil {
				texts = append(texts, text)
			}
			if name := displayName(c); !slices.Contains(users[text], name) {
				users[text] = append(users[text], name)
			}
		}
	}
	var out strings.Builder
	out.WriteString("Tokensync is under the Apache License 2.0 (the file LICENSE). Its programs contain code of others, under the terms below.\n" +
		"Written by `make generate`.\n")
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n\n", strings.Repeat("=", 100))
		for _, user := range users[text] {
			fmt.Fprintf(&out, "%s\n", user)
		}
		fmt.Fprintf(&out, "\n%s\n", text)
	}
	return out.String()
}

func displayName(c component) string {
	if c.Path == "std" {
		return "the Go standard library"
	}
	return c.Path
}

// tidy makes texts equal that differ in white space at the ends of lines only.
func tidy(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func writeNotices(components []component) error {
	return os.WriteFile(filepath.Join(root, noticesFile), []byte(notices(components)), 0o644)
}
