package sites

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/model/writekey"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// KeyPrefix is the prefix of every API key but write keys, so that a leaked key can be
// recognized. That of write keys is writekey.Prefix.
const KeyPrefix = "ak_"

// IsKey reports whether a text has the form of a key.
func IsKey(text string) bool { return strings.HasPrefix(text, KeyPrefix) || writekey.Is(text) }

// Scope is a set of operations that a key allows.
type Scope string

// The scopes of keys. Their names are stored.
const (
	ScopeQuery Scope = "query" // read reports, goals, segments, funnels and annotations
	ScopeAdmin Scope = "admin" // manage sites, their resources and keys; read the status
	ScopeLive  Scope = "live"  // read live numbers
	ScopeWrite Scope = "write" // send events for visitors, see package writekey
)

// Scopes returns all scopes.
func Scopes() []Scope { return []Scope{ScopeQuery, ScopeAdmin, ScopeLive, ScopeWrite} }

// Key is an API key. Its secret is not stored.
type Key struct {
	ID         int32
	Name       string
	Scopes     []Scope
	Sites      []int32 // the sites that it is for; empty for all
	CreatedAt  time.Time
	LastUsedAt *time.Time // accurate to a minute; nil if it was never used, or is a write key
}

// WriteKey is a key with the scope ScopeWrite.
type WriteKey struct {
	Hash  []byte  // see writekey.Hash
	Sites []int32 // the sites that it is for; empty for all
}

// ErrNoKey is returned if the key does not exist.
var ErrNoKey = errors.New("no such key")

// useInterval is the minimum time between two updates of a key's last use.
const useInterval = time.Minute

const (
	keyColumns = `id, name, scopes, site_ids, created_at, last_used_at`

	selectKeys      = `SELECT ` + keyColumns + ` FROM api_keys ORDER BY id`
	selectWriteKeys = `SELECT hash, site_ids FROM api_keys WHERE 'write' = ANY (scopes) ORDER BY id`
	selectKeyHash   = `SELECT ` + keyColumns + ` FROM api_keys WHERE hash = $1`
	insertKey       = `
INSERT INTO api_keys (name, hash, scopes, site_ids)
VALUES ($1, $2, $3, $4)
RETURNING ` + keyColumns
	deleteKey = `DELETE FROM api_keys WHERE id = $1`
	touchKey  = `
UPDATE api_keys SET last_used_at = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)`
)

// Keys returns all keys, oldest first.
func Keys(ctx context.Context, db database.DB) ([]Key, error) {
	keys, err := selectAll[Key](ctx, db, selectKeys)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return keys, nil
}

// WriteKeys returns all write keys, oldest first.
func WriteKeys(ctx context.Context, db database.DB) ([]WriteKey, error) {
	keys, err := selectAll[WriteKey](ctx, db, selectWriteKeys)
	if err != nil {
		return nil, fmt.Errorf("read write keys: %w", err)
	}
	return keys, nil
}

// CreateKey creates a key for the given sites, or for all sites if there are none. It
// returns the key's secret, which can't be retrieved later.
func CreateKey(ctx context.Context, db database.DB, name string, scopes []Scope, sites []int32) (Key, string, error) {
	prefix := KeyPrefix
	if slices.Contains(scopes, ScopeWrite) {
		prefix = writekey.Prefix
	}
	secret := newSecret(prefix)
	if sites == nil {
		sites = []int32{} // the column is never null
	}
	key, err := selectOne[Key](ctx, db, insertKey, name, hashSecret(secret), scopes, sites)
	if err != nil {
		return Key{}, "", fmt.Errorf("create key: %w", err)
	}
	return key, secret, nil
}

// DeleteKey revokes a key, or returns ErrNoKey.
func DeleteKey(ctx context.Context, db database.DB, id int32) error {
	tag, err := db.Exec(ctx, deleteKey, id)
	if err != nil {
		return fmt.Errorf("delete key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrNoKey
	}
	return nil
}

// UseKey returns the key with the given secret, or ErrNoKey, and records that it was used
// at now. It records nothing in a read-only database, such as a replica.
func UseKey(ctx context.Context, db database.DB, secret string, now time.Time) (Key, error) {
	key, err := selectOne[Key](ctx, db, selectKeyHash, hashSecret(secret))
	if errors.Is(err, ErrNotFound) {
		return Key{}, ErrNoKey
	}
	if err == nil {
		err = recordUse(ctx, db, touchKey, key.ID, key.LastUsedAt, now)
	}
	if err != nil {
		return Key{}, fmt.Errorf("use key: %w", err)
	}
	return key, nil
}

// recordUse runs touch to record a use at now, unless the last recorded use is recent.
func recordUse(ctx context.Context, db database.DB, touch string, id int32, last *time.Time, now time.Time) error {
	if last != nil && now.Sub(*last) < useInterval {
		return nil
	}
	_, err := db.Exec(ctx, touch, id, now, now.Add(-useInterval))
	return exceptReadOnly(err)
}

// exceptReadOnly returns err, or nil if it says that the database is read-only.
func exceptReadOnly(err error) error {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == pgerrcode.ReadOnlySQLTransaction {
		return nil
	}
	return err
}

// newSecret returns a random secret of 256 bits.
func newSecret(prefix string) string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails, see its documentation
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}

func hashSecret(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}
