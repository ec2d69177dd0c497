package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

const (
	insertSalts = `
INSERT INTO salts (day, salt)
SELECT * FROM unnest($1::date[], $2::bytea[])
ON CONFLICT (day) DO NOTHING`
	selectSalts = `SELECT day, salt FROM salts WHERE day BETWEEN $1 AND $2`
	deleteSalts = `DELETE FROM salts WHERE day < $1`
)

// Salts returns the salts of the days that are open at now. It creates missing ones; of
// several concurrent callers all get the same salts.
func Salts(ctx context.Context, db database.DB, now time.Time) (map[event.Day]privacy.Salt, error) {
	first, last := privacy.SaltDays(now)
	salts, err := readSalts(ctx, db, first, last)
	if err != nil || len(salts) == int(last-first)+1 {
		return salts, err
	}
	var days []time.Time
	var fresh [][]byte
	for day := first; day <= last; day++ {
		salt := make([]byte, privacy.SaltSize)
		_, _ = rand.Read(salt) // never fails, see its documentation
		days, fresh = append(days, day.Date()), append(fresh, salt)
	}
	if _, err := db.Exec(ctx, insertSalts, days, fresh); err != nil {
		return nil, fmt.Errorf("store salts: %w", err)
	}
	return readSalts(ctx, db, first, last)
}

func readSalts(ctx context.Context, db database.DB, first, last event.Day) (map[event.Day]privacy.Salt, error) {
	rows, err := db.Query(ctx, selectSalts, first.Date(), last.Date())
	if err != nil {
		return nil, fmt.Errorf("read salts: %w", err)
	}
	salts := make(map[event.Day]privacy.Salt, 8)
	var day time.Time
	var salt []byte
	_, err = pgx.ForEachRow(rows, []any{&day, &salt}, func() error {
		if len(salt) != privacy.SaltSize {
			return fmt.Errorf("the salt of %s has %d bytes", day.Format(time.DateOnly), len(salt))
		}
		salts[event.DayOf(day)] = privacy.Salt(salt)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read salts: %w", err)
	}
	return salts, nil
}

// DestroySalts deletes the salts of the days that are closed at now and returns their
// number. Without its salt, the visitors of a day can't be computed any more.
func DestroySalts(ctx context.Context, db database.DB, now time.Time) (int64, error) {
	first, _ := privacy.SaltDays(now)
	tag, err := db.Exec(ctx, deleteSalts, first.Date())
	if err != nil {
		return 0, fmt.Errorf("destroy salts: %w", err)
	}
	return tag.RowsAffected(), nil
}
