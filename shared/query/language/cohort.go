package language

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// CohortKind is how cohorts are formed and what is counted of them.
type CohortKind string

// The kinds of cohorts.
const (
	Acquisition CohortKind = "acquisition" // visitor-days by what brought them, and what they did on their day
	Retention   CohortKind = "retention"   // subjects by when they were first seen, and in which periods they came back
	Return      CohortKind = "return"      // the same, and in which period or a later one they came back
)

// MaxCohorts is the maximum number of acquisition cohorts of a period.
const MaxCohorts = 1000

// Cohorts asks what became of visitors who have something in common.
//
// Acquisition cohorts are anonymous. A visitor-day belongs to the cohort of its period and
// of the value of its first visit in the range. Each cohort counts how many visitor-days
// did each of several things on their day, that is, had an event that matches all of the
// filters.
//
// Retention and return cohorts consist of subjects, who have consented to be recognised on
// other days. A subject belongs to the cohort of the period of its first event in the range
// that matches the filters of the question and those of First. Each cohort counts how many
// subjects had an event that matches Again a number of periods later: for retention in
// exactly that period, for return in that or a later period of the range.
type Cohorts struct {
	Question
	Kind     CohortKind
	Interval Grain      // day, week or month
	By       *Dimension // of visits; for acquisition, which has one cohort a period without it
	Did      []Step     // for acquisition
	First    []Filter   // for retention and return
	Again    []Filter
	Limit    int // cohorts of each period, those with most visitors
}

// cohortsBody is the JSON of a question about cohorts.
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

// ParseCohorts reads a question about cohorts, as strictly as Parse.
func ParseCohorts(data []byte) (*Cohorts, error) {
	b := cohortsBody{Kind: string(Acquisition), Interval: "week"}
	if err := strictjson.Decode(data, &b); err != nil {
		return nil, err
	}
	c := &Cohorts{Kind: CohortKind(b.Kind)}
	if err := c.parseSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return nil, err
	}
	switch b.Interval {
	case "day":
		c.Interval = DayGrain
	case "week":
		c.Interval = WeekGrain
	case "month":
		c.Interval = MonthGrain
	default:
		return nil, validation.New("interval", "must be day, week or month")
	}
	switch c.Kind {
	case Acquisition:
		if err := c.parseAcquisition(b); err != nil {
			return nil, err
		}
	case Retention, Return:
		if err := c.parseRetention(b); err != nil {
			return nil, err
		}
	default:
		return nil, validation.New("kind", "must be acquisition, retention or return")
	}
	return c, nil
}

// onlyFor refuses a field that is given for another kind of cohorts.
func onlyFor(kind CohortKind, field string, given bool) error {
	if given {
		return validation.New(field, fmt.Sprintf("is for cohorts of the kind %s only", kind))
	}
	return nil
}

func (c *Cohorts) parseAcquisition(b cohortsBody) (err error) {
	if err := cmp.Or(onlyFor(Retention, "first", len(b.First) > 0), onlyFor(Retention, "again", len(b.Again) > 0)); err != nil {
		return err
	}
	if c.Limit = 10; b.Limit != nil {
		c.Limit = *b.Limit
	}
	if c.Limit < 1 || c.Limit > MaxCohorts {
		return validation.New("limit", fmt.Sprintf("must be from 1 to %d", MaxCohorts))
	}
	if b.By != "" {
		d, ok := DimensionByName(b.By)
		if !ok || !strings.HasPrefix(d.Name, "visit:") {
			return validation.New("by", "must be a dimension of visits, such as visit:source, visit:utm_campaign or visit:entry_page")
		}
		c.By = &d
	}
	if len(b.Did) > MaxSteps {
		return validation.New("did", fmt.Sprintf("must be at most %d", MaxSteps))
	}
	c.Did, err = c.budget.parseSteps("did", b.Did)
	return err
}

func (c *Cohorts) parseRetention(b cohortsBody) (err error) {
	if err := cmp.Or(onlyFor(Acquisition, "by", b.By != ""), onlyFor(Acquisition, "did", len(b.Did) > 0), onlyFor(Acquisition, "limit", b.Limit != nil)); err != nil {
		return err
	}
	for _, list := range []struct {
		field string
		from  jsontext.Value
		to    *[]Filter
	}{{"first", b.First, &c.First}, {"again", b.Again, &c.Again}} {
		if len(list.from) > 0 {
			if *list.to, err = c.budget.parseFilters(list.field, list.from); err != nil {
				return err
			}
		}
	}
	return nil
}

// Resolve replaces the names in the question with what they stand for.
func (c *Cohorts) Resolve(d Definitions) error {
	left, err := c.resolveQuestion(d)
	if err != nil {
		return err
	}
	if err := left.resolve(d, "first", c.First); err != nil {
		return err
	}
	if err := left.resolve(d, "again", c.Again); err != nil {
		return err
	}
	return left.resolveSteps(d, "did", c.Did)
}
