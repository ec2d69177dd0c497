package report

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// Dimension is something that a question groups or filters by: a property of
// events or visits, a goal, or time.
type Dimension struct {
	Name string // as questions call it, e.g. visit:source

	column columns.Column  // of a property
	rollup visit.Dimension // that has its values; Total when none has
	none   string          // what answers call a value that is not known
	skip   bool            // a row whose value is not known is left out
	names  bool            // answers show the names of countries, in English, not their codes
	grain  grain           // of time; noGrain for all else
}

// The dimensions that are neither a column nor time.
const (
	goalName   = "event:goal"
	propPrefix = "event:props:"
	// segmentName is only there in filters.
	segmentName = "segment"
)

// noProp is what answers call the missing value of a property, as Plausible does.
const noProp = "(none)"

// maxPropKey is how many bytes the key of a property has at most.
const maxPropKey = 300

// dimensions lists all that a question can group by, but for properties of events. A value
// that is not known is left out where it would only say that there is nothing, as of a page
// of an event without one; where it is a share of the whole, as of visits from no known
// country, it stays, as "" or by the name it has here.
func dimensions() []Dimension {
	return append([]Dimension{
		{Name: "time", grain: autoGrain},
		{Name: "time:minute", grain: minuteGrain},
		{Name: "time:hour", grain: hourGrain},
		{Name: "time:day", grain: dayGrain},
		{Name: "time:week", grain: weekGrain},
		{Name: "time:month", grain: monthGrain},
		{Name: goalName, skip: true},
	}, fieldDimensions()...)
}

func (d *Dimension) isTime() bool { return d.grain != noGrain }

func (d *Dimension) isGoal() bool { return d.Name == goalName }

// ofEvent tells whether two events of one visit may differ in the dimension.
func (d *Dimension) ofEvent() bool { return strings.HasPrefix(d.Name, "event:") }

// named is the value as answers show it.
func (d *Dimension) named(value string) string {
	if value == "" {
		return d.none
	}
	return d.text(value)
}

// text is the value as answers show it, "" when it is not known.
func (d *Dimension) text(value string) string {
	if d.names && value != "" {
		return countryName(value)
	}
	return value
}

func (d *Dimension) isProp() bool { return strings.HasPrefix(d.Name, propPrefix) }

// countryName is the English name of a country, or its code when it has none. The names
// are those of the Unicode CLDR.
func countryName(code string) string {
	if region, err := language.ParseRegion(code); err == nil && region.IsCountry() {
		return display.English.Regions().Name(region)
	}
	return code
}

func dimensionNamed(name string) (Dimension, bool) {
	if key, ok := strings.CutPrefix(name, propPrefix); ok {
		valid := key != "" && len(key) <= maxPropKey && strings.IndexByte(key, 0) < 0
		return Dimension{Name: name, column: columns.Prop(key), none: noProp}, valid
	}
	for _, d := range dimensions() {
		if d.Name == name {
			return d, true
		}
	}
	return Dimension{}, false
}

// DimensionNames are those of all dimensions, where KEY stands for the key of a property.
func DimensionNames() []string { return dimensionNames(false) }

// dimensionNames are for messages: those to filter by, or all.
func dimensionNames(properties bool) []string {
	var names []string
	for _, d := range dimensions() {
		if !properties || !d.isTime() {
			names = append(names, d.Name)
		}
	}
	return append(names, propPrefix+"KEY")
}
