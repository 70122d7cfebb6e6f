package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildImages builds the manager's image for each platform and writes one archive that has all of them. It returns what the programs
// in them were built from.
func buildImages(ctx context.Context, r *release, folder string) ([]*buildinfo.BuildInfo, error) {
	base, err := buildBase(ctx)
	if err != nil {
		return nil, err
	}
	images := map[platform]layout{}
	var programs []*buildinfo.BuildInfo
	for _, arch := range []string{"amd64", "arm64"} {
		r.say("image for linux/" + arch)
		image, err := buildImage(ctx, r, platform{Architecture: arch, OS: "linux"}, base, filepath.Join(folder, "image-"+arch))
		if err != nil {
			return nil, err
		}
		manager, err := image.file("manager")
		if err != nil {
			return nil, err
		}
		program, err := buildinfo.Read(bytes.NewReader(manager))
		if err != nil {
			return nil, err
		}
		programs = append(programs, program)
		images[platform{Architecture: arch, OS: "linux"}] = image
	}
	joined, err := join(r.image(), images)
	if err != nil {
		return nil, err
	}
	entries, err := joined.entries()
	if err != nil {
		return nil, err
	}
	return programs, writeArchive(r.path(fmt.Sprintf("tokensync-image-%s.oci.tar", r.version)), entries, r.commit.time)
}

// buildBase is the base of the build stage, made once for all platforms where it is made here.
func buildBase(ctx context.Context) (string, error) {
	base := os.Getenv("BUILD_BASE")
	if base != "local" {
		return base, nil
	}
	command := exec.CommandContext(ctx, "hack/image/base.sh")
	command.Dir, command.Stderr = root, os.Stderr
	out, err := command.Output()
	return string(bytes.TrimSpace(out)), err
}

func buildImage(ctx context.Context, r *release, p platform, base, folder string) (layout, error) {
	build := exec.CommandContext(ctx, "hack/image/build.sh")
	build.Dir = root
	build.Env = append(os.Environ(), "IMAGE="+r.image(), "VERSION="+string(r.version), "COMMIT="+r.commit.hash, "BUILD_BASE="+base,
		"PLATFORM="+p.OS+"/"+p.Architecture, "OUTPUT=oci:"+folder)
	if out, err := build.CombinedOutput(); err != nil {
		return layout{}, fmt.Errorf("build the image for %s/%s: %w\n%s", p.OS, p.Architecture, err, out)
	}
	return readLayout(folder)
}
