package language

import (
	"fmt"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Metric is a number that a question asks for. The package comment defines each.
type Metric string

// The metrics.
const (
	Visitors            Metric = "visitors"
	Visits              Metric = "visits"
	Pageviews           Metric = "pageviews"
	Events              Metric = "events"
	BounceRate          Metric = "bounce_rate"     // percent, 0 to 100
	VisitDuration       Metric = "visit_duration"  // seconds
	ViewsPerVisit       Metric = "views_per_visit" // a quotient
	ScrollDepth         Metric = "scroll_depth"    // percent, 1 to 100; null if none was measured
	TimeOnPage          Metric = "time_on_page"    // seconds; null if none was measured
	Percentage          Metric = "percentage"      // percent, 0 to 100
	ConversionRate      Metric = "conversion_rate" // percent, 0 to 100
	GroupConversionRate Metric = "group_conversion_rate"
	TotalRevenue        Metric = "total_revenue"       // money; null without any, and if it is in several currencies
	AverageRevenue      Metric = "average_revenue"     // money
	RevenueByCurrency   Metric = "revenue_by_currency" // sums by currency; null without any
)

// Metrics lists all metrics.
func Metrics() []Metric {
	return []Metric{
		Visitors, Visits, Pageviews, Events, BounceRate, VisitDuration, ViewsPerVisit, ScrollDepth, TimeOnPage,
		Percentage, ConversionRate, GroupConversionRate, TotalRevenue, AverageRevenue, RevenueByCurrency,
	}
}

// MetricNames lists the names of all metrics.
func MetricNames() []string {
	var names []string
	for _, m := range Metrics() {
		names = append(names, string(m))
	}
	return names
}

// IsMoney reports whether the values of the metric are amounts of money.
func (m Metric) IsMoney() bool { return strings.HasSuffix(string(m), "_revenue") }

// ReadsAmounts reports whether the metric follows from the amounts of events.
func (m Metric) ReadsAmounts() bool { return m.IsMoney() || m == RevenueByCurrency }

// IsCount reports whether the values of the metric are whole numbers of things.
func (m Metric) IsCount() bool { return m == Visitors || m == Visits || m == Pageviews || m == Events }

// IsPercentage reports whether the values of the metric are percentages.
func (m Metric) IsPercentage() bool {
	switch m {
	case BounceRate, ScrollDepth, Percentage, ConversionRate, GroupConversionRate:
		return true
	default:
		return false
	}
}

// checkMetrics checks that the dimensions and filters of the question give its metrics a
// meaning.
func (q *Question) checkMetrics() error {
	for i, m := range q.Metrics {
		field := fmt.Sprintf("metrics.%d", i)
		switch m {
		case ScrollDepth, TimeOnPage:
			if !q.mentions("event:page") {
				return validation.New(field, "is about pages: ask for the dimension event:page, or filter by it")
			}
		case Percentage:
			if len(q.Dimensions) == 0 {
				return validation.New(field, "is a share of all visitors: ask for a dimension")
			}
		case ConversionRate, GroupConversionRate:
			goal := q.dimension(goalName) != nil
			for i := range q.Filters {
				goal = goal || q.Filters[i].Dimension.IsGoal()
			}
			if !goal {
				return validation.New(field, "is about goals: ask for the dimension event:goal, or filter by it (not inside another filter)")
			}
		}
	}
	return nil
}

// mentions reports whether the question groups or filters by a dimension.
func (q *Question) mentions(name string) bool {
	for i := range q.Filters {
		if q.Filters[i].Any(func(f *Filter) bool { return f.Dimension.Name == name }) {
			return true
		}
	}
	return q.dimension(name) != nil
}
