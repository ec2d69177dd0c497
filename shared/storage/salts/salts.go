// Package salts holds the SQL of the salts: they are stored encrypted, and what is destroyed
// leaves the table's file.
package salts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// An empty salt is destroyed: nothing reads it, and its row marks the table for a rewrite.
const (
	insert = `
INSERT INTO salts (day, salt)
SELECT * FROM unnest($1::date[], $2::bytea[])
ON CONFLICT (day) DO NOTHING`
	selectOpen   = `SELECT day, salt FROM salts WHERE day BETWEEN $1 AND $2 AND salt <> ''`
	destroy      = `UPDATE salts SET salt = '' WHERE day < $1 AND salt <> ''`
	anyDestroyed = `SELECT EXISTS (SELECT FROM salts WHERE salt = '')`

	// lock must not wait long, since it makes other readers wait. A dump of the
	// database holds the table for as long as it takes.
	lock      = `SET LOCAL lock_timeout = '1s'; LOCK TABLE salts IN ACCESS EXCLUSIVE MODE`
	selectAll = `SELECT day, salt FROM salts WHERE salt <> ''`
	truncate  = `TRUNCATE salts`
)

// Open returns the stored salts of the days that are open at now.
func Open(ctx context.Context, db database.DB, now time.Time) (map[event.Day]privacy.SealedSalt, error) {
	first, last := privacy.SaltDays(now)
	return read(ctx, db, selectOpen, first.Date(), last.Date())
}

func read(ctx context.Context, db database.DB, query string, args ...any) (map[event.Day]privacy.SealedSalt, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read salts: %w", err)
	}
	stored := make(map[event.Day]privacy.SealedSalt, 8)
	var day time.Time
	var salt []byte
	_, err = pgx.ForEachRow(rows, []any{&day, &salt}, func() error {
		stored[event.DayOf(day)] = salt
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read salts: %w", err)
	}
	return stored, nil
}

// Create creates the missing salts of the days that are open at now; of several
// concurrent callers, one wins. It also seals those again that were not sealed under the
// current key. Its error is privacy.ErrSaltKey if the keys do not open a salt.
func Create(ctx context.Context, db database.DB, keys *privacy.SaltKeys, now time.Time) error {
	stored, err := Open(ctx, db, now)
	if err != nil {
		return err
	}
	var days []time.Time
	var fresh [][]byte
	outdated := false
	first, last := privacy.SaltDays(now)
	for day := first; day <= last; day++ {
		sealed, ok := stored[day]
		if !ok {
			var salt privacy.Salt
			_, _ = rand.Read(salt[:]) // never fails, see its documentation
			days, fresh = append(days, day.Date()), append(fresh, keys.Seal(day, salt))
			continue
		}
		_, current, err := keys.Open(day, sealed)
		if err != nil {
			return fmt.Errorf("open the salt of %s: %w", day, err)
		}
		outdated = outdated || !current
	}
	if len(days) > 0 {
		if _, err := db.Exec(ctx, insert, days, fresh); err != nil {
			return fmt.Errorf("store salts: %w", err)
		}
	}
	if !outdated {
		return nil
	}
	return rewrite(ctx, db, func(day event.Day, sealed privacy.SealedSalt) (privacy.SealedSalt, error) {
		salt, current, err := keys.Open(day, sealed)
		if err != nil || current {
			return sealed, err
		}
		return keys.Seal(day, salt), nil
	})
}

// Destroy deletes the salts of the days that are closed at now and returns their
// number. Without its salt, the visitors of a day can't be computed any more.
//
// Then it rewrites the table, because PostgreSQL keeps what was deleted in the table's file
// for a while. If others use the table, such as a backup, the next call does so.
func Destroy(ctx context.Context, db database.DB, now time.Time) (int64, error) {
	first, _ := privacy.SaltDays(now)
	tag, err := db.Exec(ctx, destroy, first.Date())
	if err != nil {
		return 0, fmt.Errorf("destroy salts: %w", err)
	}
	var due bool
	if err := db.QueryRow(ctx, anyDestroyed).Scan(&due); err != nil {
		return 0, fmt.Errorf("destroy salts: %w", err)
	}
	if due {
		err = rewrite(ctx, db, func(_ event.Day, sealed privacy.SealedSalt) (privacy.SealedSalt, error) { return sealed, nil })
	}
	return tag.RowsAffected(), err
}

// rewrite replaces each salt by what change returns, and moves the table to a new
// file, without the destroyed ones. It does nothing if it can't get the table for itself
// soon.
func rewrite(ctx context.Context, db database.DB, change func(event.Day, privacy.SealedSalt) (privacy.SealedSalt, error)) error {
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lock); err != nil {
			return err
		}
		stored, err := read(ctx, tx, selectAll)
		if err != nil {
			return err
		}
		var days []time.Time
		var sealed [][]byte
		for day, salt := range stored {
			changed, err := change(day, salt)
			if err != nil {
				return err
			}
			days, sealed = append(days, day.Date()), append(sealed, changed)
		}
		if _, err := tx.Exec(ctx, truncate); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, insert, days, sealed)
		return err
	})
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == pgerrcode.LockNotAvailable {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rewrite the salts: %w", err)
	}
	return nil
}
