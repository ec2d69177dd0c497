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

// CheckedDays is how many days back CheckClosed goes.
const CheckedDays = 35

// saveTimeout bounds how long it takes to save a check after the run's deadline.
const saveTimeout = 5 * time.Second

// CheckResult is what CheckClosed did.
type CheckResult struct {
	Days      int64 `json:"days_checked"`
	Wrong     int64 `json:"days_wrong"`     // days of these that differed and were repaired
	Unchecked int64 `json:"days_unchecked"` // days that take longer than a run
}

// CheckClosed recomputes the days that are over at now and can't receive events any more,
// each once, newest first, and repairs differences. It logs each difference as an error,
// because it is a bug of the platform. It starts another day only while more returns true. The
// next call continues with the days that are left. See Close for what most means.
//
// A day without events has nothing to compare with, and passes.
func CheckClosed(ctx context.Context, db database.DB, now time.Time, most int, more func() bool, log *slog.Logger) (CheckResult, error) {
	var done CheckResult
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
		report, err := Close(ctx, db, d.Site, day, most)
		check := checkOf(d.ID, day, now, &report)
		switch {
		case err == nil:
			done.Days++
			if len(report.Bounded) > 0 {
				log.InfoContext(ctx, "a day has too many values: its rollups keep the most frequent ones", "site", d.PublicID, "day", report.Day,
					"dimensions", report.Bounded)
			}
			if report.Replaced {
				done.Wrong++
				log.ErrorContext(ctx, "repaired stored numbers that differed from the events", "site", d.PublicID, "day", report.Day,
					"events", report.Events, "visits", report.Visits, "rollups", report.Rollups)
			}
		case errors.Is(err, sites.ErrNoSite):
			continue
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			// Give the day up: retrying it would block all others.
			done.Unchecked++
			check.Differences = nil
			log.ErrorContext(ctx, "checking a day takes longer than a run: use the command analytics recompute", "site", d.PublicID, "day", day.String())
		default:
			return done, err
		}
		if err := save(ctx, db, check); err != nil {
			return done, err
		}
	}
	return done, nil //nolint:nilerr // a day that took too long or whose site was deleted is not a failure
}

// DayOnRequest is Day for a user's request at now, or Close if it replaces a day that can't
// receive events any more. It also updates the result of an earlier check of the day.
func DayOnRequest(ctx context.Context, db database.DB, site sites.Site, day event.Day, replace bool, most int, now time.Time) (Report, error) {
	var report Report
	var err error
	if first, _ := privacy.SaltDays(now); replace && day < first {
		report, err = Close(ctx, db, site, day, most)
	} else {
		report, err = Day(ctx, db, site, day, replace)
	}
	if err != nil {
		return report, err
	}
	return report, store.ReviseDayCheck(ctx, db, checkOf(site.ID, day, now, &report))
}

// checkOf returns what CheckClosed saves of a report.
func checkOf(site int32, day event.Day, now time.Time, r *Report) store.DayCheck {
	check := store.DayCheck{Site: site, Day: day, At: now, Differences: new(int64(0)), Replaced: r.Replaced}
	if r.Events > 0 {
		*check.Differences = r.Differences()
	}
	return check
}

// save saves the result of a check. It works even after the run's deadline.
func save(ctx context.Context, db database.DB, check store.DayCheck) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return store.AddDayCheck(ctx, db, check)
}
