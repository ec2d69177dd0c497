package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/visit"
)

// oracle answers a question by going through all events, as the package's
// documentation says it: slowly, and in the plainest way.
type oracle struct {
	events []visited
}

// visited is an event with the visit that it belongs to.
type visited struct {
	event.Event
	visit *visit.Visit
}

type visitorDay struct {
	day     event.Day
	visitor int64
}

// newOracle also returns the visits.
func newOracle(events []event.Event) (*oracle, [][]visit.Visit) {
	days := map[visitorDay][]*event.Event{}
	for i := range events {
		e := &events[i]
		key := visitorDay{e.Day, e.Visitor}
		days[key] = append(days[key], e)
	}
	o := &oracle{}
	var all [][]visit.Visit
	for _, day := range days {
		visits := visit.Fold(day)
		all = append(all, visits)
		for _, e := range day {
			if e.Type == event.Engagement {
				continue
			}
			// Its visit is the last that began no later.
			for i := range slices.Backward(visits) {
				if !visits[i].Start.After(e.Time) {
					o.events = append(o.events, visited{*e, &visits[i]})
					break
				}
			}
		}
	}
	return o, all
}

// group is what the events of one row have come to.
type group struct {
	began    time.Time // of the period, for the order
	labels   []string
	values   []string // of the properties, for the order
	visitors map[visitorDay]bool
	visits   map[*visit.Visit]bool
	counts   counts
}

func (o *oracle) answer(r *resolved) (rows []Row, total int64) {
	groups := map[string]*group{}
	for i := range o.events {
		e := &o.events[i]
		if !r.inRange(e) || !r.matches(e) {
			continue
		}
		g := r.groupOf(e)
		if g == nil {
			continue
		}
		key := strings.Join(append([]string{g.began.String()}, g.labels...), "\x00")
		if groups[key] == nil {
			groups[key] = g
		}
		g = groups[key]
		g.counts.events++
		if e.Type == event.View {
			g.counts.pageviews++
		}
		g.visitors[visitorDay{e.Day, e.Visitor}] = true
		if r.countsVisit(e) {
			g.visits[e.visit] = true
		}
	}
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b *group) int { return r.compare(a, b) })
	if len(sorted) == 0 && len(r.Dimensions) == 0 {
		sorted = []*group{{labels: []string{}}}
	}
	rows = []Row{}
	for i, g := range sorted {
		if i >= r.Pagination.Offset && len(rows) < r.Pagination.Limit {
			row := Row{Dimensions: g.labels}
			for _, m := range r.Metrics {
				row.Metrics = append(row.Metrics, rounded(m, g.metric(m)))
			}
			rows = append(rows, row)
		}
	}
	return rows, int64(len(sorted))
}

func (r *resolved) inRange(e *visited) bool {
	if r.wholeDays() {
		return e.Day >= r.span.first && e.Day <= r.span.last
	}
	return !e.Time.Before(r.span.from) && e.Time.Before(r.span.to)
}

// countsVisit tells whether the event's visit began in the range and in the
// event's period.
func (r *resolved) countsVisit(e *visited) bool {
	if !r.wholeDays() && e.visit.Start.Before(r.span.from) {
		return false
	}
	return r.grain != hourGrain || e.visit.Hour.Equal(e.Hour())
}

func (r *resolved) matches(e *visited) bool {
	for _, f := range r.Filters {
		value := valueOf(f.Dimension.Name, e)
		equal := slices.Contains(f.Values, value)
		contained := slices.ContainsFunc(f.Values, func(v string) bool { return strings.Contains(value, v) })
		if !map[Operator]bool{Is: equal, IsNot: !equal, Contains: contained, ContainsNot: !contained}[f.Operator] {
			return false
		}
	}
	return true
}

// groupOf is the event's empty group, nil when its rows are left out.
func (r *resolved) groupOf(e *visited) *group {
	g := &group{visitors: map[visitorDay]bool{}, visits: map[*visit.Visit]bool{}, labels: []string{}}
	for _, d := range r.Dimensions {
		var label string
		switch d.Name {
		case "time:hour":
			g.began = e.Hour()
			label = g.began.In(r.span.from.Location()).Format("2006-01-02 15:04:05")
		case "time:day":
			g.began = e.Day.Date()
			label = g.began.Format("2006-01-02")
		case "time:week":
			g.began = e.Day.Date()
			for g.began.Weekday() != time.Monday {
				g.began = g.began.AddDate(0, 0, -1)
			}
			if g.began.Before(r.span.first.Date()) {
				g.began = r.span.first.Date()
			}
			label = g.began.Format("2006-01-02")
		case "time:month":
			g.began = time.Date(e.Day.Date().Year(), e.Day.Date().Month(), 1, 0, 0, 0, 0, time.UTC)
			label = g.began.Format("2006-01-02")
		default:
			label = valueOf(d.Name, e)
			g.values = append(g.values, label)
			if label == "" && !slices.Contains(keptWhenUnknown(), d.Name) {
				return nil
			}
		}
		g.labels = append(g.labels, label)
	}
	return g
}

func keptWhenUnknown() []string {
	return []string{
		"event:hostname", "visit:source", "visit:channel", "visit:country", "visit:browser", "visit:os",
		"visit:device", "visit:language", "visit:screen",
	}
}

func valueOf(dimension string, e *visited) string {
	v := e.visit
	switch dimension {
	case "event:page":
		return e.Page
	case "event:name":
		return e.Name
	case "event:hostname":
		return e.Hostname
	case "visit:source":
		return cmp.Or(v.Source, "Direct / None")
	}
	return map[string]string{
		"visit:entry_page": v.EntryPage, "visit:exit_page": v.ExitPage, "visit:referrer": v.Referrer,
		"visit:channel": v.Channel, "visit:utm_source": v.UTMSource, "visit:utm_medium": v.UTMMedium,
		"visit:utm_campaign": v.UTMCampaign, "visit:utm_term": v.UTMTerm, "visit:utm_content": v.UTMContent,
		"visit:country": v.Country, "visit:region": v.Region, "visit:city": v.City, "visit:browser": v.Browser,
		"visit:os": v.OS, "visit:device": v.Device, "visit:language": v.Language, "visit:screen": v.Screen,
	}[dimension]
}

// metric is exact: it is what rows are ordered by.
func (g *group) metric(m Metric) float64 {
	visits := float64(len(g.visits))
	var bounces, seconds float64
	for v := range g.visits {
		seconds += float64(v.Duration)
		if v.Bounce {
			bounces++
		}
	}
	per := func(n float64) float64 {
		if visits == 0 {
			return 0
		}
		return n / visits
	}
	switch m {
	case Visitors:
		return float64(len(g.visitors))
	case Visits:
		return visits
	case Pageviews:
		return float64(g.counts.pageviews)
	case Events:
		return float64(g.counts.events)
	case BounceRate:
		return per(bounces)
	case VisitDuration:
		return per(seconds)
	default:
		return per(float64(g.counts.pageviews))
	}
}

func rounded(m Metric, exact float64) float64 {
	switch m {
	case BounceRate:
		return math.Round(exact * 100)
	case VisitDuration:
		return math.Round(exact)
	case ViewsPerVisit:
		return math.Round(exact*100) / 100
	default:
		return exact
	}
}

func (r *resolved) compare(a, b *group) int {
	for _, o := range r.Order {
		var c int
		if i := slices.IndexFunc(r.Dimensions, func(d Dimension) bool { return d.Name == o.By }); i < 0 {
			c = cmp.Compare(a.metric(Metric(o.By)), b.metric(Metric(o.By)))
		} else if r.Dimensions[i].isTime() {
			c = a.began.Compare(b.began)
		} else {
			c = strings.Compare(a.labels[i], b.labels[i])
		}
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(a.began.Compare(b.began), slices.Compare(a.values, b.values))
}
