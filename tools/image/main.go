// Command image builds the images of functions: without a container engine, for several
// processors, the same bytes from the same commit, each with a list of what is in it (SBOM)
// and a statement of how it was made (provenance). It pushes them by digest, or writes them
// into a folder.
//
// An image has two files, the program and the certificates of authorities. It must never
// have more, and nothing that differs between two builds of one commit.
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

// options are what the command is told.
type options struct {
	Root      string   `default:"." type:"existingdir" help:"The checkout to build."`
	Functions []string `help:"Functions to build; all by default."`
	Platforms []string `default:"linux/amd64,linux/arm64" help:"Platforms to build for."`
	Prefix    string   `env:"IMAGES" required:"" help:"What the names of the images begin with: a registry and a path, such as ghcr.io/example."`
	Version   string   `env:"VERSION" default:"latest" help:"Tag of the images, which they have beside their digests."`
	Revision  string   `env:"REVISION" required:"" help:"Commit that is built."`
	Created   int64    `env:"SOURCE_DATE_EPOCH" required:"" help:"When that was made, in seconds since 1970: the time of all that is in the images."`
	Source    string   `env:"SOURCE" default:"https://github.com/analytics-platform/analytics" help:"Where the source is."`
	Builder   string   `env:"BUILDER" default:"https://github.com/analytics-platform/analytics/tools/image" help:"Who builds, as the provenance names it."`
	Layout    string   `placeholder:"DIR" help:"Write the images there, as OCI image layouts, and push nothing."`
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

// run builds all images and publishes each. What it made is said on out, a name with its
// digest a line; how it goes on progress.
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
			return fmt.Errorf("there is no function %s: there are %s", name, strings.Join(all, ", "))
		}
	}
	var platforms []v1.Platform
	for _, name := range o.Platforms {
		platform, err := v1.ParsePlatform(name)
		if err != nil || platform.OS == "" || platform.Architecture == "" {
			return fmt.Errorf("%q is no platform: say, for instance, linux/arm64", name)
		}
		platforms = append(platforms, *platform)
	}
	scratch, err := os.MkdirTemp("", "image-")
	if err != nil {
		return fmt.Errorf("make a folder for programs: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	var peak int64
	for _, name := range names {
		made, memory, err := o.build(ctx, name, platforms, scratch, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		peak = max(peak, memory)
		reference, err := o.publish(ctx, made)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := fmt.Fprintln(out, reference); err != nil {
			return fmt.Errorf("say what was made: %w", err)
		}
	}
	if peak == 0 { // it can't be known here
		return nil
	}
	_, err = fmt.Fprintf(progress, "building took %d MB of memory at most\n", peak>>20)
	return err
}

// made is an image for all platforms, with what is attached to it.
type made struct {
	name     string
	index    v1.ImageIndex
	attached []v1.Image
}

// build builds a function for each platform, one after the other: so it takes the least
// memory.
func (o *options) build(ctx context.Context, name string, platforms []v1.Platform, scratch string, progress io.Writer) (m made, memory int64, err error) {
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
		if err := tell(progress, name, platform, program, image); err != nil {
			return m, memory, err
		}
	}
	if m.index, err = together(images, platforms, o.labels(name)); err != nil {
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

// tell says how large a program and its image are.
func tell(progress io.Writer, name string, platform v1.Platform, program string, image v1.Image) error {
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

// functions are the names of all functions of a checkout.
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

// labels are what an image says of itself, as OCI names it.
func (o *options) labels(name string) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title": name, prefix + "version": o.Version, prefix + "revision": o.Revision, prefix + "source": o.Source,
		prefix + "licenses": "Apache-2.0", prefix + "created": time.Unix(o.Created, 0).UTC().Format(time.RFC3339),
	}
}

// document is v as JSON.
func document(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	return text, nil
}
