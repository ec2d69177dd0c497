// Package bearer checks secrets that clients send as "Authorization: Bearer SECRET".
package bearer

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
)

const (
	// MinLength is the minimum length of a token in bytes.
	MinLength = 32
	// MinDistinct is the minimum number of different bytes in a token. It rejects repetitions,
	// and no random one: of 100 million tokens of 48 hexadecimal digits, one has fewer.
	MinDistinct = 10
)

// Token is a secret of the installation. The zero Token matches nothing.
type Token struct {
	hash [sha256.Size]byte // so that a comparison does not reveal the length
	set  bool
}

// New returns the token with the given text, which must have at least MinLength bytes, of
// which MinDistinct differ. The error names the variable that holds it.
func New(variable, text string) (Token, error) {
	distinct := map[byte]bool{}
	for i := range len(text) {
		distinct[text[i]] = true
	}
	if len(text) < MinLength || len(distinct) < MinDistinct {
		return Token{}, fmt.Errorf("%s must have at least %d characters, and %d different ones, e.g. from: openssl rand -hex 32", variable, MinLength, MinDistinct)
	}
	return Token{sha256.Sum256([]byte(text)), true}, nil
}

// Optional is like New, but returns the zero Token for an empty text.
func Optional(variable, text string) (Token, error) {
	if text == "" {
		return Token{}, nil
	}
	return New(variable, text)
}

// IsZero reports whether there is no token.
func (t Token) IsZero() bool { return !t.set }

// Matches reports whether a secret is the token. It takes the same time for all secrets of
// the same length.
func (t Token) Matches(secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return t.set && subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1
}

// Sent reports whether a request has the token.
func (t Token) Sent(r *http.Request) bool {
	secret, ok := Secret(r)
	return ok && t.Matches(secret)
}

// Secret returns the secret of a request. ok is false if its header Authorization is missing or
// has another scheme.
func Secret(r *http.Request) (secret string, ok bool) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), strings.EqualFold(scheme, "Bearer")
}
