package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is the unprivileged user that runs the program. It is numeric, so that Kubernetes can
// verify that it is not root.
const user = "65532:65532"

// assemble returns the image of a program.
func assemble(program string, platform v1.Platform, created time.Time, labels map[string]string) (v1.Image, error) {
	files, err := archive(program, created)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("create a layer: %w", err)
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant, Created: v1.Time{Time: created},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{User: user, Entrypoint: []string{"/server"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}}, Labels: labels},
	})
	if err == nil {
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "tools/image"}})
	}
	if err != nil {
		return nil, fmt.Errorf("create an image: %w", err)
	}
	return image, nil
}

// archive returns a tar archive of an image's files: the program, and the root certificates
// of Mozilla's list.
func archive(program string, created time.Time) ([]byte, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	var authorities bytes.Buffer
	for root := range bundle.Roots() {
		authorities.Write(pemOf(root))
	}
	var out bytes.Buffer
	files := tar.NewWriter(&out)
	for _, file := range []struct {
		name string
		mode int64
		text []byte
	}{{"etc/ssl/certs/ca-certificates.crt", 0o644, authorities.Bytes()}, {"server", 0o755, text}} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.text)), ModTime: created, Format: tar.FormatPAX}
		if err := files.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("add %s to the image: %w", file.name, err)
		}
		if _, err := files.Write(file.text); err != nil {
			return nil, fmt.Errorf("add %s to the image: %w", file.name, err)
		}
	}
	if err := files.Close(); err != nil {
		return nil, fmt.Errorf("close the layer: %w", err)
	}
	return out.Bytes(), nil
}

// sizeOf returns the download size of an image in bytes.
func sizeOf(image v1.Image) (size int64, err error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, fmt.Errorf("read a manifest: %w", err)
	}
	size = manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}

// indexOf returns the index of a function's images for all platforms.
func indexOf(images []v1.Image, platforms []v1.Platform, labels map[string]string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platforms[i]}})
	}
	annotated, ok := mutate.Annotations(index, labels).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("unexpected type %T of an annotated index", annotated)
	}
	return annotated, nil
}

// attach returns a document about an image, in the form of an OCI referrer.
func attach(to partial.Describable, kind types.MediaType, text []byte) (v1.Image, error) {
	subject, err := partial.Descriptor(to)
	if err != nil {
		return nil, fmt.Errorf("describe an image: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), kind)
	image, err = mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(text, kind)})
	if err != nil {
		return nil, fmt.Errorf("attach a document: %w", err)
	}
	referrer, ok := mutate.Subject(image, v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("unexpected type %T of an image with a subject", referrer)
	}
	return referrer, nil
}
