package aggregate

import "time"

// Result says what was done.
type Result struct {
	Events      int64  `json:"events"`       // stored
	Duplicates  int64  `json:"duplicates"`   // stored before
	Dropped     int64  `json:"dropped"`      // left out for another reason that table drops counts
	DeadLetters int64  `json:"dead_letters"` // kept aside since they can't be stored
	Batches     int64  `json:"batches"`      // transactions
	Busy        int64  `json:"busy"`         // shards that another process is draining
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

// Stages says where the time of the transactions went. The times of workers that run
// side by side add up.
type Stages struct {
	Claim   Seconds `json:"claim"`   // hold the shard, read its entries
	Load    Seconds `json:"load"`    // the earlier events of the batch's visitor-days
	Insert  Seconds `json:"insert"`  // the events
	Fold    Seconds `json:"fold"`    // visitor-days and their contributions: no SQL
	Visits  Seconds `json:"visits"`  // write them
	Rollups Seconds `json:"rollups"` // write them; includes waiting for other shards
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

// Seconds is a length of time.
type Seconds float64

// since adds the time that has passed since a moment and returns now, the moment at
// which the next stage begins.
func (s *Seconds) since(moment time.Time) time.Time {
	now := time.Now()
	*s += Seconds(now.Sub(moment).Seconds())
	return now
}
