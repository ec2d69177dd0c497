package recompute

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/store"
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
func CheckClosed(ctx context.Context, db store.DB, now time.Time, more func() bool, log *slog.Logger) (Checked, error) {
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
		check := store.DayCheck{Site: d.ID, Day: event.DayOf(d.Date), At: now}
		report, err := Day(ctx, db, d.Site, check.Day, true)
		switch {
		case err == nil:
			done.Days++
			if check.Replaced = report.Replaced; check.Replaced {
				done.Wrong++
				log.ErrorContext(ctx, "stored numbers were not what the events say, and were put right", "site", d.PublicID, "day", report.Day,
					"events", report.Events, "visits", report.Visits, "rollups", report.Rollups)
			}
			check.Differences = new(int64(0))
			if report.Events > 0 {
				*check.Differences = report.Differences()
			}
		case errors.Is(err, store.ErrNoSite):
			continue
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			// Tried again and again, it would keep all others from being checked.
			done.Unchecked++
			log.ErrorContext(ctx, "a day takes longer to check than a run may: use the command analytics recompute", "site", d.PublicID, "day", check.Day.String())
		default:
			return done, err
		}
		if err := note(ctx, db, check); err != nil {
			return done, err
		}
	}
	return done, nil //nolint:nilerr // a day that took too long, and one whose site is gone, are no failures
}

// note keeps the result of a check. It has time even after the run's deadline.
func note(ctx context.Context, db store.DB, check store.DayCheck) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return store.AddDayCheck(ctx, db, check)
}
