// Package archive encodes closed days into columns (see package columns), for queries that no
// rollup answers.
//
// An archived day must always match its events. So a day is read and archived in
// one transaction that locks it (store.LockDay), and a transaction that changes events of a
// day deletes its archive (store.InvalidateDays), which waits while the day is locked.
// Archiving never delays days that still receive events.
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

// PartEvents is the number of events in a part of a day. Encoding a part of this size takes
// 300 MB of memory; the function's limit is 512 MB.
const PartEvents = 350_000

// skipTimeout bounds how long it takes to record a skipped day after the run's deadline.
const skipTimeout = 5 * time.Second

// Day archives a local day of a site, in parts of the given number of events. ok is false if
// another transaction is changing the day's events. Day returns sites.ErrNoSite if the site
// was deleted.
func Day(ctx context.Context, db database.DB, codec *columns.Codec, d store.SiteDay, partEvents int) (ok bool, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if ok, err = store.LockDay(ctx, tx, d); err != nil || !ok {
			return err
		}
		var parts []map[columns.Column][]byte
		full := columns.PartSize{Events: partEvents, Text: columns.MaxText}
		err := store.Scan{Site: d.Site, Day: d.Day}.Parts(ctx, tx, full, func(part *columns.Day) error {
			pieces, err := codec.Encode(part)
			parts = append(parts, pieces)
			return err
		})
		if err != nil {
			return err
		}
		return store.ArchiveDay(ctx, tx, d, parts)
	})
	if err != nil && !errors.Is(err, sites.ErrNoSite) {
		err = fmt.Errorf("archive %s: %w", d.Day, err)
	}
	return ok && err == nil, err
}

// Result is what ClosedDays did.
type Result struct {
	Days     int64 `json:"days_kept"`
	TooLarge int64 `json:"days_not_kept"` // days that take longer than a run, or have a visitor with too much text
}

// ClosedDays archives the days that are over at now and can't receive events any more, newest
// first. It starts another day only while more returns true. The next call continues with
// the days that are left.
func ClosedDays(ctx context.Context, db database.DB, codec *columns.Codec, now time.Time, more func() bool, log *slog.Logger) (Result, error) {
	var done Result
	if !more() {
		return done, nil
	}
	first, _ := privacy.SaltDays(now)
	due, err := store.DueDays(ctx, db, first-1)
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
			// Skip the day: retrying it would block all others.
			done.TooLarge++
			log.WarnContext(ctx, "a day is too large to archive in one run: queries read its events", "site", site.PublicID, "day", d.Day.String())
			if err := skip(ctx, db, d); err != nil {
				return done, err
			}
		default:
			return done, err
		}
	}
	return done, nil //nolint:nilerr // a day that took too long or whose site was deleted is not a failure
}

// skip records that a day can't be archived. It works even after the run's deadline.
func skip(ctx context.Context, db database.DB, d store.SiteDay) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), skipTimeout)
	defer cancel()
	return store.SkipDay(ctx, db, d)
}
