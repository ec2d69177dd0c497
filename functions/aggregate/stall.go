package aggregate

import (
	"fmt"
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/queue"
)

// patience is after how many deadlines of a run the queue is stalled.
const patience = 3

// stall notices that runs end without an error, but no process stores the oldest queued event:
// each run finds its shard locked by a process that hangs, or is too short for a batch.
type stall struct {
	patience time.Duration
	oldest   int64     // arrival of the oldest event at the last check, in Unix milliseconds
	since    time.Time // when it was first seen to be the oldest
}

// check returns a problem if the oldest event has been the oldest for too long.
func (s *stall) check(left queue.Backlog, now time.Time) error {
	oldest := now.Add(-left.Age).UnixMilli()
	if left.Length == 0 || oldest != s.oldest {
		s.oldest, s.since = oldest, now
	}
	if now.Sub(s.since) <= s.patience {
		return nil
	}
	return problem.New(http.StatusServiceUnavailable, "stalled",
		fmt.Sprintf("the oldest queued event has waited for %s, and no process stores it: see the logs of all replicas", left.Age.Round(time.Second)))
}
