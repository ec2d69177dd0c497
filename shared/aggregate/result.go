package aggregate

import "time"

// Result is what a run did.
type Result struct {
	Events      int64  `json:"events"`       // stored
	Duplicates  int64  `json:"duplicates"`   // already stored
	Dropped     int64  `json:"dropped"`      // dropped for another reason; table drops counts them
	DeadLetters int64  `json:"dead_letters"` // entries that can't be stored
	Batches     int64  `json:"batches"`      // transactions
	Busy        int64  `json:"busy"`         // shards that another process holds
	Stages      Stages `json:"stages"`
}

func (r *Result) add(o Result) {
	r.Events += o.Events
	r.Duplicates += o.Duplicates
	r.Dropped += o.Dropped
	r.DeadLetters += o.DeadLetters
	r.Batches += o.Batches
	r.Busy += o.Busy
	r.Stages.add(o.Stages)
}

// Stages is the time that transactions spent in each stage, summed over concurrent workers.
type Stages struct {
	Claim   Seconds `json:"claim"`   // lock the shard, read and decode entries
	Load    Seconds `json:"load"`    // load stored events of the batch's visitor-days
	Insert  Seconds `json:"insert"`  // insert events
	Fold    Seconds `json:"fold"`    // fold visitor-days, without SQL
	Visits  Seconds `json:"visits"`  // write visits
	Rollups Seconds `json:"rollups"` // write rollups, including waiting for other shards
	Commit  Seconds `json:"commit"`
}

func (s *Stages) add(o Stages) {
	s.Claim += o.Claim
	s.Load += o.Load
	s.Insert += o.Insert
	s.Fold += o.Fold
	s.Visits += o.Visits
	s.Rollups += o.Rollups
	s.Commit += o.Commit
}

// Seconds is a duration in seconds.
type Seconds float64

// since adds the time elapsed since start and returns now, the start of the next stage.
func (s *Seconds) since(start time.Time) time.Time {
	now := time.Now()
	*s += Seconds(now.Sub(start).Seconds())
	return now
}
