package language

import (
	"github.com/analytics-platform/analytics/shared/model/pattern"
)

// The limits of what names in a question stand for.
const (
	maxResolved = 1000        // filters, with those of segments
	maxStored   = 4 * MaxBody // bytes of the definitions of segments
)

// budget bounds what all filters of a question take together, with those of the segments and
// the funnel that it names.
type budget struct {
	patterns pattern.Budget // what is left
	filters  int            // that may still be resolved
	stored   int            // bytes of definitions that may still be parsed
}

func newBudget() budget {
	return budget{pattern.NewBudget(pattern.MaxSize), maxResolved, maxStored}
}
