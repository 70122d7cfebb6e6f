package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What follows is the little that is needed of the OCI image specification, version 1: an image layout is a folder with `oci-layout`,
// `index.json`, and blobs named after their digests.

const indexType = "application/vnd.oci.image.index.v1+json"

// descriptor points to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// layout is an image layout in memory.
type layout struct {
	image descriptor        // what its index.json names
	blobs map[string][]byte // by file name under blobs/
}

// readLayout reads a layout of one image.
func readLayout(folder string) (layout, error) {
	result := layout{blobs: map[string][]byte{}}
	text, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		return layout{}, err
	}
	var top index
	if err := json.Unmarshal(text, &top); err != nil {
		return layout{}, fmt.Errorf("%s: %w", folder, err)
	}
	if len(top.Manifests) != 1 {
		return layout{}, fmt.Errorf("%s: %d images, not one", folder, len(top.Manifests))
	}
	result.image = top.Manifests[0]
	blobs := filepath.Join(folder, "blobs")
	return result, filepath.WalkDir(blobs, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(blobs, path)
		if err != nil {
			return err
		}
		result.blobs[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
}

// join makes one image for several platforms, called by the reference.
func join(reference string, images map[platform]layout) (layout, error) {
	result := layout{blobs: map[string][]byte{}}
	list := index{SchemaVersion: 2, MediaType: indexType}
	for p, image := range images {
		d := image.image
		d.Platform, d.Annotations = &p, nil
		list.Manifests = append(list.Manifests, d)
		maps.Copy(result.blobs, image.blobs)
	}
	slices.SortFunc(list.Manifests, func(a, b descriptor) int { return strings.Compare(a.Platform.Architecture, b.Platform.Architecture) })
	text, err := json.Marshal(list)
	if err != nil {
		return layout{}, err
	}
	result.image = descriptor{MediaType: indexType, Digest: digest(text), Size: int64(len(text)), Annotations: map[string]string{
		"org.opencontainers.image.ref.name": reference[strings.LastIndex(reference, ":")+1:],
		"io.containerd.image.name":          fullName(reference), // for those who import it
	}}
	result.blobs[blobName(result.image.Digest)] = text
	return result, nil
}

// fullName is a reference as containerd compares them: with its registry, which is Docker's where none is named.
func fullName(reference string) string {
	registry, rest, hasPath := strings.Cut(reference, "/")
	switch {
	case !hasPath:
		return "docker.io/library/" + reference
	case registry == "docker.io" && !strings.Contains(rest, "/"):
		return "docker.io/library/" + rest
	case registry == "localhost" || strings.ContainsAny(registry, ".:"):
		return reference
	}
	return "docker.io/" + reference
}

// entries are the layout's files, as an OCI archive has them.
func (l layout) entries() ([]entry, error) {
	top, err := json.Marshal(index{SchemaVersion: 2, MediaType: indexType, Manifests: []descriptor{l.image}})
	if err != nil {
		return nil, err
	}
	result := []entry{
		{name: "oci-layout", content: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", content: top},
	}
	for name, blob := range l.blobs {
		result = append(result, entry{name: "blobs/" + name, content: blob})
	}
	slices.SortFunc(result[2:], func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return result, nil
}

// file finds a file in the layers of a layout of one platform.
func (l layout) file(name string) ([]byte, error) {
	var manifest struct {
		Layers []descriptor `json:"layers"`
	}
	if err := json.Unmarshal(l.blobs[blobName(l.image.Digest)], &manifest); err != nil {
		return nil, fmt.Errorf("the image's manifest: %w", err)
	}
	for _, layer := range slices.Backward(manifest.Layers) {
		files, err := readTarGz(l.blobs[blobName(layer.Digest)])
		if err != nil {
			return nil, fmt.Errorf("a layer of the image: %w", err)
		}
		for _, file := range files {
			if file.name == name {
				return file.content, nil
			}
		}
	}
	return nil, fmt.Errorf("the image has no file %s", name)
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func blobName(digest string) string { return strings.Replace(digest, ":", "/", 1) }
