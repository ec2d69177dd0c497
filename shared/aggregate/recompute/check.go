package recompute

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// CheckedDays is how many days back CheckClosed looks.
const CheckedDays = 35

// noteTimeout bounds how long it takes to note a check when the run's time is over.
const noteTimeout = 5 * time.Second

// Checked says what CheckClosed did.
type Checked struct {
	Days      int64 `json:"days_checked"`
	Wrong     int64 `json:"days_wrong"`     // of them, that differed and were put right
	Unchecked int64 `json:"days_unchecked"` // that take longer than a run may
}

// CheckClosed counts again the days that are over at now and can receive no more
// events, each once, the newest first, and puts right what differs: each difference is
// an error of the platform, and logged as one. It starts a day only while more says
// that there is time, and goes on where it was when it is called again.
//
// A day of which no event is left has nothing to be compared with, and is fine.
func CheckClosed(ctx context.Context, db database.DB, now time.Time, more func() bool, log *slog.Logger) (Checked, error) {
	var done Checked
	first, _ := privacy.SaltDays(now)
	due, err := store.UncheckedDays(ctx, db, first-CheckedDays, first-1)
	if err != nil {
		return done, err
	}
	for _, d := range due {
		if ctx.Err() != nil || !more() {
			break
		}
		day := event.DayOf(d.Date)
		report, err := Day(ctx, db, d.Site, day, true)
		check := checkOf(d.ID, day, now, &report)
		switch {
		case err == nil:
			done.Days++
			if report.Replaced {
				done.Wrong++
				log.ErrorContext(ctx, "stored numbers were not what the events say, and were put right", "site", d.PublicID, "day", report.Day,
					"events", report.Events, "visits", report.Visits, "rollups", report.Rollups)
			}
		case errors.Is(err, sites.ErrNoSite):
			continue
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			// Tried again and again, it would keep all others from being checked.
			done.Unchecked++
			check.Differences = nil
			log.ErrorContext(ctx, "a day takes longer to check than a run may: use the command analytics recompute", "site", d.PublicID, "day", day.String())
		default:
			return done, err
		}
		if err := note(ctx, db, check); err != nil {
			return done, err
		}
	}
	return done, nil //nolint:nilerr // a day that took too long, and one whose site is gone, are no failures
}

// Recount is Day for somebody who asks for it at now. What came of an earlier check of
// the day is brought up to date.
func Recount(ctx context.Context, db database.DB, site sites.Site, day event.Day, replace bool, now time.Time) (Report, error) {
	report, err := Day(ctx, db, site, day, replace)
	if err != nil {
		return report, err
	}
	return report, store.ReviseDayCheck(ctx, db, checkOf(site.ID, day, now, &report))
}

// checkOf is what is kept of a report.
func checkOf(site int32, day event.Day, now time.Time, r *Report) store.DayCheck {
	check := store.DayCheck{Site: site, Day: day, At: now, Differences: new(int64(0)), Replaced: r.Replaced}
	if r.Events > 0 {
		*check.Differences = r.Differences()
	}
	return check
}

// note keeps the result of a check. It has time even after the run's deadline.
func note(ctx context.Context, db database.DB, check store.DayCheck) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return store.AddDayCheck(ctx, db, check)
}
