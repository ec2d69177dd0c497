package language

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// The limits of funnels.
const (
	MaxSteps      = 10
	MaxBreakdowns = 100

	maxStepName = 300 // bytes
	maxWindow   = 24 * time.Hour
)

// The orders of the steps of a funnel.
const (
	Sequential = "sequential" // one after the other, whatever else happens in between
	Strict     = "strict"     // one after the other, and nothing else happens in between
	AnyOrder   = "any"        // all of them, in any order
)

// Funnel asks how far visitors get through several steps.
//
// It is about visitor-days, since identity lasts one day. A visitor-day reaches a step if
// its events contain all steps up to it, each in a later event than the one before, within
// the window from the first one on. With the order strict, no other event may lie in
// between; engagements are not events. With the order any, a visitor-day reaches the nth
// step if its events contain any n of the steps.
//
// Times are in whole seconds. A visitor-day may make several attempts. Its farthest step
// counts, with the times of the attempt that reached it first; of several attempts in
// progress, with those of the one that began last.
type Funnel struct {
	Question         // every event of the funnel must match its filters
	Steps     []Step // two or more
	StepOrder string
	Window    time.Duration
	Breakdown *Dimension // whose value the first event of the attempt has
	Limit     int        // of values of the breakdown

	name string // of a stored definition of the steps, their order and the window
}

// Step is a step of a funnel: an event that matches all of the filters.
type Step struct {
	Name    string
	Filters []Filter
}

// stepBody is the JSON of a step.
type stepBody struct {
	Name    string         `json:"name"`
	Filters jsontext.Value `json:"filters"`
}

// definitionBody is the JSON of a funnel's definition.
type definitionBody struct {
	Steps  []stepBody `json:"steps"`
	Order  string     `json:"order"`
	Window int        `json:"window"`
}

// funnelBody is the JSON of a question about a funnel.
type funnelBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	Funnel    string         `json:"funnel"`
	definitionBody
	Breakdown string `json:"breakdown"`
	Limit     int    `json:"limit"`
}

// ParseFunnel reads a question about a funnel, as strictly as Parse.
func ParseFunnel(data []byte) (*Funnel, error) {
	b := funnelBody{Limit: 10}
	if err := strictjson.Decode(data, &b); err != nil {
		return nil, err
	}
	f := &Funnel{Limit: b.Limit, name: b.Funnel}
	if err := f.parseSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return nil, err
	}
	if f.name != "" {
		if len(b.Steps) > 0 || b.Order != "" || b.Window != 0 {
			return nil, validation.New("funnel", "names a funnel that is defined: leave out steps, order and window")
		}
	} else if err := f.parseDefinition(b.definitionBody, &f.budget); err != nil {
		return nil, err
	}
	if f.Limit < 1 || f.Limit > MaxBreakdowns {
		return nil, validation.New("limit", fmt.Sprintf("must be from 1 to %d", MaxBreakdowns))
	}
	if b.Breakdown != "" {
		d, ok := DimensionByName(b.Breakdown)
		if !ok || d.IsTime() || d.IsGoal() {
			return nil, validation.New("breakdown", "must be a dimension of events or visits, such as visit:source")
		}
		f.Breakdown = &d
	}
	return f, nil
}

// CheckFunnel checks the definition of a funnel, a JSON object with steps, order and
// window.
func CheckFunnel(definition []byte) error {
	b := newBudget()
	return new(Funnel).define(definition, &b)
}

// define sets the steps, their order and the window from a definition.
func (f *Funnel) define(definition []byte, left *budget) error {
	var b definitionBody
	if err := strictjson.Decode(definition, &b); err != nil {
		return err
	}
	return f.parseDefinition(b, left)
}

func (f *Funnel) parseDefinition(b definitionBody, left *budget) (err error) {
	if len(b.Steps) < 2 || len(b.Steps) > MaxSteps {
		return validation.New("steps", fmt.Sprintf(`must be 2 to %d steps, each such as {"name":"Pricing","filters":[["is","event:page",["/pricing"]]]}`, MaxSteps))
	}
	if f.Steps, err = left.parseSteps("steps", b.Steps); err != nil {
		return err
	}
	if f.StepOrder = b.Order; f.StepOrder == "" {
		f.StepOrder = Sequential
	}
	if f.Window = time.Duration(b.Window) * time.Second; f.Window == 0 {
		f.Window = maxWindow
	}
	switch {
	case f.StepOrder != Sequential && f.StepOrder != Strict && f.StepOrder != AnyOrder:
		return validation.New("order", "must be sequential, strict or any")
	case b.Window < 0 || b.Window > int(maxWindow.Seconds()):
		return validation.New("window", "must be from 1 to 86400 seconds: a visitor is known for a day")
	}
	return nil
}

func (b *budget) parseSteps(field string, bodies []stepBody) ([]Step, error) {
	steps := make([]Step, len(bodies))
	for i, body := range bodies {
		at := fmt.Sprintf("%s.%d", field, i)
		filters, err := b.parseFilters(at+".filters", body.Filters)
		if err != nil {
			return nil, err
		}
		if len(filters) == 0 {
			return nil, validation.New(at+".filters", "must hold at least one filter")
		}
		if len(body.Name) > maxStepName {
			return nil, validation.New(at+".name", fmt.Sprintf("may have at most %d bytes", maxStepName))
		}
		if steps[i] = (Step{body.Name, filters}); body.Name == "" {
			steps[i].Name = fmt.Sprintf("Step %d", i+1)
		}
	}
	return steps, nil
}

// Resolve replaces the names in the question, which may be that of the funnel itself.
func (f *Funnel) Resolve(d Definitions) error {
	left, err := f.resolveQuestion(d)
	if err != nil {
		return err
	}
	if f.name != "" {
		definition, ok, err := d.Funnel(f.name)
		if err != nil {
			return err
		}
		if !ok {
			return validation.New("funnel", "no such funnel of this site")
		}
		if err := f.define(definition, &left); err != nil {
			return storedError("funnel", "funnel", err)
		}
	}
	return left.resolveSteps(d, "steps", f.Steps)
}
