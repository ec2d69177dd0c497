package report

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// What a funnel may be at most.
const (
	maxSteps      = 10
	maxStepName   = 300 // bytes
	maxBreakdowns = 100
	longestWindow = 24 * time.Hour
)

// The orders of a funnel's steps.
const (
	sequential = "sequential" // one after the other, whatever else happens in between
	strict     = "strict"     // one after the other, and nothing else happens in between
	anyOrder   = "any"        // all of them, in whatever order
)

// Funnel asks how far visitors get on a way of several steps.
//
// It is about visitor-days, since identity lasts for one. A visitor-day reaches a step when
// its events have all steps up to it, within the window from the first one on: each a later
// event than the one before. With strict order no other event lies in between; an
// engagement is no event. With any order it reaches the nth step when its events have n of
// the steps, whichever those are.
//
// Times are taken to the second. A visitor-day may try several times. What counts is how far it got at the most; the times
// are those of the attempt that first got there, and of several that are under way at once
// of the one that began last.
type Funnel struct {
	Question         // its site, range and filters, which every event of the funnel must match
	Steps     []Step // two or more
	InOrder   string
	Window    time.Duration
	Breakdown *Dimension // whose value the attempt's first event has
	Limit     int        // of values of the breakdown

	named string // by which its steps are found, with their order and window
}

// Step is a step of a funnel: an event that matches all of the filters.
type Step struct {
	Name    string
	Filters []Filter
}

// stepBody is a step as it is sent.
type stepBody struct {
	Name    string         `json:"name"`
	Filters jsontext.Value `json:"filters"`
}

// definitionBody is what a funnel is, as it is sent and kept.
type definitionBody struct {
	Steps  []stepBody `json:"steps"`
	Order  string     `json:"order"`
	Window int        `json:"window"`
}

// funnelBody is a question about a funnel as it is sent.
type funnelBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	Funnel    string         `json:"funnel"`
	definitionBody
	Breakdown string `json:"breakdown"`
	Limit     int    `json:"limit"`
}

// ParseFunnel reads a question about a funnel. It is as strict as Parse.
func ParseFunnel(data []byte) (Funnel, error) {
	b := funnelBody{Limit: 10}
	if err := strictjson.Decode(data, &b); err != nil {
		return Funnel{}, err
	}
	f := Funnel{Limit: b.Limit, named: b.Funnel}
	if err := f.readSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return f, err
	}
	if f.named != "" {
		if len(b.Steps) > 0 || b.Order != "" || b.Window != 0 {
			return f, problem.Invalid("funnel", "names a funnel that is defined: leave out steps, order and window")
		}
	} else if err := f.readDefinition(b.definitionBody); err != nil {
		return f, err
	}
	if f.Limit < 1 || f.Limit > maxBreakdowns {
		return f, problem.Invalid("limit", fmt.Sprintf("must be from 1 to %d", maxBreakdowns))
	}
	if b.Breakdown != "" {
		d, ok := dimensionNamed(b.Breakdown)
		if !ok || d.isTime() || d.isGoal() {
			return f, problem.Invalid("breakdown", "must be a dimension of events or visits, such as visit:source")
		}
		f.Breakdown = &d
	}
	return f, nil
}

// CheckFunnel tells what is wrong with the definition of a funnel, a JSON object with
// steps, order and window.
func CheckFunnel(definition []byte) error {
	return new(Funnel).parseDefinition(definition)
}

func (f *Funnel) parseDefinition(definition []byte) error {
	var b definitionBody
	if err := strictjson.Decode(definition, &b); err != nil {
		return err
	}
	return f.readDefinition(b)
}

func (f *Funnel) readDefinition(b definitionBody) (err error) {
	if len(b.Steps) < 2 || len(b.Steps) > maxSteps {
		return problem.Invalid("steps", fmt.Sprintf(`must be 2 to %d steps, each such as {"name":"Pricing","filters":[["is","event:page",["/pricing"]]]}`, maxSteps))
	}
	if f.Steps, err = readSteps("steps", b.Steps); err != nil {
		return err
	}
	if f.InOrder = b.Order; f.InOrder == "" {
		f.InOrder = sequential
	}
	if f.Window = time.Duration(b.Window) * time.Second; f.Window == 0 {
		f.Window = longestWindow
	}
	switch {
	case f.InOrder != sequential && f.InOrder != strict && f.InOrder != anyOrder:
		return problem.Invalid("order", "must be sequential, strict or any")
	case b.Window < 0 || b.Window > int(longestWindow.Seconds()):
		return problem.Invalid("window", "must be from 1 to 86400 seconds: a visitor is known for a day")
	}
	return nil
}

// readSelection reads what all questions have: which events they are about.
func (q *Question) readSelection(site string, dateRange, filters jsontext.Value) error {
	if q.SiteID = site; site == "" {
		return problem.Invalid("site_id", "say which site: its domain or its public id")
	}
	b := body{DateRange: dateRange, Filters: filters}
	if err := q.readDateRange(&b); err != nil {
		return err
	}
	return q.readFilters(&b)
}

func readSteps(field string, bodies []stepBody) ([]Step, error) {
	steps := make([]Step, len(bodies))
	for i, b := range bodies {
		at := fmt.Sprintf("%s.%d", field, i)
		filters, err := parseFilters(at+".filters", b.Filters)
		if err != nil {
			return nil, err
		}
		if len(filters) == 0 {
			return nil, problem.Invalid(at+".filters", "must hold at least one filter")
		}
		if len(b.Name) > maxStepName {
			return nil, problem.Invalid(at+".name", fmt.Sprintf("may have at most %d bytes", maxStepName))
		}
		if steps[i] = (Step{b.Name, filters}); b.Name == "" {
			steps[i].Name = fmt.Sprintf("Step %d", i+1)
		}
	}
	return steps, nil
}

// FunnelAnswer is how far visitors got, in all and for each value of the breakdown.
type FunnelAnswer struct {
	Steps     []Reached `json:"steps"`
	Breakdown []Branch  `json:"breakdown,omitzero"` // most visitors first
	DateRange [2]string `json:"date_range"`
}

// Branch is the funnel of the visitors with one value of the breakdown.
type Branch struct {
	Value string    `json:"value"`
	Steps []Reached `json:"steps"`
}

// Reached is how many visitors reached a step.
type Reached struct {
	Name                string   `json:"name"`
	Visitors            int64    `json:"visitors"`
	DropOff             int64    `json:"drop_off"`              // that reached the step before, and not this one
	ConversionRate      float64  `json:"conversion_rate"`       // percent of those of the step before, to two decimals
	TotalConversionRate float64  `json:"total_conversion_rate"` // percent of those of the first step
	MedianSeconds       *float64 `json:"median_seconds"`        // from the step before, whole; null for the first step and for nobody
}

// Funnel answers a funnel about a site at now.
func (p *Reporter) Funnel(ctx context.Context, db store.DB, site store.Site, now time.Time, f *Funnel) (answer FunnelAnswer, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		if err := at.define(ctx, &f.Question); err != nil {
			return err
		}
		if f.named != "" {
			definition, ok, err := at.names.Funnel(ctx, at.tx, site.ID, f.named)
			if err != nil {
				return err
			}
			if !ok {
				return problem.Invalid("funnel", "no such funnel of this site")
			}
			if err := f.parseDefinition(definition); err != nil {
				return fmt.Errorf("read the definition of a funnel: %w", err)
			}
		}
		if err := at.defineSteps(ctx, "steps", f.Steps); err != nil {
			return err
		}
		s, err := f.span(ctx, at.tx, site, now)
		if err != nil {
			return err
		}
		answer, err = at.funnel(ctx, f, s)
		return err
	})
	return answer, err
}

func (a asked) defineSteps(ctx context.Context, field string, steps []Step) error {
	for i := range steps {
		if err := a.defineAll(ctx, fmt.Sprintf("%s.%d.filters", field, i), steps[i].Filters); err != nil {
			return err
		}
	}
	return nil
}

// columnsOfSteps are those that the filters of steps look at.
func columnsOfSteps(steps []Step) (needed []columns.Column) {
	for i := range steps {
		needed = append(needed, columnsOf(steps[i].Filters)...)
	}
	return needed
}

func (a asked) funnel(ctx context.Context, f *Funnel, s span) (FunnelAnswer, error) {
	needed := append(columnsOfSteps(f.Steps), columnsOf(f.Filters)...)
	needed = append(needed, columns.Type, columns.Time)
	if f.Breakdown != nil {
		needed = append(needed, f.Breakdown.column)
	}
	workers := scanWorkers()
	ways := make([]*way, workers)
	for i := range ways {
		ways[i] = &way{funnel: f, span: s, all: newPassed(len(f.Steps)), branches: map[string]*passed{}}
	}
	err := a.eachDay(ctx, s, needed, workers, func(worker int, d *columns.Day) error {
		ways[worker].scan(d)
		return a.limits.bounded(len(ways[worker].branches))
	})
	if err != nil {
		return FunnelAnswer{}, err
	}
	sum := ways[0]
	for _, w := range ways[1:] {
		sum.all.add(w.all)
		for value, branch := range w.branches {
			if sum.branches[value] == nil {
				sum.branches[value] = newPassed(len(f.Steps))
			}
			sum.branches[value].add(branch)
		}
	}
	answer := FunnelAnswer{Steps: sum.all.shape(f.Steps), DateRange: s.String()}
	if f.Breakdown == nil {
		return answer, nil
	}
	values := slices.SortedFunc(maps.Keys(sum.branches), func(a, b string) int {
		return cmp.Or(cmp.Compare(sum.branches[b].visitors[0], sum.branches[a].visitors[0]), cmp.Compare(a, b))
	})
	answer.Breakdown = []Branch{}
	for _, value := range values[:min(f.Limit, len(values))] {
		answer.Breakdown = append(answer.Breakdown, Branch{f.Breakdown.named(value), sum.branches[value].shape(f.Steps)})
	}
	return answer, nil
}

// passed counts who passed the steps.
type passed struct {
	visitors []int64
	seconds  []map[int64]int64 // for each step how many took how many whole seconds from the one before
}

func newPassed(steps int) *passed {
	p := &passed{visitors: make([]int64, steps), seconds: make([]map[int64]int64, steps)}
	for i := range p.seconds {
		p.seconds[i] = map[int64]int64{}
	}
	return p
}

// count counts a visitor-day by the times of the steps that it reached.
func (p *passed) count(times []int64) {
	for i, at := range times {
		p.visitors[i]++
		if i > 0 {
			p.seconds[i][(at-times[i-1])/1000]++
		}
	}
}

func (p *passed) add(o *passed) {
	for i := range p.visitors {
		p.visitors[i] += o.visitors[i]
		for seconds, n := range o.seconds[i] {
			p.seconds[i][seconds] += n
		}
	}
}

func (p *passed) shape(steps []Step) []Reached {
	out := make([]Reached, len(steps))
	for i := range steps {
		r := Reached{Name: steps[i].Name, Visitors: p.visitors[i]}
		if i == 0 {
			r.ConversionRate = round(100*quotient(r.Visitors, r.Visitors), 100)
		} else {
			r.DropOff = p.visitors[i-1] - r.Visitors
			r.ConversionRate = round(100*quotient(r.Visitors, p.visitors[i-1]), 100)
			r.MedianSeconds = median(p.seconds[i])
		}
		r.TotalConversionRate = round(100*quotient(r.Visitors, p.visitors[0]), 100)
		out[i] = r
	}
	return out
}

// median is the middle one of numbers that are there so and so many times, of two middle
// ones their mean; nil of none.
func median(times map[int64]int64) *float64 {
	var all int64
	for _, n := range times {
		all += n
	}
	if all == 0 {
		return nil
	}
	var before int64
	var low *int64
	for _, value := range slices.Sorted(maps.Keys(times)) {
		before += times[value]
		if low == nil && before >= (all+1)/2 {
			low = &value
		}
		if before >= all/2+1 {
			return new(float64(*low+value) / 2)
		}
	}
	return new(float64(*low))
}

// way is what one worker counts of a funnel.
type way struct {
	funnel   *Funnel
	span     span
	all      *passed
	branches map[string]*passed

	// Of the visitor-day at hand, the events that are asked for.
	times   []int64  // milliseconds
	matches []uint16 // a bit for each step
	events  []int    // their numbers
	visits  []int    // those of their visits
}

func (w *way) scan(d *columns.Day) {
	midnight := d.Date.Date().UnixMilli()
	from, to := w.span.from.UnixMilli()-midnight, w.span.to.UnixMilli()-midnight
	if w.span.whole && (d.Date < w.span.first || d.Date > w.span.last) {
		return
	}
	types, times := d.Numbers(columns.Type), d.Numbers(columns.Time)
	keeps := compileAll(d, w.funnel.Filters)
	steps := make([]node, len(w.funnel.Steps))
	for i := range steps {
		steps[i] = compileEach(d, w.funnel.Steps[i].Filters)
	}
	var text columns.Text
	if w.funnel.Breakdown != nil {
		text = d.Text(w.funnel.Breakdown.column)
	}
	for visitorDay := range d.VisitorDays() {
		w.times, w.matches, w.events, w.visits = w.times[:0], w.matches[:0], w.events[:0], w.visits[:0]
		some := false
		first, end := d.VisitsOf(visitorDay)
		for visit := first; visit < end; visit++ {
			event0, eventEnd := d.EventsOf(visit)
			for i := event0; i < eventEnd; i++ {
				if types[i] == int64(event.Engagement) || !w.span.whole && (times[i] < from || times[i] >= to) || keeps != nil && !keeps.holds(i, visit) {
					continue
				}
				var bits uint16
				for step, matches := range steps {
					if matches.holds(i, visit) {
						bits |= 1 << step
					}
				}
				some = some || bits != 0
				w.times, w.matches = append(w.times, times[i]), append(w.matches, bits)
				w.events, w.visits = append(w.events, i), append(w.visits, visit)
			}
		}
		if !some {
			continue
		}
		reached, began := w.funnel.reach(w.times, w.matches)
		if len(reached) == 0 {
			continue
		}
		w.all.count(reached)
		if w.funnel.Breakdown != nil {
			row := w.visits[began]
			if w.funnel.Breakdown.ofEvent() {
				row = w.events[began]
			}
			value := text.At(row)
			branch := w.branches[value]
			if branch == nil {
				branch = newPassed(len(steps))
				w.branches[value] = branch
			}
			branch.count(reached)
		}
	}
}

// reach finds how far the events of a visitor-day get, given when they happened and which
// steps each matches: the times of the steps, and which event was the first.
func (f *Funnel) reach(times []int64, matches []uint16) (reached []int64, began int) {
	switch f.InOrder {
	case strict:
		return f.reachStrict(times, matches)
	case anyOrder:
		return f.reachAny(times, matches)
	default:
		return f.reachSequential(times, matches)
	}
}

// attempt is a way under way.
type attempt struct {
	began int // the event; -1 when there is no attempt
	times [maxSteps]int64
}

// reachSequential keeps, for each step, of the attempts that have come that far the one
// that began last: whatever another could still reach, that one can.
func (f *Funnel) reachSequential(times []int64, matches []uint16) (reached []int64, began int) {
	var under [maxSteps]attempt
	for i := range under {
		under[i].began = -1
	}
	for i, at := range times {
		for step := len(f.Steps) - 1; step >= 0; step-- {
			if matches[i]&(1<<step) == 0 {
				continue
			}
			if step == 0 {
				under[0] = attempt{began: i}
				under[0].times[0] = at
			} else {
				before := &under[step-1]
				if before.began < 0 || at-before.times[0] > f.Window.Milliseconds() || before.began <= under[step].began {
					continue
				}
				under[step] = *before
				under[step].times[step] = at
			}
			if step >= len(reached) {
				reached, began = slices.Clone(under[step].times[:step+1]), under[step].began
			}
		}
	}
	return reached, began
}

func (f *Funnel) reachStrict(times []int64, matches []uint16) (reached []int64, began int) {
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

// reachAny moves a window over the events.
func (f *Funnel) reachAny(times []int64, matches []uint16) (reached []int64, began int) {
	var in [maxSteps]int // how many events of the window match the step
	most, start, end, first := 0, 0, 0, 0
	for i := range times {
		for step := range f.Steps {
			if matches[i]&(1<<step) != 0 {
				in[step]++
			}
		}
		for times[i]-times[first] > f.Window.Milliseconds() {
			for step := range f.Steps {
				if matches[first]&(1<<step) != 0 {
					in[step]--
				}
			}
			first++
		}
		n := 0
		for step := range f.Steps {
			n += min(in[step], 1)
		}
		if n > most {
			most, start, end = n, first, i
		}
	}
	// Of the window that first had as many, when each further one was there. What comes
	// before the last event to bring a first one can be left out.
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
