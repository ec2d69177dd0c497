package report

import "math"

// Metric is a number that a question can ask for. What each means is said at the
// top of the package.
type Metric string

// The metrics.
const (
	Visitors      Metric = "visitors"
	Visits        Metric = "visits"
	Pageviews     Metric = "pageviews"
	Events        Metric = "events"
	BounceRate    Metric = "bounce_rate"     // percent, 0 to 100
	VisitDuration Metric = "visit_duration"  // seconds
	ViewsPerVisit Metric = "views_per_visit" // a quotient
)

// counts are the sums from which all metrics of a row follow.
type counts struct {
	visitors, visits, pageviews, events, bounces, seconds int64
}

// metricDefinition ties a metric to how it follows from the counts, in Go for the
// answer and in SQL for the order.
type metricDefinition struct {
	metric Metric
	value  func(counts) float64
	sql    string
}

func metrics() []metricDefinition {
	return []metricDefinition{
		{Visitors, func(c counts) float64 { return float64(c.visitors) }, `visitors`},
		{Visits, func(c counts) float64 { return float64(c.visits) }, `visits`},
		{Pageviews, func(c counts) float64 { return float64(c.pageviews) }, `pageviews`},
		{Events, func(c counts) float64 { return float64(c.events) }, `events`},
		{
			BounceRate, func(c counts) float64 { return math.Round(100 * quotient(c.bounces, c.visits)) },
			`coalesce(bounces::float8 / nullif(visits, 0), 0)`,
		},
		{
			VisitDuration, func(c counts) float64 { return math.Round(quotient(c.seconds, c.visits)) },
			`coalesce(seconds::float8 / nullif(visits, 0), 0)`,
		},
		{
			ViewsPerVisit, func(c counts) float64 { return math.Round(100*quotient(c.pageviews, c.visits)) / 100 },
			`coalesce(pageviews::float8 / nullif(visits, 0), 0)`,
		},
	}
}

func quotient(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func metricNamed(name string) (metricDefinition, bool) {
	for _, m := range metrics() {
		if string(m.metric) == name {
			return m, true
		}
	}
	return metricDefinition{}, false
}

func metricNames() []string {
	var names []string
	for _, m := range metrics() {
		names = append(names, string(m.metric))
	}
	return names
}
