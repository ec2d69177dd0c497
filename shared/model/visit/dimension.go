package visit

import "github.com/analytics-platform/analytics/shared/model/event"

// Dimension is a field by whose values numbers are broken down. Its number is stored in
// the rollups.
type Dimension int16

// Total is the dimension of the numbers that are not broken down; its only
// value is "".
const Total Dimension = 0

// firstOfVisits is the least number of a dimension of visits; those of events are below.
const firstOfVisits Dimension = 20

// definition ties a dimension to its column, in the table events for a dimension of
// events and in visits for one of visits, and to its value in Go.
type definition struct {
	dimension Dimension
	column    string
	ofEvent   func(*event.Event) string
	ofVisit   func(*Visit) string
}

// Dimensions returns all dimensions but Total.
func Dimensions() []Dimension {
	all := definitions()
	out := make([]Dimension, len(all))
	for i, d := range all {
		out[i] = d.dimension
	}
	return out
}

// OfEvent reports whether two events of one visit may differ in the dimension.
func (d Dimension) OfEvent() bool { return d > Total && d < firstOfVisits }

// Column returns the name of the dimension's column: in events for a dimension of events,
// in visits for one of visits. It is "" for Total and for an unknown dimension.
func (d Dimension) Column() string {
	for _, def := range definitions() {
		if def.dimension == d {
			return def.column
		}
	}
	return ""
}
