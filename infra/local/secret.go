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

// secretBytes is how much randomness a generated secret has.
const secretBytes = 32

// keptSecret reads a secret from a file, which is made with a random one at first.
func keptSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		if secret := strings.TrimSpace(string(text)); secret != "" {
			return secret, nil
		}
		return "", fmt.Errorf("%s is empty: write the secret into it, or remove it to have a new one made", file)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	random := make([]byte, secretBytes)
	rand.Read(random) // it never fails
	secret := hex.EncodeToString(random)
	if err := writeWhole(file, secret+"\n"); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return secret, nil
}

// writeWhole writes a file that only its owner can read, whole or not at all.
func writeWhole(file, text string) (err error) {
	unfinished, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // for its owner only
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
