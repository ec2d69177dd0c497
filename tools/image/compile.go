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

// The build tags and linker flags are those of the template's Dockerfile, so that every build
// gives the same program.
const (
	tags        = "timetzdata,lambda.norpc,countries"
	linkerFlags = "-s -w"
)

// compile builds a function's program for a platform. It returns the peak memory of the build
// in bytes, or 0 if it is unknown.
func compile(ctx context.Context, root, name string, platform v1.Platform, program string) (memory int64, err error) {
	if missing := asset(root, name); missing != "" {
		return 0, fmt.Errorf("%s is missing: run make build first", missing)
	}
	out, err := filepath.Abs(program)
	if err != nil {
		return 0, fmt.Errorf("find the path of the program: %w", err)
	}
	var output bytes.Buffer
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", linkerFlags, "-o", out, "./functions/"+name+"/cmd")
	build.Dir, build.Stdout, build.Stderr = root, &output, &output
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
				return memory, fmt.Errorf("go build for %s: %w: %s", platform.String(), err, strings.TrimSpace(output.String()))
			}
			return memory, nil
		case <-time.After(50 * time.Millisecond):
			memory = max(memory, resident(build.Process.Pid))
		}
	}
}

// asset returns an embedded file of the function that the checkout lacks, or "".
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

// resident returns the resident memory of a process group in bytes.
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
