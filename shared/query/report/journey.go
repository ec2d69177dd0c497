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

// place is something that a visit does.
type place struct {
	event bool   // whether it is an event with a name, not a page view
	name  string // of the page or the event
}

// stop is a place at some distance from the event.
type stop struct {
	distance int
	place
}

// hop is a link between two stops, by their numbers.
type hop struct{ near, far int }

// journeyScan counts what one worker scans of journeys. Stops have numbers, which are quicker
// to find than pairs of texts.
type journeyScan struct {
	journeys *language.Journeys
	within   language.Range
	visits   int64
	numbers  map[stop]int
	stops    []stop
	passed   []int64 // visits, by the number of the stop
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
		scans[i] = &journeyScan{journeys: j, within: within, numbers: map[stop]int{}, hops: map[hop]int64{}}
	}
	err := s.EachDay(ctx, within, needed, func(ctx context.Context, w *engine.Worker, d *columns.Day) error {
		return scans[w.Number].scan(ctx, w, d)
	})
	if err != nil {
		return JourneysAnswer{}, err
	}
	sum := scans[0]
	for _, o := range scans[1:] {
		sum.add(o)
	}
	answer := sum.graph()
	answer.DateRange = within.Bounds()
	return answer, nil
}

// About how many bytes a stop, besides its text, and a hop take.
const (
	stopBytes = 160
	hopBytes  = 60
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
			return place{name: pages.At(i)}, true
		}
		name := names.At(i)
		return place{true, name}, name != ""
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
		distance, last, near := -1, place{}, 0
		for ; i != past && distance < s.journeys.Depth; i += step {
			if !selects(i, visit) || distance < 0 && anchor != nil && !anchor.Holds(i, visit) {
				continue
			}
			at, ok := placeOf(i)
			if !ok || distance >= 0 && at == last {
				continue
			}
			distance++
			far, isNew := s.number(stop{distance, at})
			if isNew {
				w.Keep(stopBytes + len(at.name))
			}
			s.passed[far]++
			if distance == 0 {
				s.visits++
			} else {
				hops := len(s.hops)
				s.hops[hop{near, far}]++
				w.Keep((len(s.hops) - hops) * hopBytes)
			}
			last, near = at, far
		}
	}
	return nil
}

func (p place) kind() NodeKind {
	if p.event {
		return EventNode
	}
	return PageNode
}

// number returns the number of a stop.
func (s *journeyScan) number(of stop) (number int, isNew bool) {
	number, ok := s.numbers[of]
	if !ok {
		number = len(s.stops)
		s.numbers[of] = number
		s.stops, s.passed = append(s.stops, of), append(s.passed, 0)
	}
	return number, !ok
}

// add adds what another worker has counted.
func (s *journeyScan) add(o *journeyScan) {
	s.visits += o.visits
	numbers := make([]int, len(o.stops))
	for i := range o.stops {
		numbers[i], _ = s.number(o.stops[i])
		s.passed[numbers[i]] += o.passed[i]
	}
	for h, n := range o.hops {
		s.hops[hop{numbers[h.near], numbers[h.far]}] += n
	}
}

// graph returns the most frequent nodes of each step, and the links between them.
func (s *journeyScan) graph() JourneysAnswer {
	answer := JourneysAnswer{Visits: s.visits, Nodes: []Node{}, Links: []Link{}}
	sign := 1
	if s.journeys.To {
		sign = -1
	}
	byDistance := make([][]int, s.journeys.Depth+1) // the numbers of stops
	for number, at := range s.stops {
		byDistance[at.distance] = append(byDistance[at.distance], number)
	}
	positions := make([]int, len(s.stops)) // in the answer
	for distance, numbers := range byDistance {
		slices.SortFunc(numbers, func(i, j int) int {
			a, b := s.stops[i], s.stops[j]
			return cmp.Or(cmp.Compare(s.passed[j], s.passed[i]), cmp.Compare(a.name, b.name), cmp.Compare(a.kind(), b.kind()))
		})
		rest := int64(0)
		for rank, number := range numbers {
			positions[number] = len(answer.Nodes)
			if rank >= s.journeys.Breadth {
				rest += s.passed[number]
				continue
			}
			at := s.stops[number]
			answer.Nodes = append(answer.Nodes, Node{sign * distance, at.kind(), at.name, s.passed[number]})
		}
		if rest > 0 {
			answer.Nodes = append(answer.Nodes, Node{sign * distance, Others, "", rest})
		}
	}
	links := map[[2]int]int64{}
	for h, n := range s.hops {
		near, far := positions[h.near], positions[h.far]
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
