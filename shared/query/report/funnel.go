package report

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// FunnelAnswer is how far visitors got, in all and for each value of the breakdown.
type FunnelAnswer struct {
	Steps     []StepResult `json:"steps"`
	Breakdown []Branch     `json:"breakdown,omitzero"` // most visitors first
	DateRange [2]string    `json:"date_range"`
}

// Branch is the funnel of the visitors with one value of the breakdown.
type Branch struct {
	Value string       `json:"value"`
	Steps []StepResult `json:"steps"`
}

// StepResult is how many visitors reached a step.
type StepResult struct {
	Name                string   `json:"name"`
	Visitors            int64    `json:"visitors"`
	DropOff             int64    `json:"drop_off"`              // that reached the step before, and not this one
	ConversionRate      float64  `json:"conversion_rate"`       // percent of those of the step before, to two decimals
	TotalConversionRate float64  `json:"total_conversion_rate"` // percent of those of the first step
	MedianSeconds       *float64 `json:"median_seconds"`        // from the step before; null for the first step and without visitors
}

// Funnel answers a question about a funnel of a site at now.
func (r *Reporter) Funnel(ctx context.Context, db database.DB, site sites.Site, now time.Time, f *language.Funnel) (answer FunnelAnswer, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		within, err := begin(ctx, s, f, &f.Question)
		if err != nil {
			return err
		}
		answer, err = answerFunnel(ctx, s, f, within)
		return err
	})
	return answer, err
}

func answerFunnel(ctx context.Context, s *engine.Session, f *language.Funnel, within language.Range) (FunnelAnswer, error) {
	needed := append(stepColumns(f.Steps), engine.FilterColumns(f.Filters)...)
	needed = append(needed, columns.Type, columns.Time)
	if f.Breakdown != nil {
		needed = append(needed, f.Breakdown.Column())
	}
	scans := make([]*funnelScan, engine.Workers())
	for i := range scans {
		scans[i] = &funnelScan{funnel: f, within: within, all: newStepCounts(len(f.Steps)), branches: map[string]*stepCounts{}}
	}
	err := s.EachDay(ctx, within, needed, func(ctx context.Context, w *engine.Worker, d *columns.Day) error {
		return scans[w.Number].scan(ctx, w, d)
	})
	if err != nil {
		return FunnelAnswer{}, err
	}
	sum := scans[0]
	for _, scan := range scans[1:] {
		sum.all.add(scan.all)
		for value, branch := range scan.branches {
			if sum.branches[value] == nil {
				sum.branches[value] = branch
				continue
			}
			sum.branches[value].add(branch)
		}
	}
	answer := FunnelAnswer{Steps: sum.all.results(f.Steps), DateRange: within.Bounds()}
	if f.Breakdown == nil {
		return answer, nil
	}
	values := slices.SortedFunc(maps.Keys(sum.branches), func(a, b string) int {
		return cmp.Or(cmp.Compare(sum.branches[b].visitors[0], sum.branches[a].visitors[0]), cmp.Compare(a, b))
	})
	answer.Breakdown = []Branch{}
	for _, value := range values[:min(f.Limit, len(values))] {
		answer.Breakdown = append(answer.Breakdown, Branch{f.Breakdown.Label(value), sum.branches[value].results(f.Steps)})
	}
	return answer, nil
}

// stepColumns lists the columns that the filters of steps look at.
func stepColumns(steps []language.Step) (needed []columns.Column) {
	for i := range steps {
		needed = append(needed, engine.FilterColumns(steps[i].Filters)...)
	}
	return needed
}

// compileSteps returns the predicate of each step.
func compileSteps(ctx context.Context, w *engine.Worker, d *columns.Day, steps []language.Step) (predicates []engine.Predicate, err error) {
	predicates = make([]engine.Predicate, len(steps))
	for i := range steps {
		if predicates[i], err = engine.Compile(ctx, w, d, steps[i].Filters); err != nil {
			return nil, err
		}
	}
	return predicates, nil
}

// stepCounts counts who reached each step.
type stepCounts struct {
	visitors []int64
	seconds  []map[int64]int64 // for each step, how many took each number of whole seconds since the one before
}

func newStepCounts(steps int) *stepCounts {
	c := &stepCounts{visitors: make([]int64, steps), seconds: make([]map[int64]int64, steps)}
	for i := range c.seconds {
		c.seconds[i] = map[int64]int64{}
	}
	return c
}

// About how many bytes these take.
const (
	stepBytes   = 200 // the counts of a step
	secondBytes = 40  // a number of seconds that is new to a step
)

// count counts a visitor-day, given the times of the steps that it reached. It returns how
// many numbers of seconds are new.
func (c *stepCounts) count(times []int64) (added int) {
	for i, at := range times {
		c.visitors[i]++
		if i > 0 {
			before := len(c.seconds[i])
			c.seconds[i][(at-times[i-1])/1000]++
			added += len(c.seconds[i]) - before
		}
	}
	return added
}

func (c *stepCounts) add(o *stepCounts) {
	for i := range c.visitors {
		c.visitors[i] += o.visitors[i]
		for seconds, n := range o.seconds[i] {
			c.seconds[i][seconds] += n
		}
	}
}

func (c *stepCounts) results(steps []language.Step) []StepResult {
	results := make([]StepResult, len(steps))
	for i := range steps {
		r := StepResult{Name: steps[i].Name, Visitors: c.visitors[i], TotalConversionRate: percentage(c.visitors[i], c.visitors[0])}
		if i == 0 {
			r.ConversionRate = percentage(r.Visitors, r.Visitors)
		} else {
			r.DropOff = c.visitors[i-1] - r.Visitors
			r.ConversionRate = percentage(r.Visitors, c.visitors[i-1])
			r.MedianSeconds = median(c.seconds[i])
		}
		results[i] = r
	}
	return results
}

// percentage returns n in percent of another number, to two decimals.
func percentage(n, of int64) float64 { return metric.Round(100*metric.Quotient(n, of), 100) }

// median returns the median of numbers, given how often each occurs; nil if there are none.
func median(occurrences map[int64]int64) *float64 {
	var all int64
	for _, n := range occurrences {
		all += n
	}
	if all == 0 {
		return nil
	}
	var before int64
	var low *int64
	for _, value := range slices.Sorted(maps.Keys(occurrences)) {
		before += occurrences[value]
		if low == nil && before >= (all+1)/2 {
			low = &value
		}
		if before >= all/2+1 {
			return new(float64(*low+value) / 2)
		}
	}
	return new(float64(*low))
}

// funnelScan counts what one worker scans of a funnel.
type funnelScan struct {
	funnel   *language.Funnel
	within   language.Range
	all      *stepCounts
	branches map[string]*stepCounts

	// The selected events of the current visitor-day.
	times   []int64  // milliseconds
	matches []uint16 // a bit for each step
	events  []int    // their numbers
	visits  []int    // those of their visits
}

func (s *funnelScan) scan(ctx context.Context, w *engine.Worker, d *columns.Day) error {
	midnight := d.Date.Date().UnixMilli()
	from, to := s.within.From.UnixMilli()-midnight, s.within.To.UnixMilli()-midnight
	if s.within.Whole && (d.Date < s.within.First || d.Date > s.within.Last) {
		return nil
	}
	types, times := d.Numbers(columns.Type), d.Numbers(columns.Time)
	predicate, err := engine.Compile(ctx, w, d, s.funnel.Filters)
	if err != nil {
		return err
	}
	steps, err := compileSteps(ctx, w, d, s.funnel.Steps)
	if err != nil {
		return err
	}
	var text columns.Text
	if s.funnel.Breakdown != nil {
		text = d.Text(s.funnel.Breakdown.Column())
	}
	for visitorDay := range d.VisitorDays() {
		if err := w.Check(ctx); err != nil {
			return err
		}
		s.times, s.matches, s.events, s.visits = s.times[:0], s.matches[:0], s.events[:0], s.visits[:0]
		anyStep := false
		first, end := d.VisitsOf(visitorDay)
		for visit := first; visit < end; visit++ {
			firstEvent, endEvent := d.EventsOf(visit)
			for i := firstEvent; i < endEvent; i++ {
				if types[i] == int64(event.Engagement) || !s.within.Whole && (times[i] < from || times[i] >= to) || predicate != nil && !predicate.Holds(i, visit) {
					continue
				}
				var bits uint16
				for step, matches := range steps {
					if matches.Holds(i, visit) {
						bits |= 1 << step
					}
				}
				if bits == 0 && s.funnel.StepOrder != language.Strict {
					continue // only a strict funnel minds what comes between its steps
				}
				anyStep = anyStep || bits != 0
				s.times, s.matches = append(s.times, times[i]), append(s.matches, bits)
				s.events, s.visits = append(s.events, i), append(s.visits, visit)
			}
		}
		if !anyStep {
			continue
		}
		reached, began := farthest(s.funnel, s.times, s.matches)
		if len(reached) == 0 {
			continue
		}
		w.Keep(secondBytes * s.all.count(reached))
		if s.funnel.Breakdown != nil {
			row := s.visits[began]
			if s.funnel.Breakdown.OfEvent() {
				row = s.events[began]
			}
			value := text.At(row)
			branch := s.branches[value]
			if branch == nil {
				branch = newStepCounts(len(steps))
				s.branches[value] = branch
				w.Keep(len(value) + stepBytes*(1+len(steps)))
			}
			w.Keep(secondBytes * branch.count(reached))
		}
	}
	return nil
}

// farthest finds how far the events of a visitor-day get, given their times and the steps
// that each matches. It returns the times of the steps reached, and the first event.
func farthest(f *language.Funnel, times []int64, matches []uint16) (reached []int64, began int) {
	switch f.StepOrder {
	case language.Strict:
		return farthestStrict(f, times, matches)
	case language.AnyOrder:
		return farthestAny(f, times, matches)
	default:
		return farthestSequential(f, times, matches)
	}
}

// attempt is an attempt in progress.
type attempt struct {
	began int // the event; -1 if there is no attempt
	times [language.MaxSteps]int64
}

// farthestSequential keeps for each step, of the attempts that have reached it, the one that
// began last: it can still reach whatever the others can.
func farthestSequential(f *language.Funnel, times []int64, matches []uint16) (reached []int64, began int) {
	var attempts [language.MaxSteps]attempt
	for i := range attempts {
		attempts[i].began = -1
	}
	for i, at := range times {
		for step := len(f.Steps) - 1; step >= 0; step-- {
			if matches[i]&(1<<step) == 0 {
				continue
			}
			if step == 0 {
				attempts[0] = attempt{began: i}
				attempts[0].times[0] = at
			} else {
				before := &attempts[step-1]
				if before.began < 0 || at-before.times[0] > f.Window.Milliseconds() || before.began <= attempts[step].began {
					continue
				}
				attempts[step] = *before
				attempts[step].times[step] = at
			}
			if step >= len(reached) {
				reached, began = slices.Clone(attempts[step].times[:step+1]), attempts[step].began
			}
		}
	}
	return reached, began
}

func farthestStrict(f *language.Funnel, times []int64, matches []uint16) (reached []int64, began int) {
	for i := range times {
		n := 0
		for n < len(f.Steps) && i+n < len(times) && matches[i+n]&(1<<n) != 0 && times[i+n]-times[i] <= f.Window.Milliseconds() {
			n++
		}
		if n > len(reached) {
			reached, began = slices.Clone(times[i:i+n]), i
		}
	}
	return reached, began
}

// farthestAny moves a window over the events.
func farthestAny(f *language.Funnel, times []int64, matches []uint16) (reached []int64, began int) {
	var inWindow [language.MaxSteps]int // events of the window that match each step
	most, start, end, first := 0, 0, 0, 0
	for i := range times {
		for step := range f.Steps {
			if matches[i]&(1<<step) != 0 {
				inWindow[step]++
			}
		}
		for times[i]-times[first] > f.Window.Milliseconds() {
			for step := range f.Steps {
				if matches[first]&(1<<step) != 0 {
					inWindow[step]--
				}
			}
			first++
		}
		n := 0
		for step := range f.Steps {
			n += min(inWindow[step], 1)
		}
		if n > most {
			most, start, end = n, first, i
		}
	}
	// In the first window with the most steps, find when each step was reached.
	var done uint16
	began = -1
	for i := start; i <= end && most > 0; i++ {
		for step := range f.Steps {
			if matches[i]&(1<<step) != 0 && done&(1<<step) == 0 {
				done |= 1 << step
				if began < 0 {
					began = i
				}
				reached = append(reached, times[i])
			}
		}
	}
	return reached, began
}
