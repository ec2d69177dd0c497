package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// publish pushes an image, the attached documents and finally the tag, so that the tag never
// names an incomplete image. It returns the image's name with its digest. The credentials are
// those of docker login.
func (o *options) publish(ctx context.Context, m multiImage) (reference string, err error) {
	digest, err := m.index.Digest()
	if err != nil {
		return "", fmt.Errorf("compute the digest: %w", err)
	}
	reference = m.name + "@" + digest.String()
	if o.Layout != "" {
		return reference, o.write(m)
	}
	repository, err := name.NewRepository(m.name)
	if err != nil {
		return "", fmt.Errorf("IMAGES: %w", err)
	}
	to := []remote.Option{remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithContext(ctx)}
	if err := remote.WriteIndex(repository.Digest(digest.String()), m.index, to...); err != nil {
		return "", fmt.Errorf("push the image: %w", err)
	}
	for _, attached := range m.attached {
		digest, err := attached.Digest()
		if err == nil {
			err = remote.Write(repository.Digest(digest.String()), attached, to...)
		}
		if err != nil {
			return "", fmt.Errorf("push a document of the image: %w", err)
		}
	}
	if err := remote.Tag(repository.Tag(o.Version), m.index, to...); err != nil {
		return "", fmt.Errorf("tag the image: %w", err)
	}
	return reference, nil
}

// write writes the image and the attached documents into a directory.
func (o *options) write(m multiImage) error {
	folder, err := layout.Write(filepath.Join(o.Layout, filepath.Base(m.name)), empty.Index)
	if err == nil {
		err = folder.AppendIndex(m.index)
	}
	for _, attached := range m.attached {
		if err == nil {
			err = folder.AppendImage(attached)
		}
	}
	if err != nil {
		return fmt.Errorf("write the image into %s: %w", o.Layout, err)
	}
	return nil
}
