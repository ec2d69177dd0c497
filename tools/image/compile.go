package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/prometheus/procfs"
)

// tags and flags are those of the template's Dockerfile: an image is the same program,
// whoever builds it.
const (
	tags        = "timetzdata,lambda.norpc,countries"
	linkerFlags = "-s -w"
)

// compile builds a function's program for a platform, and returns how many bytes of memory
// that took; 0 where this can't be known.
func compile(ctx context.Context, root, name string, platform v1.Platform, program string) (memory int64, err error) {
	if missing := asset(root, name); missing != "" {
		return 0, fmt.Errorf("%s is missing: make it first, with make build", missing)
	}
	out, err := filepath.Abs(program)
	if err != nil {
		return 0, fmt.Errorf("find the place for the program: %w", err)
	}
	var said bytes.Buffer
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", linkerFlags, "-o", out, "./functions/"+name+"/cmd")
	build.Dir, build.Stdout, build.Stderr = root, &said, &said
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOFLAGS=")
	build.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	build.Cancel = func() error { return syscall.Kill(-build.Process.Pid, syscall.SIGKILL) }
	if err := build.Start(); err != nil {
		return 0, fmt.Errorf("start go build: %w", err)
	}
	ended := make(chan error)
	go func() { ended <- build.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return memory, fmt.Errorf("go build for %s: %w: %s", platform.String(), err, strings.TrimSpace(said.String()))
			}
			return memory, nil
		case <-time.After(50 * time.Millisecond):
			memory = max(memory, resident(build.Process.Pid))
		}
	}
}

// asset is what the function has built in and the checkout lacks; "" when it lacks nothing.
func asset(root, name string) string {
	needed := map[string]string{"dashboard": "functions/dashboard/assets/index.html", "track": "shared/ingest/enrich/data/country.mmdb"}[name]
	if needed == "" {
		return ""
	}
	if _, err := os.Stat(filepath.Join(root, needed)); err != nil {
		return needed
	}
	return ""
}

// resident is how many bytes of memory the processes of a group have.
func resident(group int) (bytes int64) {
	processes, err := procfs.AllProcs()
	if err != nil {
		return 0
	}
	for _, process := range processes {
		if stat, err := process.Stat(); err == nil && stat.PGRP == group {
			bytes += int64(stat.ResidentMemory())
		}
	}
	return bytes
}
