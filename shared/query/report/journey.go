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
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// JourneysAnswer is a graph, as a Sankey diagram shows it.
type JourneysAnswer struct {
	Visits    int64     `json:"visits"` // that have the event
	Nodes     []Node    `json:"nodes"`  // by step, the most frequent first, others last
	Links     []Link    `json:"links"`  // by step, the most frequent first
	DateRange [2]string `json:"date_range"`
}

// Node is something that visits did at a step.
type Node struct {
	Step   int      `json:"step"` // 0 for the event itself, negative before it
	Kind   NodeKind `json:"kind"`
	Name   string   `json:"name"` // the page, or the name of the event; "" for others
	Visits int64    `json:"visits"`
}

// NodeKind is what a node stands for.
type NodeKind string

// The kinds of nodes.
const (
	PageNode  NodeKind = "page"
	EventNode NodeKind = "event"
	Others    NodeKind = "others" // all that are not among the most frequent of their step
)

// Link is how many visits went from a node to one of the next step. Both are positions in
// Nodes.
type Link struct {
	Source int   `json:"source"`
	Target int   `json:"target"`
	Visits int64 `json:"visits"`
}

// Journeys answers a question about journeys of a site at now.
func (r *Reporter) Journeys(ctx context.Context, db database.DB, site sites.Site, now time.Time, j *language.Journeys) (answer JourneysAnswer, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		within, err := begin(ctx, s, j, &j.Question)
		if err != nil {
			return err
		}
		answer, err = answerJourneys(ctx, s, j, within)
		return err
	})
	return answer, err
}

// place is a node without its step.
type place struct {
	kind NodeKind
	name string
}

// hop is a link at some distance from the event.
type hop struct {
	distance int // of its far end
	near     place
	far      place
}

// journeyScan counts what one worker scans of journeys.
type journeyScan struct {
	journeys *language.Journeys
	within   language.Range
	visits   int64
	nodes    []map[place]int64 // by their distance
	hops     map[hop]int64
}

func answerJourneys(ctx context.Context, s *engine.Session, j *language.Journeys, within language.Range) (JourneysAnswer, error) {
	needed := append(engine.FilterColumns(j.Filters), engine.FilterColumns(j.Anchor)...)
	needed = append(needed, columns.Type, columns.Name, columns.Page)
	if !within.Whole {
		needed = append(needed, columns.Time)
	}
	scans := make([]*journeyScan, engine.Workers())
	for i := range scans {
		scans[i] = &journeyScan{journeys: j, within: within, nodes: make([]map[place]int64, j.Depth+1), hops: map[hop]int64{}}
		for distance := range scans[i].nodes {
			scans[i].nodes[distance] = map[place]int64{}
		}
	}
	err := s.EachDay(ctx, within, needed, func(ctx context.Context, w *engine.Worker, d *columns.Day) error {
		return scans[w.Number].scan(ctx, w, d)
	})
	if err != nil {
		return JourneysAnswer{}, err
	}
	sum := scans[0]
	for _, o := range scans[1:] {
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
	answer.DateRange = within.Bounds()
	return answer, nil
}

// About how many bytes a node and a hop take, besides their texts.
const (
	nodeBytes = 90
	hopBytes  = 180
)

func (s *journeyScan) scan(ctx context.Context, w *engine.Worker, d *columns.Day) error {
	if s.within.Whole && (d.Date < s.within.First || d.Date > s.within.Last) {
		return nil
	}
	types, names, pages := d.Numbers(columns.Type), d.Text(columns.Name), d.Text(columns.Page)
	predicate, err := engine.Compile(ctx, w, d, s.journeys.Filters)
	if err != nil {
		return err
	}
	anchor, err := engine.Compile(ctx, w, d, s.journeys.Anchor)
	if err != nil {
		return err
	}
	selects := func(i, visit int) bool {
		if types[i] == int64(event.Engagement) || predicate != nil && !predicate.Holds(i, visit) {
			return false
		}
		if s.within.Whole {
			return true
		}
		at := d.Date.Date().UnixMilli() + d.Numbers(columns.Time)[i]
		return at >= s.within.From.UnixMilli() && at < s.within.To.UnixMilli()
	}
	placeOf := func(i int) (place, bool) {
		if types[i] == int64(event.View) {
			return place{PageNode, pages.At(i)}, true
		}
		name := names.At(i)
		return place{EventNode, name}, name != ""
	}
	for visit := range d.Visits() {
		if err := w.Check(ctx); err != nil {
			return err
		}
		first, end := d.EventsOf(visit)
		i, step, past := first, 1, end
		if s.journeys.To {
			i, step, past = end-1, -1, first-1
		}
		distance, last := -1, place{}
		for ; i != past && distance < s.journeys.Depth; i += step {
			if !selects(i, visit) || distance < 0 && anchor != nil && !anchor.Holds(i, visit) {
				continue
			}
			at, ok := placeOf(i)
			if !ok || distance >= 0 && at == last {
				continue
			}
			distance++
			nodes, hops := len(s.nodes[distance]), len(s.hops)
			s.nodes[distance][at]++
			if distance == 0 {
				s.visits++
			} else {
				s.hops[hop{distance, last, at}]++
			}
			w.Keep((len(s.nodes[distance])-nodes)*(nodeBytes+len(at.name)) + (len(s.hops)-hops)*(hopBytes+len(last.name)+len(at.name)))
			last = at
		}
	}
	return nil
}

// graph returns the most frequent nodes of each step, and the links between them.
func (s *journeyScan) graph() JourneysAnswer {
	answer := JourneysAnswer{Visits: s.visits, Nodes: []Node{}, Links: []Link{}}
	positions := make([]map[place]int, len(s.nodes)) // in the answer
	others := place{kind: Others}
	sign := 1
	if s.journeys.To {
		sign = -1
	}
	for distance, nodes := range s.nodes {
		sorted := slices.SortedFunc(maps.Keys(nodes), func(a, b place) int {
			return cmp.Or(cmp.Compare(nodes[b], nodes[a]), cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
		})
		positions[distance] = map[place]int{}
		rest := int64(0)
		for i, at := range sorted {
			if i >= s.journeys.Breadth {
				rest += nodes[at]
				continue
			}
			positions[distance][at] = len(answer.Nodes)
			answer.Nodes = append(answer.Nodes, Node{sign * distance, at.kind, at.name, nodes[at]})
		}
		if rest > 0 {
			positions[distance][others] = len(answer.Nodes)
			answer.Nodes = append(answer.Nodes, Node{sign * distance, Others, "", rest})
		}
	}
	position := func(distance int, at place) int {
		if i, ok := positions[distance][at]; ok {
			return i
		}
		return positions[distance][others]
	}
	links := map[[2]int]int64{}
	for h, n := range s.hops {
		near, far := position(h.distance-1, h.near), position(h.distance, h.far)
		if s.journeys.To { // time runs towards the event
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
