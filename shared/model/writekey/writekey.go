// Package writekey identifies the servers of a site. One that sends events with a write key
// is believed when it names the address and the user agent of the visitor for whom it sends.
//
// It is pure. The secrets of keys must never be stored.
package writekey

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// Prefix is the prefix of every write key, so that it can be told from the name of a site.
const Prefix = "wk_"

// Is reports whether a text has the form of a write key.
func Is(text string) bool { return strings.HasPrefix(text, Prefix) }

// Hash is the SHA-256 of a write key, which is stored in its place. A key has 256 random
// bits, so how long it takes to look up a hash reveals nothing of use.
type Hash [sha256.Size]byte

// HashOf returns the hash of a write key.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// Key is what a write key allows.
type Key struct {
	Sites []int32 // the sites whose events it may send; empty for all
	Only  string  // public id of its site if it is for only one; otherwise ""
}

// Covers reports whether the key is for a site.
func (k *Key) Covers(site int32) bool { return len(k.Sites) == 0 || slices.Contains(k.Sites, site) }
