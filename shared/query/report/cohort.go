package report

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// maxPeriods is the maximum number of periods of retention and return cohorts.
const maxPeriods = 100 // a bit each in subjectPeriods

// About how many bytes these take, besides their texts.
const (
	cohortBytes  = 200
	shareBytes   = 40
	subjectBytes = 130
)

// CohortsAnswer is cohorts, by period, then those with most visitors first.
type CohortsAnswer struct {
	Cohorts   []Cohort  `json:"cohorts"`
	DateRange [2]string `json:"date_range"`
}

// Cohort is one cohort.
type Cohort struct {
	Period   string  `json:"period"`            // its first day
	Value    *string `json:"value,omitzero"`    // of the dimension; left out without one
	Visitors int64   `json:"visitors"`          // or subjects
	Did      []Share `json:"did,omitzero"`      // of acquisition cohorts, in the order of the question
	Returned []Share `json:"returned,omitzero"` // after 0, 1, 2 … periods, up to the end of the range
}

// Share is a part of a cohort.
type Share struct {
	Name       string  `json:"name,omitempty"`
	Visitors   int64   `json:"visitors"`
	Percentage float64 `json:"percentage"` // of the cohort, to two decimals
}

func share(name string, n, of int64) Share { return Share{name, n, percentage(n, of)} }

// Cohorts answers a question about cohorts of a site at now.
func (r *Reporter) Cohorts(ctx context.Context, db database.DB, site sites.Site, now time.Time, c *language.Cohorts) (answer CohortsAnswer, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		within, err := begin(ctx, s, c, &c.Question)
		if err != nil {
			return err
		}
		if !within.Whole {
			return validation.New("date_range", "must be of whole days, e.g. 30d: cohorts are of days, weeks and months")
		}
		if c.Kind == language.Acquisition {
			answer, err = answerAcquisition(ctx, s, c, within)
		} else {
			answer, err = answerRetention(ctx, s, c, within)
		}
		return err
	})
	return answer, err
}

// cohortKey identifies an acquisition cohort.
type cohortKey struct {
	period event.Day
	value  string
}

// cohortCounts counts an acquisition cohort.
type cohortCounts struct {
	visitors int64
	did      [language.MaxSteps]int64
}

func answerAcquisition(ctx context.Context, s *engine.Session, c *language.Cohorts, within language.Range) (CohortsAnswer, error) {
	needed := append(stepColumns(c.Did), engine.FilterColumns(c.Filters)...)
	needed = append(needed, columns.Type)
	if c.By != nil {
		needed = append(needed, c.By.Column())
	}
	counts := make([]map[cohortKey]*cohortCounts, engine.Workers())
	for i := range counts {
		counts[i] = map[cohortKey]*cohortCounts{}
	}
	err := s.EachDay(ctx, within, needed, func(ctx context.Context, w *engine.Worker, d *columns.Day) error {
		return countAcquisition(ctx, w, c, d, within, counts[w.Number])
	})
	if err != nil {
		return CohortsAnswer{}, err
	}
	sum := counts[0]
	for _, other := range counts[1:] {
		for key, o := range other {
			if sum[key] == nil {
				sum[key] = o
				continue
			}
			sum[key].visitors += o.visitors
			for i, n := range o.did {
				sum[key].did[i] += n
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(sum), func(a, b cohortKey) int {
		return cmp.Or(cmp.Compare(a.period, b.period), cmp.Compare(sum[b].visitors, sum[a].visitors), cmp.Compare(a.value, b.value))
	})
	if err := s.Use(ctx, int64(len(keys)*(cohortBytes+shareBytes*len(c.Did)))); err != nil {
		return CohortsAnswer{}, err
	}
	answer := CohortsAnswer{Cohorts: []Cohort{}, DateRange: within.Bounds()}
	ofPeriod, period := 0, event.Day(0)
	for i, key := range keys {
		if i == 0 || key.period != period {
			period, ofPeriod = key.period, 0
		}
		if ofPeriod++; ofPeriod > c.Limit {
			continue
		}
		cohort := Cohort{Period: key.period.String(), Visitors: sum[key].visitors, Did: []Share{}}
		if c.By != nil {
			cohort.Value = new(c.By.Label(key.value))
		}
		for i, step := range c.Did {
			cohort.Did = append(cohort.Did, share(step.Name, sum[key].did[i], cohort.Visitors))
		}
		answer.Cohorts = append(answer.Cohorts, cohort)
	}
	return answer, nil
}

// countAcquisition counts a day. Visitor-days are in the cohorts if their first visit has an
// event that matches the question's filters.
func countAcquisition(ctx context.Context, w *engine.Worker, c *language.Cohorts, d *columns.Day, within language.Range, counts map[cohortKey]*cohortCounts) error {
	types := d.Numbers(columns.Type)
	predicate, err := engine.Compile(ctx, w, d, c.Filters)
	if err != nil {
		return err
	}
	did, err := compileSteps(ctx, w, d, c.Did)
	if err != nil {
		return err
	}
	var text columns.Text
	if c.By != nil {
		text = d.Text(c.By.Column())
	}
	anyEvent := func(p engine.Predicate, visit int) bool {
		first, end := d.EventsOf(visit)
		for i := first; i < end; i++ {
			if types[i] != int64(event.Engagement) && (p == nil || p.Holds(i, visit)) {
				return true
			}
		}
		return false
	}
	period := within.Period(c.Interval, d.Date)
	for visitorDay := range d.VisitorDays() {
		if err := w.Check(ctx); err != nil {
			return err
		}
		first, end := d.VisitsOf(visitorDay)
		if !anyEvent(predicate, first) {
			continue
		}
		key := cohortKey{period: period}
		if c.By != nil {
			if key.value = text.At(first); key.value == "" && c.By.SkipsUnknown() {
				continue
			}
		}
		cohort := counts[key]
		if cohort == nil {
			cohort = &cohortCounts{}
			counts[key] = cohort
			w.Keep(cohortBytes + len(key.value))
		}
		cohort.visitors++
		for i, p := range did {
			for visit := first; visit < end; visit++ {
				if anyEvent(p, visit) {
					cohort.did[i]++
					break
				}
			}
		}
	}
	return nil
}

// subjectPeriods is in which periods a subject had events.
type subjectPeriods struct {
	first uint8     // of the first event that begins a cohort; noPeriod before
	again [2]uint64 // a bit for each period with an event that counts as a return
}

const noPeriod = 255

func answerRetention(ctx context.Context, s *engine.Session, c *language.Cohorts, within language.Range) (CohortsAnswer, error) {
	periods := map[event.Day]uint8{}
	var starts []event.Day
	for day := within.First; day <= within.Last; day++ {
		period := within.Period(c.Interval, day)
		if _, ok := periods[period]; !ok {
			if len(starts) == maxPeriods {
				return CohortsAnswer{}, validation.New("date_range", fmt.Sprintf("has more than %d periods: ask for a shorter one, or a longer interval", maxPeriods))
			}
			periods[period] = uint8(len(starts))
			starts = append(starts, period)
		}
	}
	needed := append(engine.FilterColumns(c.Filters), engine.FilterColumns(c.First)...)
	needed = append(append(needed, engine.FilterColumns(c.Again)...), columns.Type, columns.Subject)
	workers := make([]map[string]*subjectPeriods, engine.Workers())
	for i := range workers {
		workers[i] = map[string]*subjectPeriods{}
	}
	err := s.EachDay(ctx, within, needed, func(ctx context.Context, w *engine.Worker, d *columns.Day) error {
		return noteSubjects(ctx, w, c, d, periods[within.Period(c.Interval, d.Date)], workers[w.Number])
	})
	if err != nil {
		return CohortsAnswer{}, err
	}
	subjects := workers[0]
	for _, other := range workers[1:] {
		for subject, o := range other {
			known := subjects[subject]
			if known == nil {
				subjects[subject] = o
				continue
			}
			known.first = min(known.first, o.first)
			known.again[0] |= o.again[0]
			known.again[1] |= o.again[1]
		}
	}
	sizes, returned := countReturns(c.Kind, subjects, len(starts))
	answer := CohortsAnswer{Cohorts: []Cohort{}, DateRange: within.Bounds()}
	for i, start := range starts {
		cohort := Cohort{Period: start.String(), Visitors: sizes[i], Returned: []Share{}}
		for _, n := range returned[i] {
			cohort.Returned = append(cohort.Returned, share("", n, sizes[i]))
		}
		answer.Cohorts = append(answer.Cohorts, cohort)
	}
	return answer, nil
}

// countReturns returns the size of the cohort of each period, and how many of it returned
// after each number of periods.
func countReturns(kind language.CohortKind, subjects map[string]*subjectPeriods, periods int) (sizes []int64, returned [][]int64) {
	sizes, returned = make([]int64, periods), make([][]int64, periods)
	for i := range returned {
		returned[i] = make([]int64, periods-i)
	}
	for _, subject := range subjects {
		if subject.first == noPeriod {
			continue
		}
		first := int(subject.first)
		sizes[first]++
		later := false
		for after := periods - 1 - first; after >= 0; after-- {
			period := first + after
			came := subject.again[period/64]&(1<<(period%64)) != 0
			later = later || came
			if came || later && kind == language.Return {
				returned[first][after]++
			}
		}
	}
	return sizes, returned
}

// noteSubjects notes the subjects that had events on a day.
func noteSubjects(ctx context.Context, w *engine.Worker, c *language.Cohorts, d *columns.Day, period uint8, subjects map[string]*subjectPeriods) error {
	types, text := d.Numbers(columns.Type), d.Text(columns.Subject)
	compiled := make([]engine.Predicate, 3)
	for i, filters := range [][]language.Filter{c.Filters, c.First, c.Again} {
		var err error
		if compiled[i], err = engine.Compile(ctx, w, d, filters); err != nil {
			return err
		}
	}
	predicate, first, again := compiled[0], compiled[1], compiled[2]
	byText := make([]*subjectPeriods, len(text.Values))
	for visit := range d.Visits() {
		if err := w.Check(ctx); err != nil {
			return err
		}
		begin, end := d.EventsOf(visit)
		for i := begin; i < end; i++ {
			number := text.Index[i]
			if number == 0 || types[i] == int64(event.Engagement) || predicate != nil && !predicate.Holds(i, visit) {
				continue
			}
			if byText[number] == nil {
				subject := text.Values[number]
				if subjects[subject] == nil {
					subjects[subject] = &subjectPeriods{first: noPeriod}
					w.Keep(subjectBytes + len(subject))
				}
				byText[number] = subjects[subject]
			}
			if first == nil || first.Holds(i, visit) {
				byText[number].first = min(byText[number].first, period)
			}
			if again == nil || again.Holds(i, visit) {
				byText[number].again[period/64] |= 1 << (period % 64)
			}
		}
	}
	return nil
}
