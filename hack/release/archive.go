package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

// entry is a file of an archive.
type entry struct {
	name    string
	content []byte
	program bool
}

func (e entry) mode() os.FileMode {
	if e.program {
		return 0o755
	}
	return 0o644
}

// writeArchive writes a .zip, .tar, .tar.gz or .tgz. Its bytes follow from the entries and the time alone: no owner, no clock, no system.
func writeArchive(file string, entries []entry, at time.Time) error {
	var content bytes.Buffer
	var err error
	switch {
	case strings.HasSuffix(file, ".zip"):
		err = writeZip(&content, entries, at)
	case strings.HasSuffix(file, ".tar"):
		err = writeTar(&content, entries, at)
	default:
		compressed := gzip.NewWriter(&content)
		if err = writeTar(compressed, entries, at); err == nil {
			err = compressed.Close()
		}
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, content.Bytes(), 0o644)
}

func writeTar(to io.Writer, entries []entry, at time.Time) error {
	archive := tar.NewWriter(to)
	for _, e := range entries {
		header := &tar.Header{
			Name: e.name, Size: int64(len(e.content)), Mode: int64(e.mode()), ModTime: at.UTC(), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func writeZip(to io.Writer, entries []entry, at time.Time) error {
	archive := zip.NewWriter(to)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at.UTC()}
		header.SetMode(e.mode())
		file, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := file.Write(e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// readTarGz are the files of a .tgz.
func readTarGz(content []byte) ([]entry, error) {
	uncompressed, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	var entries []entry
	for archive := tar.NewReader(uncompressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		} else if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		file, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: header.Name, content: file, program: header.FileInfo().Mode()&0o100 != 0})
	}
}
