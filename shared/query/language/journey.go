package language

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// The limits of journeys.
const (
	maxDistance = 10
	maxBreadth  = 50
)

// Journeys asks which paths visits take from an event on, or up to one.
//
// A visit is followed from its first event that matches (or back from its last one): the
// pages that it views and the names of its other events, where repetitions in succession
// count once. Each is a node of its step. A link counts the visits that went from a node to
// one of the next step. Each step shows its most frequent nodes, and the others as one.
type Journeys struct {
	Question
	Anchor  []Filter // the event from which, or up to which; any event if empty
	To      bool     // whether the paths lead to the event; otherwise they start there
	Depth   int      // steps after the event, or before it
	Breadth int      // nodes of a step
}

// journeysBody is the JSON of a question about journeys.
type journeysBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	From      jsontext.Value `json:"from"`
	To        jsontext.Value `json:"to"`
	Depth     int            `json:"depth"`
	Breadth   int            `json:"breadth"`
}

// ParseJourneys reads a question about journeys, as strictly as Parse.
func ParseJourneys(data []byte) (*Journeys, error) {
	b := journeysBody{Depth: 3, Breadth: 10}
	if err := strictjson.Decode(data, &b); err != nil {
		return nil, err
	}
	j := &Journeys{Depth: b.Depth, Breadth: b.Breadth, To: len(b.To) > 0}
	if err := j.parseSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return nil, err
	}
	if j.To && len(b.From) > 0 {
		return nil, validation.New("to", "must be left out when from is there")
	}
	anchor := b.From
	if j.To {
		anchor = b.To
	}
	if len(anchor) > 0 {
		var err error
		if j.Anchor, err = j.budget.parseFilters(j.anchorField(), anchor); err != nil {
			return nil, err
		}
	}
	switch {
	case j.Depth < 1 || j.Depth > maxDistance:
		return nil, validation.New("depth", fmt.Sprintf("must be from 1 to %d", maxDistance))
	case j.Breadth < 1 || j.Breadth > maxBreadth:
		return nil, validation.New("breadth", fmt.Sprintf("must be from 1 to %d", maxBreadth))
	}
	return j, nil
}

func (j *Journeys) anchorField() string {
	if j.To {
		return "to"
	}
	return "from"
}

// Resolve replaces the names in the question with what they stand for.
func (j *Journeys) Resolve(d Definitions) error {
	left, err := j.resolveQuestion(d)
	if err != nil {
		return err
	}
	return left.resolve(d, j.anchorField(), j.Anchor)
}
