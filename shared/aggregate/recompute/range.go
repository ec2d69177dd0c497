package recompute

import (
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// ParseDays parses the first and the last day of a range, each as YYYY-MM-DD. An empty to
// means the same day as from. An error is a problem that names the field from or to.
func ParseDays(from, to string) (first, last event.Day, err error) {
	const want = "must be a day such as 2026-11-01"
	if first, err = event.ParseDay(from); err != nil {
		return 0, 0, validation.New("from", want)
	}
	if to == "" {
		return first, first, nil
	}
	if last, err = event.ParseDay(to); err != nil {
		return 0, 0, validation.New("to", want)
	}
	if last < first {
		return 0, 0, validation.New("to", "must not be before from")
	}
	return first, last, nil
}
