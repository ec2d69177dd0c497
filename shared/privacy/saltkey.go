package privacy

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// MinSaltKey is the minimum length of a salt key in bytes.
const MinSaltKey = 32

// SealedSalt is a salt as it is stored: encrypted under a salt key, and bound to its day.
type SealedSalt []byte

// SaltKeys encrypt salts where they are stored. They are secrets outside the database and
// Redis, so a copy of either server's files, such as a backup or a write-ahead log that
// outlives the day, does not reveal a salt.
type SaltKeys struct {
	keys []cipher.AEAD // the first one seals; all of them open
}

// ErrSaltKey is the error for a salt that was sealed under a key that is not among the salt keys.
var ErrSaltKey = errors.New("the salt was encrypted with another key: set SALT_KEY to the current key, a comma and that key")

// UnmarshalText sets the keys to those in text, separated by commas: the current one, then
// previous ones, which still open salts. Each has at least MinSaltKey bytes.
func (k *SaltKeys) UnmarshalText(text []byte) error {
	k.keys = nil
	for secret := range bytes.SplitSeq(text, []byte{','}) {
		secret = bytes.TrimSpace(secret)
		if len(secret) < MinSaltKey {
			return fmt.Errorf("a key has %d characters and needs at least %d, e.g. from `openssl rand -hex 32`", len(secret), MinSaltKey)
		}
		key, err := hkdf.Key(sha256.New, secret, nil, "analytics salt", sha256.Size)
		if err != nil {
			return fmt.Errorf("derive the key of salts: %w", err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return fmt.Errorf("create the cipher of salts: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return fmt.Errorf("create the cipher of salts: %w", err)
		}
		k.keys = append(k.keys, aead)
	}
	return nil
}

// Seal encrypts the salt of a day under the current key.
func (k *SaltKeys) Seal(day event.Day, salt Salt) SealedSalt {
	return k.keys[0].Seal(nil, nil, salt[:], []byte(day.String())) //nolint:gosec // G407: the cipher makes its own nonce
}

// Open decrypts the salt of a day. Current reports whether it was sealed under the current
// key; if not, it is to be sealed again. The error is ErrSaltKey if no key opens it.
//
// It also takes a plain salt, as stored by versions without salt keys.
func (k *SaltKeys) Open(day event.Day, sealed SealedSalt) (salt Salt, current bool, err error) {
	if len(sealed) == SaltSize {
		return Salt(sealed), false, nil
	}
	for i, key := range k.keys {
		plain, err := key.Open(nil, nil, sealed, []byte(day.String()))
		if err == nil && len(plain) == SaltSize {
			return Salt(plain), i == 0, nil
		}
	}
	return Salt{}, false, ErrSaltKey
}
