package recompute

import (
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// ReadDays reads the first and the last of some days, each as YYYY-MM-DD; without to
// it is one day. What is wrong is a problem that names from or to.
func ReadDays(from, to string) (first, last event.Day, err error) {
	const right = "must be a day such as 2026-11-01"
	if first, err = event.ParseDay(from); err != nil {
		return 0, 0, validation.New("from", right)
	}
	if to == "" {
		return first, first, nil
	}
	if last, err = event.ParseDay(to); err != nil {
		return 0, 0, validation.New("to", right)
	}
	if last < first {
		return 0, 0, validation.New("to", "must not be before from")
	}
	return first, last, nil
}
