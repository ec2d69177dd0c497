package local

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

// storedSecret reads a secret from a file. If the file does not exist, it creates the file
// with a random secret.
func storedSecret(file string) (string, error) {
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
	random := make([]byte, secretBytes)
	rand.Read(random) // it never fails
	secret := hex.EncodeToString(random)
	if err := writeAtomic(file, secret+"\n"); err != nil {
		return "", fmt.Errorf("store a secret: %w", err)
	}
	return secret, nil
}

// writeAtomic writes a file atomically. Only its owner can read it.
func writeAtomic(file, text string) (err error) {
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
