// Package secret stores generated secrets in files that only their owner can read.
package secret

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// secretBytes is the number of random bytes in a generated secret.
const secretBytes = 32

// New returns a random secret, in hexadecimal.
func New() string {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random)
}

// Stored reads a secret from a file. If the file does not exist, it creates the file with a
// random secret.
func Stored(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		if secret := strings.TrimSpace(string(text)); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("%s is empty: write the secret into it, or remove it to generate a new one", file)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	secret := New()
	if err := Store(file, secret); err != nil {
		return "", err
	}
	return secret, nil
}

// Store writes a secret into a file, atomically.
func Store(file, secret string) error {
	if err := write(file, secret+"\n"); err != nil {
		return fmt.Errorf("store a secret: %w", err)
	}
	return nil
}

func write(file, text string) (err error) {
	unfinished, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(unfinished.Name())
		}
	}()
	_, err = unfinished.WriteString(text)
	if err = errors.Join(err, unfinished.Sync(), unfinished.Close()); err != nil {
		return err
	}
	return os.Rename(unfinished.Name(), file)
}
