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

// What journeys may be at most.
const (
	maxJourney = 10
	maxBreadth = 50
)

// Journeys asks which ways visits take from an event on, or to one.
//
// A visit is looked at from its first event that matches (or to its last one): the pages
// that it views and the names of its other events, where the same one several times in
// succession counts once. Each is a node of its step. A link tells how many visits went
// from a node to one of the next step. Of each step the most frequent nodes are shown, and
// the others as one.
type Journeys struct {
	Question
	Anchor  []Filter // the event from which, or to which; the visit's first, or last, without
	To      bool     // the ways to the event; else those from it
	Depth   int      // steps after, or before, that of the event
	Breadth int      // nodes of a step
}

type journeysBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	From      jsontext.Value `json:"from"`
	To        jsontext.Value `json:"to"`
	Depth     int            `json:"depth"`
	Breadth   int            `json:"breadth"`
}

// ParseJourneys reads a question about journeys. It is as strict as Parse.
func ParseJourneys(data []byte) (j Journeys, err error) {
	b := journeysBody{Depth: 3, Breadth: 10}
	if err := strictjson.Decode(data, &b); err != nil {
		return j, err
	}
	j.Depth, j.Breadth, j.To = b.Depth, b.Breadth, len(b.To) > 0
	if err := j.readSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return j, err
	}
	switch {
	case len(b.From) > 0 && len(b.To) > 0:
		return j, problem.Invalid("to", "must be left out when from is there")
	case j.To:
		j.Anchor, err = parseFilters("to", b.To)
	case len(b.From) > 0:
		j.Anchor, err = parseFilters("from", b.From)
	}
	switch {
	case err != nil:
	case j.Depth < 1 || j.Depth > maxJourney:
		err = problem.Invalid("depth", fmt.Sprintf("must be from 1 to %d", maxJourney))
	case j.Breadth < 1 || j.Breadth > maxBreadth:
		err = problem.Invalid("breadth", fmt.Sprintf("must be from 1 to %d", maxBreadth))
	}
	return j, err
}

// JourneysAnswer is a graph, as a Sankey diagram shows it.
type JourneysAnswer struct {
	Visits    int64     `json:"visits"` // that have the event
	Nodes     []Node    `json:"nodes"`  // by step, the most frequent first, others last
	Links     []Link    `json:"links"`  // by step, the most frequent first
	DateRange [2]string `json:"date_range"`
}

// Node is something that visits did at a step.
type Node struct {
	Step   int      `json:"step"` // 0 is that of the event; before it they are negative
	Kind   NodeKind `json:"kind"`
	Name   string   `json:"name"` // the page, or the name of the event; "" of the others
	Visits int64    `json:"visits"`
}

// NodeKind is what a node is.
type NodeKind string

// The kinds of nodes.
const (
	PageNode  NodeKind = "page"
	EventNode NodeKind = "event"
	Others    NodeKind = "others" // all that are not among the most frequent of their step
)

// Link is how many visits went from a node to one of the next step. Both are places in
// Nodes.
type Link struct {
	Source int   `json:"source"`
	Target int   `json:"target"`
	Visits int64 `json:"visits"`
}

// Journeys answers a question about journeys of a site at now.
func (p *Reporter) Journeys(ctx context.Context, db store.DB, site store.Site, now time.Time, j *Journeys) (answer JourneysAnswer, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		if err := at.define(ctx, &j.Question); err != nil {
			return err
		}
		field := "from"
		if j.To {
			field = "to"
		}
		if err := at.defineAll(ctx, field, j.Anchor); err != nil {
			return err
		}
		s, err := j.span(ctx, at.tx, site, now)
		if err != nil {
			return err
		}
		answer, err = at.journeys(ctx, j, s)
		return err
	})
	return answer, err
}

// place is a node without its step.
type place struct {
	kind NodeKind
	name string
}

// hop is a link of the visits that are at some distance from the event.
type hop struct {
	distance int // of its far end
	near     place
	far      place
}

// trails is what one worker counts of journeys.
type trails struct {
	journeys *Journeys
	span     span
	visits   int64
	nodes    []map[place]int64 // by their distance
	hops     map[hop]int64
}

func (a asked) journeys(ctx context.Context, j *Journeys, s span) (JourneysAnswer, error) {
	needed := append(columnsOf(j.Filters), columnsOf(j.Anchor)...)
	needed = append(needed, columns.Type, columns.Name, columns.Page)
	if !s.whole {
		needed = append(needed, columns.Time)
	}
	workers := make([]*trails, scanWorkers())
	for i := range workers {
		workers[i] = &trails{journeys: j, span: s, nodes: make([]map[place]int64, j.Depth+1), hops: map[hop]int64{}}
		for distance := range workers[i].nodes {
			workers[i].nodes[distance] = map[place]int64{}
		}
	}
	err := a.eachDay(ctx, s, needed, len(workers), func(worker int, d *columns.Day) error {
		workers[worker].scan(d)
		return a.limits.bounded(len(workers[worker].hops))
	})
	if err != nil {
		return JourneysAnswer{}, err
	}
	sum := workers[0]
	for _, o := range workers[1:] {
		sum.visits += o.visits
		for distance, nodes := range o.nodes {
			for at, n := range nodes {
				sum.nodes[distance][at] += n
			}
		}
		for at, n := range o.hops {
			sum.hops[at] += n
		}
	}
	answer := sum.graph()
	answer.DateRange = s.String()
	return answer, nil
}

func (t *trails) scan(d *columns.Day) {
	types, names, pages := d.Numbers(columns.Type), d.Text(columns.Name), d.Text(columns.Page)
	keeps, anchor := compileAll(d, t.journeys.Filters), compileAll(d, t.journeys.Anchor)
	asked := func(i, visit int) bool {
		if types[i] == int64(event.Engagement) || keeps != nil && !keeps.holds(i, visit) {
			return false
		}
		if t.span.whole {
			return true
		}
		at := d.Date.Date().UnixMilli() + d.Numbers(columns.Time)[i]
		return at >= t.span.from.UnixMilli() && at < t.span.to.UnixMilli()
	}
	placeOf := func(i int) (place, bool) {
		if types[i] == int64(event.View) {
			return place{PageNode, pages.At(i)}, true
		}
		name := names.At(i)
		return place{EventNode, name}, name != ""
	}
	if t.span.whole && (d.Date < t.span.first || d.Date > t.span.last) {
		return
	}
	for visit := range d.Visits() {
		first, end := d.EventsOf(visit)
		i, step, past := first, 1, end
		if t.journeys.To {
			i, step, past = end-1, -1, first-1
		}
		distance, last := -1, place{}
		for ; i != past && distance < t.journeys.Depth; i += step {
			if !asked(i, visit) || distance < 0 && anchor != nil && !anchor.holds(i, visit) {
				continue
			}
			at, ok := placeOf(i)
			if !ok || distance >= 0 && at == last {
				continue
			}
			distance++
			t.nodes[distance][at]++
			if distance == 0 {
				t.visits++
			} else {
				t.hops[hop{distance, last, at}]++
			}
			last = at
		}
	}
}

// graph keeps the most frequent nodes of each step.
func (t *trails) graph() JourneysAnswer {
	answer := JourneysAnswer{Visits: t.visits, Nodes: []Node{}, Links: []Link{}}
	numbers := make([]map[place]int, len(t.nodes)) // places in the answer
	others := place{kind: Others}
	sign := 1
	if t.journeys.To {
		sign = -1
	}
	for distance, nodes := range t.nodes {
		sorted := slices.SortedFunc(maps.Keys(nodes), func(a, b place) int {
			return cmp.Or(cmp.Compare(nodes[b], nodes[a]), cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
		})
		numbers[distance] = map[place]int{}
		rest := int64(0)
		for i, at := range sorted {
			if i >= t.journeys.Breadth {
				rest += nodes[at]
				continue
			}
			numbers[distance][at] = len(answer.Nodes)
			answer.Nodes = append(answer.Nodes, Node{sign * distance, at.kind, at.name, nodes[at]})
		}
		if rest > 0 {
			numbers[distance][others] = len(answer.Nodes)
			answer.Nodes = append(answer.Nodes, Node{sign * distance, Others, "", rest})
		}
	}
	shown := func(distance int, at place) int {
		if number, ok := numbers[distance][at]; ok {
			return number
		}
		return numbers[distance][others]
	}
	links := map[[2]int]int64{}
	for h, n := range t.hops {
		near, far := shown(h.distance-1, h.near), shown(h.distance, h.far)
		if t.journeys.To { // the way goes on towards the event
			near, far = far, near
		}
		links[[2]int{near, far}] += n
	}
	for _, ends := range slices.SortedFunc(maps.Keys(links), func(a, b [2]int) int {
		stepOf := func(l [2]int) int { return answer.Nodes[l[0]].Step }
		return cmp.Or(cmp.Compare(stepOf(a), stepOf(b)), cmp.Compare(links[b], links[a]), slices.Compare(a[:], b[:]))
	}) {
		answer.Links = append(answer.Links, Link{ends[0], ends[1], links[ends]})
	}
	return answer
}
