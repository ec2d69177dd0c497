package aggregate

import (
	"errors"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/queue"
)

func TestStall(t *testing.T) {
	t.Parallel()
	start := time.Now()
	type look struct{ at, arrived time.Duration } // since start; arrived of the oldest event, or none
	const none = -1
	for name, test := range map[string]struct {
		looks []look
		want  bool
	}{
		"one look at an old event":     {[]look{{time.Hour, 0}}, false},
		"not long enough":              {[]look{{0, 0}, {time.Minute, 0}}, false},
		"the same event for too long":  {[]look{{0, 0}, {30 * time.Second, 0}, {time.Minute + 1, 0}}, true},
		"seldom looks":                 {[]look{{0, 0}, {time.Hour, 0}}, true},
		"another process works":        {[]look{{0, 0}, {time.Minute, 1}, {2 * time.Minute, time.Second}, {3 * time.Minute, 2 * time.Second}}, false},
		"empty in between":             {[]look{{0, 0}, {50 * time.Second, none}, {70 * time.Second, 0}}, false},
		"empty for long":               {[]look{{0, none}, {time.Hour, none}}, false},
		"an event after an empty hour": {[]look{{0, none}, {time.Hour, time.Hour}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stall{patience: time.Minute}
			var err error
			for _, l := range test.looks {
				now, left := start.Add(l.at), queue.Backlog{}
				if l.arrived != none {
					left = queue.Backlog{Length: 1, Age: l.at - l.arrived}
				}
				err = s.check(left, now)
			}
			p, stalled := errors.AsType[problem.Problem](err)
			if stalled != test.want || stalled && (p.Status != 503 || p.Code != "stalled") {
				t.Errorf("after %v: got %v, want a problem: %t", test.looks, err, test.want)
			}
		})
	}
}
