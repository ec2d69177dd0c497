package sites

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

const (
	// SessionIdle is how long a session lasts that is not used.
	SessionIdle = 7 * 24 * time.Hour
	// SessionLife is the longest that a session lasts, however much it is used.
	SessionLife = 30 * 24 * time.Hour
	// sessionUseInterval is the minimum time between two updates of a session's last use.
	sessionUseInterval = time.Hour
)

// SessionID identifies a session and is its secret. Only its hash is stored.
type SessionID [32]byte

// hash returns what is stored of the id.
func (id SessionID) hash() []byte {
	hash := sha256.Sum256(id[:])
	return hash[:]
}

// Session is a browser in which the owner is signed in.
type Session struct {
	CreatedAt  time.Time
	LastUsedAt time.Time // accurate to an hour
	ExpiresAt  time.Time // first moment at which it is invalid, unless it is used before
}

// ErrNoSession is returned if the session does not exist: it has expired or was ended.
var ErrNoSession = errors.New("no such session")

// Sessions of users, who do not exist yet, must never count as the owner's, not even in a
// function that has not been updated: all statements are about those without a user.
const (
	insertSession = `
INSERT INTO sessions (hash, created_at, last_used_at, expires_at)
VALUES ($1, $2, $2, $3)`
	selectSession = `
SELECT created_at, last_used_at, expires_at FROM sessions
WHERE hash = $1 AND user_id IS NULL AND expires_at > $2`
	touchSession = `
UPDATE sessions SET last_used_at = $2, expires_at = $3
WHERE hash = $1 AND last_used_at < $2`
	deleteSession  = `DELETE FROM sessions WHERE hash = $1 AND user_id IS NULL`
	deleteSessions = `DELETE FROM sessions WHERE user_id IS NULL`
	deleteExpired  = `DELETE FROM sessions WHERE expires_at <= $1`
)

// CreateSession starts a session of the owner at now.
func CreateSession(ctx context.Context, db database.DB, now time.Time) (SessionID, error) {
	var id SessionID
	_, _ = rand.Read(id[:]) // never fails, see its documentation
	if _, err := db.Exec(ctx, insertSession, id.hash(), now, now.Add(SessionIdle)); err != nil {
		return SessionID{}, fmt.Errorf("create session: %w", err)
	}
	return id, nil
}

// UseSession returns a session of the owner, or ErrNoSession, and records that it was used
// at now, which postpones its end. It records nothing in a read-only database, such as a
// replica.
func UseSession(ctx context.Context, db database.DB, id SessionID, now time.Time) (Session, error) {
	session, err := selectOne[Session](ctx, db, selectSession, id.hash(), now)
	if errors.Is(err, ErrNotFound) {
		return Session{}, ErrNoSession
	}
	if err == nil && now.Sub(session.LastUsedAt) >= sessionUseInterval {
		session.LastUsedAt, session.ExpiresAt = now, earlier(now.Add(SessionIdle), session.CreatedAt.Add(SessionLife))
		_, err = db.Exec(ctx, touchSession, id.hash(), session.LastUsedAt, session.ExpiresAt)
		err = exceptReadOnly(err)
	}
	if err != nil {
		return Session{}, fmt.Errorf("use session: %w", err)
	}
	return session, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// DeleteSession ends a session of the owner. It is no error if there is none.
func DeleteSession(ctx context.Context, db database.DB, id SessionID) error {
	if _, err := db.Exec(ctx, deleteSession, id.hash()); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// DeleteSessions ends all sessions of the owner.
func DeleteSessions(ctx context.Context, db database.DB) error {
	if _, err := db.Exec(ctx, deleteSessions); err != nil {
		return fmt.Errorf("delete sessions: %w", err)
	}
	return nil
}

// DeleteExpiredSessions deletes the sessions that have expired at now, and returns their
// number.
func DeleteExpiredSessions(ctx context.Context, db database.DB, now time.Time) (int64, error) {
	tag, err := db.Exec(ctx, deleteExpired, now)
	if err != nil {
		return 0, fmt.Errorf("delete expired sessions: %w", err)
	}
	return tag.RowsAffected(), nil
}
