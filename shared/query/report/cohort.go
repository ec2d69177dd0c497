package report

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// The kinds of cohorts.
const (
	acquisition = "acquisition" // visitor-days by what brought them, and what they then did on their day
	retention   = "retention"   // subjects by when they were first seen, and in which periods they came back
	comeback    = "return"      // the same, and in which period or a later one they came back
)

// What cohorts may be at most.
const (
	maxCohorts  = 1000
	maxSubjects = 2_000_000
	maxPeriods  = 100
)

// Cohorts asks what became of visitors who have something in common.
//
// Acquisition cohorts are anonymous. A visitor-day is in the cohort of the value that its
// first visit in the range has, and of its period. Of each cohort they tell how many did
// each of several things on their day: had an event that matches all of the filters.
//
// Retention cohorts are of subjects, who can be followed across days since they consented.
// A subject is in the cohort of the period in which its first event of the range that
// matches the question's filters (or those of First) lies. Of each cohort they tell how
// many had an event that matches (those of Again) so and so many periods later: in just
// that period for retention; in that or a later one of the range for return.
type Cohorts struct {
	Question
	Kind  string
	By    *Dimension // of visits; of acquisition cohorts, all are one without
	Did   []Step     // of acquisition cohorts
	First []Filter   // of retention cohorts
	Again []Filter
	Limit int // of values of each period, those with most visitors
	grain grain
}

type cohortsBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	Kind      string         `json:"kind"`
	Interval  string         `json:"interval"`
	By        string         `json:"by"`
	Did       []stepBody     `json:"did"`
	First     jsontext.Value `json:"first"`
	Again     jsontext.Value `json:"again"`
	Limit     *int           `json:"limit"`
}

// ParseCohorts reads a question about cohorts. It is as strict as Parse.
func ParseCohorts(data []byte) (c Cohorts, err error) {
	b := cohortsBody{Kind: acquisition, Interval: "week"}
	if err := strictjson.Decode(data, &b); err != nil {
		return c, err
	}
	c.Kind = b.Kind
	if err := c.readSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return c, err
	}
	switch b.Interval {
	case "day":
		c.grain = dayGrain
	case "week":
		c.grain = weekGrain
	case "month":
		c.grain = monthGrain
	default:
		return c, problem.Invalid("interval", "must be day, week or month")
	}
	only := func(field, of string, given bool) error {
		if given {
			return problem.Invalid(field, "is for cohorts of the kind "+of+" only")
		}
		return nil
	}
	switch c.Kind {
	case acquisition:
		if err := cmp.Or(only("first", retention, len(b.First) > 0), only("again", retention, len(b.Again) > 0)); err != nil {
			return c, err
		}
		return c, c.readAcquisition(b)
	case retention, comeback:
		if err := cmp.Or(only("by", acquisition, b.By != ""), only("did", acquisition, len(b.Did) > 0), only("limit", acquisition, b.Limit != nil)); err != nil {
			return c, err
		}
		for _, list := range []struct {
			field string
			from  jsontext.Value
			to    *[]Filter
		}{{"first", b.First, &c.First}, {"again", b.Again, &c.Again}} {
			if len(list.from) > 0 {
				if *list.to, err = parseFilters(list.field, list.from); err != nil {
					return c, err
				}
			}
		}
		return c, nil
	default:
		return c, problem.Invalid("kind", "must be acquisition, retention or return")
	}
}

func (c *Cohorts) readAcquisition(b cohortsBody) (err error) {
	if c.Limit = 10; b.Limit != nil {
		c.Limit = *b.Limit
	}
	if c.Limit < 1 || c.Limit > maxCohorts {
		return problem.Invalid("limit", fmt.Sprintf("must be from 1 to %d", maxCohorts))
	}
	if b.By != "" {
		d, ok := dimensionNamed(b.By)
		if !ok || !strings.HasPrefix(d.Name, "visit:") {
			return problem.Invalid("by", "must be a dimension of visits, such as visit:source, visit:utm_campaign or visit:entry_page")
		}
		c.By = &d
	}
	if len(b.Did) > maxSteps {
		return problem.Invalid("did", fmt.Sprintf("must be at most %d", maxSteps))
	}
	c.Did, err = readSteps("did", b.Did)
	return err
}

// CohortsAnswer are cohorts, by period, then those with most visitors first.
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
	Returned []Share `json:"returned,omitzero"` // after 0, 1, 2 … periods, as far as the range goes
}

// Share is how many of a cohort there are.
type Share struct {
	Name       string  `json:"name,omitempty"`
	Visitors   int64   `json:"visitors"`
	Percentage float64 `json:"percentage"` // of the cohort, to two decimals
}

func share(name string, n, of int64) Share {
	return Share{name, n, round(100*quotient(n, of), 100)}
}

// Cohorts answers a question about cohorts of a site at now.
func (p *Reporter) Cohorts(ctx context.Context, db store.DB, site store.Site, now time.Time, c *Cohorts) (answer CohortsAnswer, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		if err := at.define(ctx, &c.Question); err != nil {
			return err
		}
		for field, filters := range map[string][]Filter{"first": c.First, "again": c.Again} {
			if err := at.defineAll(ctx, field, filters); err != nil {
				return err
			}
		}
		if err := at.defineSteps(ctx, "did", c.Did); err != nil {
			return err
		}
		s, err := c.span(ctx, at.tx, site, now)
		if err != nil {
			return err
		}
		if !s.whole {
			return problem.Invalid("date_range", "must be of whole days, e.g. 30d: cohorts are of days, weeks and months")
		}
		if c.Kind == acquisition {
			answer, err = at.acquisition(ctx, c, s)
		} else {
			answer, err = at.retention(ctx, c, s)
		}
		return err
	})
	return answer, err
}

// cohortKey names an acquisition cohort.
type cohortKey struct {
	period event.Day
	value  string
}

// acquired is a cohort that is being counted.
type acquired struct {
	visitors int64
	did      [maxSteps]int64
}

func (a asked) acquisition(ctx context.Context, c *Cohorts, s span) (CohortsAnswer, error) {
	needed := append(columnsOfSteps(c.Did), columnsOf(c.Filters)...)
	needed = append(needed, columns.Type)
	if c.By != nil {
		needed = append(needed, c.By.column)
	}
	counts := make([]map[cohortKey]*acquired, scanWorkers())
	for i := range counts {
		counts[i] = map[cohortKey]*acquired{}
	}
	err := a.eachDay(ctx, s, needed, len(counts), func(worker int, d *columns.Day) error {
		c.acquire(d, s, counts[worker])
		return a.limits.bounded(len(counts[worker]))
	})
	if err != nil {
		return CohortsAnswer{}, err
	}
	sum := counts[0]
	for _, other := range counts[1:] {
		for key, o := range other {
			if sum[key] == nil {
				sum[key] = &acquired{}
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
	answer := CohortsAnswer{Cohorts: []Cohort{}, DateRange: s.String()}
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
			cohort.Value = new(c.By.named(key.value))
		}
		for i, step := range c.Did {
			cohort.Did = append(cohort.Did, share(step.Name, sum[key].did[i], cohort.Visitors))
		}
		answer.Cohorts = append(answer.Cohorts, cohort)
	}
	return answer, nil
}

// acquire counts a day. The question's filters say which visitor-days are in the cohorts:
// those whose first visit has an event that matches them.
func (c *Cohorts) acquire(d *columns.Day, s span, counts map[cohortKey]*acquired) {
	types := d.Numbers(columns.Type)
	keeps := compileAll(d, c.Filters)
	did := make([]node, len(c.Did))
	for i := range did {
		did[i] = compileEach(d, c.Did[i].Filters)
	}
	var text columns.Text
	if c.By != nil {
		text = d.Text(c.By.column)
	}
	matches := func(n node, visit int) bool {
		first, end := d.EventsOf(visit)
		for i := first; i < end; i++ {
			if types[i] != int64(event.Engagement) && (n == nil || n.holds(i, visit)) {
				return true
			}
		}
		return false
	}
	period := s.period(c.grain, d.Date)
	for visitorDay := range d.VisitorDays() {
		first, end := d.VisitsOf(visitorDay)
		if !matches(keeps, first) {
			continue
		}
		key := cohortKey{period: period}
		if c.By != nil {
			if key.value = text.At(first); key.value == "" && c.By.skip {
				continue
			}
		}
		cohort := counts[key]
		if cohort == nil {
			cohort = &acquired{}
			counts[key] = cohort
		}
		cohort.visitors++
		for i, n := range did {
			for visit := first; visit < end; visit++ {
				if matches(n, visit) {
					cohort.did[i]++
					break
				}
			}
		}
	}
}

// seen is in which periods a subject had which events.
type seen struct {
	first uint8 // the period of the first event that begins a cohort; notYet before
	again [2]uint64
}

const notYet = 255

func (a asked) retention(ctx context.Context, c *Cohorts, s span) (CohortsAnswer, error) {
	periods := map[event.Day]uint8{}
	var starts []event.Day
	for day := s.first; day <= s.last; day++ {
		period := s.period(c.grain, day)
		if _, ok := periods[period]; !ok {
			if len(starts) == maxPeriods {
				return CohortsAnswer{}, problem.Invalid("date_range", fmt.Sprintf("has more than %d periods: ask for a shorter one, or a longer interval", maxPeriods))
			}
			periods[period] = uint8(len(starts))
			starts = append(starts, period)
		}
	}
	needed := append(columnsOf(c.Filters), columnsOf(c.First)...)
	needed = append(append(needed, columnsOf(c.Again)...), columns.Type, columns.Subject)
	workers := make([]map[string]*seen, scanWorkers())
	for i := range workers {
		workers[i] = map[string]*seen{}
	}
	err := a.eachDay(ctx, s, needed, len(workers), func(worker int, d *columns.Day) error {
		c.follow(d, periods[s.period(c.grain, d.Date)], workers[worker])
		return tooManySubjects(len(workers[worker]))
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
	if err := tooManySubjects(len(subjects)); err != nil {
		return CohortsAnswer{}, err
	}
	sizes, returned := make([]int64, len(starts)), make([][]int64, len(starts))
	for i := range returned {
		returned[i] = make([]int64, len(starts)-i)
	}
	for _, subject := range subjects {
		if subject.first == notYet {
			continue
		}
		first := int(subject.first)
		sizes[first]++
		later := false
		for after := len(starts) - 1 - first; after >= 0; after-- {
			period := first + after
			came := subject.again[period/64]&(1<<(period%64)) != 0
			later = later || came
			if came || later && c.Kind == comeback {
				returned[first][after]++
			}
		}
	}
	answer := CohortsAnswer{Cohorts: []Cohort{}, DateRange: s.String()}
	for i, start := range starts {
		cohort := Cohort{Period: start.String(), Visitors: sizes[i], Returned: []Share{}}
		for _, n := range returned[i] {
			cohort.Returned = append(cohort.Returned, share("", n, sizes[i]))
		}
		answer.Cohorts = append(answer.Cohorts, cohort)
	}
	return answer, nil
}

func tooManySubjects(n int) error {
	if n <= maxSubjects {
		return nil
	}
	return problem.New(http.StatusUnprocessableEntity, "query_too_large",
		fmt.Sprintf("there are more than %d subjects: ask for a shorter date_range", maxSubjects))
}

// follow notes which subjects had events on a day.
func (c *Cohorts) follow(d *columns.Day, period uint8, subjects map[string]*seen) {
	types, text := d.Numbers(columns.Type), d.Text(columns.Subject)
	keeps, first, again := compileAll(d, c.Filters), compileAll(d, c.First), compileAll(d, c.Again)
	of := make([]*seen, len(text.Values))
	for visit := range d.Visits() {
		begin, end := d.EventsOf(visit)
		for i := begin; i < end; i++ {
			number := text.Index[i]
			if number == 0 || types[i] == int64(event.Engagement) || keeps != nil && !keeps.holds(i, visit) {
				continue
			}
			if of[number] == nil {
				subject := text.Values[number]
				if subjects[subject] == nil {
					subjects[subject] = &seen{first: notYet}
				}
				of[number] = subjects[subject]
			}
			if first == nil || first.holds(i, visit) {
				of[number].first = min(of[number].first, period)
			}
			if again == nil || again.holds(i, visit) {
				of[number].again[period/64] |= 1 << (period % 64)
			}
		}
	}
}
