package sites

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// KeyPrefix begins every API key, so that a key is known as one wherever it turns
// up.
const KeyPrefix = "ak_"

// Scope is a kind of thing that a key may ask for.
type Scope string

// The scopes of keys. Their names are stored.
const (
	ScopeQuery Scope = "query" // reports, and reading what they are made with
	ScopeAdmin Scope = "admin" // sites and what belongs to them, keys, status
	ScopeLive  Scope = "live"  // live numbers
)

// Scopes are all scopes.
func Scopes() []Scope { return []Scope{ScopeQuery, ScopeAdmin, ScopeLive} }

// Key is an API key without its secret, which is not kept.
type Key struct {
	ID         int32
	Name       string
	Scopes     []Scope
	Sites      []int32 // that it may see; none means all
	CreatedAt  time.Time
	LastUsedAt *time.Time // to the minute; nil when it was never used
}

// ErrNoKey means that there is no such key (any more).
var ErrNoKey = errors.New("no such key")

// usedEvery is how old the time of a key's last use may get before a use sets it.
const usedEvery = time.Minute

const (
	keyColumns = `id, name, scopes, site_ids, created_at, last_used_at`

	selectKeys    = `SELECT ` + keyColumns + ` FROM api_keys ORDER BY id`
	selectKeyHash = `SELECT ` + keyColumns + ` FROM api_keys WHERE hash = $1`
	insertKey     = `
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
	keys, err := many[Key](ctx, db, selectKeys)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return keys, nil
}

// CreateKey makes a key for some sites, for all when there are none, and returns
// its secret, which nobody can learn again.
func CreateKey(ctx context.Context, db database.DB, name string, scopes []Scope, sites []int32) (Key, string, error) {
	secret := newSecret(KeyPrefix)
	if sites == nil {
		sites = []int32{} // the column is never null
	}
	key, err := one[Key](ctx, db, insertKey, name, hashSecret(secret), scopes, sites)
	if err != nil {
		return Key{}, "", fmt.Errorf("create key: %w", err)
	}
	return key, secret, nil
}

// DeleteKey revokes a key. It returns ErrNoKey when there is none.
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

// UseKey returns the key with a secret, or ErrNoKey, and notes that it was used at
// now. A read-only database, such as a replica, keeps no note.
func UseKey(ctx context.Context, db database.DB, secret string, now time.Time) (Key, error) {
	key, err := one[Key](ctx, db, selectKeyHash, hashSecret(secret))
	if errors.Is(err, ErrNotFound) {
		return Key{}, ErrNoKey
	}
	if err == nil {
		err = noteUse(ctx, db, touchKey, key.ID, key.LastUsedAt, now)
	}
	if err != nil {
		return Key{}, fmt.Errorf("use a key: %w", err)
	}
	return key, nil
}

// noteUse has touch note that something was used at now, given when it last was.
func noteUse(ctx context.Context, db database.DB, touch string, id int32, last *time.Time, now time.Time) error {
	if last != nil && now.Sub(*last) < usedEvery {
		return nil
	}
	_, err := db.Exec(ctx, touch, id, now, now.Add(-usedEvery))
	if readOnly, ok := errors.AsType[*pgconn.PgError](err); ok && readOnly.Code == pgerrcode.ReadOnlySQLTransaction {
		return nil
	}
	return err
}

// newSecret makes a secret that can't be guessed.
func newSecret(prefix string) string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails, see its documentation
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}

func hashSecret(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}
