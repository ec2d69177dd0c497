// Command bundle builds functions for AWS Lambda: an archive NAME.zip for each, with the
// program as "bootstrap", which the runtime provided.al2023 starts. Builds are reproducible.
package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/alecthomas/kong"
)

type options struct {
	Arch      string   `enum:"arm64,amd64" default:"arm64" help:"Architecture to build for: ${enum}."`
	Into      string   `default:"bin/lambda" help:"Output directory."`
	Functions []string `arg:"" help:"Names of the functions."`
}

func main() {
	var o options
	command := kong.Parse(&o, kong.Name("bundle"), kong.Description("Builds functions for AWS Lambda."))
	command.FatalIfErrorf(o.run())
}

func (o *options) run() error {
	if err := os.MkdirAll(o.Into, 0o750); err != nil {
		return fmt.Errorf("create the output directory: %w", err)
	}
	for _, function := range o.Functions {
		if err := o.bundle(function); err != nil {
			return fmt.Errorf("%s: %w", function, err)
		}
	}
	return nil
}

func (o *options) bundle(function string) (err error) {
	program := filepath.Join(o.Into, function+".bootstrap")
	defer func() { err = errors.Join(err, os.RemoveAll(program)) }()
	// As in the images, time zones and countries are embedded. lambda.norpc omits code that
	// only the runtime go1.x needs.
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=timetzdata,lambda.norpc,countries", "-o", program, "./functions/"+function+"/cmd") //nolint:noctx // ends with this program
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+o.Arch)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	archive := filepath.Join(o.Into, function+".zip")
	if err := archiveProgram(program, archive); err != nil {
		return err
	}
	info, err := os.Stat(archive)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.1f MB for linux/%s, built by %s\n", archive, float64(info.Size())/1e6, o.Arch, runtime.Version())
	return nil
}

// archiveProgram writes an archive of a program, without its modification time.
func archiveProgram(program, archive string) (err error) {
	in, err := os.Open(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	z := zip.NewWriter(out)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	file, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, in); err != nil {
		return err
	}
	return z.Close()
}
