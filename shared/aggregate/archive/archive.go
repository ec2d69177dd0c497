// Package archive puts days that are over into columns (see package columns), for questions
// that no rollup answers.
//
// What is kept of a day must be what its events make, always. So a day is read and kept in
// one transaction that holds it (store.HoldDay), and whoever changes events of a day takes
// what is kept away in the same transaction (store.ForgetDayColumns), which can't happen
// while the day is held. Nothing holds up the days of which events come in.
package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// PartEvents is how many events a part of a day has: so many take 300 MB of memory while
// they are made, and the function's limit is 512.
const PartEvents = 350_000

// noteTimeout bounds how long it takes to note that a day can't be kept when the run's
// time is over.
const noteTimeout = 5 * time.Second

// Day keeps a local day of a site in columns, in parts of as many events. It does not when somebody is changing the
// day's events: ok is false then. ErrNoSite of package store says that the site is gone.
func Day(ctx context.Context, db database.DB, codec *columns.Codec, d store.SiteDay, events int) (ok bool, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if ok, err = store.HoldDay(ctx, tx, d); err != nil || !ok {
			return err
		}
		var parts []map[columns.Column][]byte
		err := store.ScanParts(ctx, tx, d.Site, d.Day, events, func(part *columns.Day) error {
			pieces, err := codec.Encode(part)
			parts = append(parts, pieces)
			return err
		})
		if err != nil {
			return err
		}
		return store.KeepDayColumns(ctx, tx, d, parts)
	})
	if err != nil && !errors.Is(err, sites.ErrNoSite) {
		err = fmt.Errorf("keep %s in columns: %w", d.Day, err)
	}
	return ok && err == nil, err
}

// Kept says what Closed did.
type Kept struct {
	Days     int64 `json:"days_kept"`
	TooLarge int64 `json:"days_not_kept"` // that take longer than a run may, or have a visitor with too much text
}

// Closed keeps the days that are over at now and can receive no more events, the newest
// first. It starts a day only while more says that there is time, and goes on where it
// was when it is called again.
func Closed(ctx context.Context, db database.DB, codec *columns.Codec, now time.Time, more func() bool, log *slog.Logger) (Kept, error) {
	var done Kept
	if !more() {
		return done, nil
	}
	first, _ := privacy.SaltDays(now)
	due, err := store.DaysWithoutColumns(ctx, db, first-1)
	if err != nil {
		return done, err
	}
	for _, site := range due {
		if ctx.Err() != nil || !more() {
			break
		}
		d := store.SiteDay{Site: site.ID, Day: event.DayOf(site.Date)}
		ok, err := Day(ctx, db, codec, d, PartEvents)
		switch {
		case ok:
			done.Days++
		case err == nil || errors.Is(err, sites.ErrNoSite):
		case errors.Is(err, columns.ErrTooLarge), errors.Is(ctx.Err(), context.DeadlineExceeded):
			// Tried again and again, it would keep all others from being kept.
			done.TooLarge++
			log.WarnContext(ctx, "a day is too large to be kept in columns within a run: questions about it read its events", "site", site.PublicID, "day", d.Day.String())
			if err := passOver(ctx, db, d); err != nil {
				return done, err
			}
		default:
			return done, err
		}
	}
	return done, nil //nolint:nilerr // a day that took too long, and one whose site is gone, are no failures
}

// passOver notes that a day can't be kept. It has time even after the run's deadline.
func passOver(ctx context.Context, db database.DB, d store.SiteDay) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return store.PassOverDay(ctx, db, d)
}
