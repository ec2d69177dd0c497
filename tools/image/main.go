// Command image builds the images of functions for several platforms, without a container
// engine. Builds are reproducible. Each image has an SBOM and a provenance statement. The
// command pushes the images by digest, or writes them into a directory.
//
// An image has two files, the program and the root certificates. It must never have more, or
// anything that differs between two builds of a commit.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// options are the flags of the command.
type options struct {
	Root      string   `default:"." type:"existingdir" help:"Checkout to build."`
	Functions []string `help:"Functions to build; all by default."`
	Platforms []string `default:"linux/amd64,linux/arm64" help:"Platforms to build for."`
	Prefix    string   `env:"IMAGES" required:"" help:"Prefix of the image names: a registry and a path, such as ghcr.io/example."`
	Version   string   `env:"VERSION" default:"latest" help:"Tag of the images."`
	Revision  string   `env:"REVISION" required:"" help:"Commit of the checkout."`
	Created   int64    `env:"SOURCE_DATE_EPOCH" required:"" help:"Time of the commit, in seconds since 1970; it becomes the time of the images and their files."`
	Source    string   `env:"SOURCE" default:"https://github.com/analytics-platform/analytics" help:"URL of the source."`
	Builder   string   `env:"BUILDER" default:"https://github.com/analytics-platform/analytics/tools/image" help:"Id of the builder in the provenance."`
	Layout    string   `placeholder:"DIR" help:"Write the images to this directory as OCI image layouts, instead of pushing them."`
}

func main() {
	var o options
	kong.Parse(&o, kong.Name("image"), kong.Description("Builds the images of functions and pushes them."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds and publishes the images. It prints the names of the images with their digests
// to out, one per line, and its progress to progress.
func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	all, err := functions(o.Root)
	if err != nil {
		return err
	}
	names := o.Functions
	if len(names) == 0 {
		names = all
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return fmt.Errorf("there is no function %s; the functions are %s", name, strings.Join(all, ", "))
		}
	}
	var platforms []v1.Platform
	for _, name := range o.Platforms {
		platform, err := v1.ParsePlatform(name)
		if err != nil || platform.OS == "" || platform.Architecture == "" {
			return fmt.Errorf("%q is not a platform: use, for example, linux/arm64", name)
		}
		platforms = append(platforms, *platform)
	}
	scratch, err := os.MkdirTemp("", "image-")
	if err != nil {
		return fmt.Errorf("create a directory for programs: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	var peak int64
	for _, name := range names {
		built, memory, err := o.build(ctx, name, platforms, scratch, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		peak = max(peak, memory)
		reference, err := o.publish(ctx, built)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := fmt.Fprintln(out, reference); err != nil {
			return fmt.Errorf("print the name of an image: %w", err)
		}
	}
	if peak == 0 { // unknown on this system
		return nil
	}
	_, err = fmt.Fprintf(progress, "building took %d MB peak memory\n", peak>>20)
	return err
}

// multiImage is an image for all platforms, with the attached documents.
type multiImage struct {
	name     string
	index    v1.ImageIndex
	attached []v1.Image
}

// build builds a function for each platform, one after the other to save memory.
func (o *options) build(ctx context.Context, name string, platforms []v1.Platform, scratch string, progress io.Writer) (m multiImage, memory int64, err error) {
	m.name = path.Join(o.Prefix, name)
	created := time.Unix(o.Created, 0).UTC()
	var images []v1.Image
	for _, platform := range platforms {
		program := filepath.Join(scratch, name+"-"+platform.Architecture)
		used, err := compile(ctx, o.Root, name, platform, program)
		if err != nil {
			return m, memory, err
		}
		memory = max(memory, used)
		image, err := assemble(program, platform, created, o.labels(name))
		if err != nil {
			return m, memory, err
		}
		images = append(images, image)
		bom, err := sbom(o.Root, name, o.Version, program, created)
		if err != nil {
			return m, memory, err
		}
		attachment, err := attach(image, sbomType, bom)
		if err != nil {
			return m, memory, err
		}
		m.attached = append(m.attached, attachment)
		if err := printSizes(progress, name, platform, program, image); err != nil {
			return m, memory, err
		}
	}
	if m.index, err = indexOf(images, platforms, o.labels(name)); err != nil {
		return m, memory, err
	}
	statement, err := provenance(m, o, platforms)
	if err != nil {
		return m, memory, err
	}
	attachment, err := attach(m.index, provenanceType, statement)
	m.attached = append(m.attached, attachment)
	return m, memory, err
}

// printSizes prints the sizes of a program and its image.
func printSizes(progress io.Writer, name string, platform v1.Platform, program string, image v1.Image) error {
	info, err := os.Stat(program)
	if err != nil {
		return fmt.Errorf("measure the program: %w", err)
	}
	size, err := sizeOf(image)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(progress, "%-16s %-11s program %5.1f MB, image %4.1f MB\n", name, platform.String(), megabytes(info.Size()), megabytes(size))
	return err
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1_000_000 }

// functions returns the names of all functions of a checkout.
func functions(root string) ([]string, error) {
	programs, err := filepath.Glob(filepath.Join(root, "functions", "*", "cmd"))
	if err != nil || len(programs) == 0 {
		return nil, fmt.Errorf("%s has no functions/*/cmd", root)
	}
	names := make([]string, len(programs))
	for i, program := range programs {
		names[i] = filepath.Base(filepath.Dir(program))
	}
	return names, nil
}

// labels returns the OCI annotations of an image.
func (o *options) labels(name string) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title": name, prefix + "version": o.Version, prefix + "revision": o.Revision, prefix + "source": o.Source,
		prefix + "licenses": "Apache-2.0", prefix + "created": time.Unix(o.Created, 0).UTC().Format(time.RFC3339),
	}
}

// document encodes v as JSON.
func document(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return text, nil
}
