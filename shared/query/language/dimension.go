package language

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/model/weburl"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// Dimension is what a question groups or filters by: a property of events or visits, a
// goal, or time.
type Dimension struct {
	Name string // in questions, e.g. visit:source

	column columns.Column  // of a property
	rollup visit.Dimension // that has its values; Total if none has
	none   string          // what answers call the unknown value
	skip   bool            // whether rows of the unknown value are left out
	names  bool            // whether answers show the English names of countries, not their codes
	form   form            // of values that may be written otherwise
	grain  Grain           // of time
}

// form is the one form that values have.
type form int8

const (
	anyForm  form = iota
	pathForm      // that of weburl.Canonical
	hostForm      // that of weburl.Host, without "www."
)

// written returns the stored form of a value, or of a part of one, that a question writes.
func (d *Dimension) written(value string, whole bool) string {
	switch {
	case d.form == pathForm:
		return weburl.Canonical(value)
	case d.form == hostForm && whole:
		if host, ok := weburl.Host(value); ok {
			return strings.TrimPrefix(strings.TrimSuffix(host, "."), "www.")
		}
	}
	return value
}

// The dimensions that are neither a column nor time.
const (
	goalName   = "event:goal"
	propPrefix = "event:props:"
	// segmentName is for filters only.
	segmentName = "segment"
)

// noProp is what answers call the missing value of a property, as Plausible does.
const noProp = "(none)"

// maxPropKey is the maximum length in bytes of the key of a property.
const maxPropKey = 300

// dimensions lists all dimensions except properties of events. An unknown value is left
// out if its row would only say that there is nothing, such as the page of an event
// without one. It stays, as "" or by the name given here, if it is a share of the whole,
// such as visits from an unknown country.
func dimensions() []Dimension {
	return append([]Dimension{
		{Name: "time", grain: AutoGrain},
		{Name: "time:minute", grain: MinuteGrain},
		{Name: "time:hour", grain: HourGrain},
		{Name: "time:day", grain: DayGrain},
		{Name: "time:week", grain: WeekGrain},
		{Name: "time:month", grain: MonthGrain},
		{Name: goalName, skip: true},
	}, fieldDimensions()...)
}

// DimensionByName returns the dimension with a name; ok is false if there is none.
func DimensionByName(name string) (d Dimension, ok bool) {
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

// DimensionNames lists the names of all dimensions. KEY stands for the key of a property.
func DimensionNames() []string { return dimensionNames(func(*Dimension) bool { return true }) }

// propertyNames lists the dimensions that filters accept: all except time.
func propertyNames() []string {
	return dimensionNames(func(d *Dimension) bool { return !d.IsTime() })
}

func dimensionNames(include func(*Dimension) bool) []string {
	var names []string
	for _, d := range dimensions() {
		if include(&d) {
			names = append(names, d.Name)
		}
	}
	return append(names, propPrefix+"KEY")
}

// IsTime reports whether the dimension is time.
func (d *Dimension) IsTime() bool { return d.grain != NoGrain }

// IsGoal reports whether the dimension is the goals that an event reaches.
func (d *Dimension) IsGoal() bool { return d.Name == goalName }

// IsProperty reports whether the dimension is a property that the site's owner defines.
func (d *Dimension) IsProperty() bool { return strings.HasPrefix(d.Name, propPrefix) }

// OfEvent reports whether two events of one visit may differ in the dimension.
func (d *Dimension) OfEvent() bool { return strings.HasPrefix(d.Name, "event:") }

// Column returns the column with the values of the dimension, "" for time and goals.
func (d *Dimension) Column() columns.Column { return d.column }

// Rollup returns the rollup with the values of the dimension, visit.Total if there is none.
func (d *Dimension) Rollup() visit.Dimension { return d.rollup }

// Rollups returns the rollups with the values of some columns.
func Rollups(of []columns.Column) (rollups []visit.Dimension) {
	for _, d := range dimensions() {
		if d.rollup != visit.Total && slices.Contains(of, d.column) && !slices.Contains(rollups, d.rollup) {
			rollups = append(rollups, d.rollup)
		}
	}
	return rollups
}

// SkipsUnknown reports whether rows of the unknown value are left out.
func (d *Dimension) SkipsUnknown() bool { return d.skip }

// ShowsNames reports whether answers show names in place of the stored codes.
func (d *Dimension) ShowsNames() bool { return d.names }

// Unknown returns what answers call the unknown value.
func (d *Dimension) Unknown() string { return d.none }

// Label returns a stored value as answers show it.
func (d *Dimension) Label(value string) string {
	if value == "" {
		return d.none
	}
	return d.text(value)
}

// text returns a stored value as answers show it, but "" for the unknown value.
func (d *Dimension) text(value string) string {
	if d.names && value != "" {
		return countryName(value)
	}
	return value
}

// countryName returns the English name of a country according to the Unicode CLDR, or its
// code if it has none.
func countryName(code string) string {
	if region, err := language.ParseRegion(code); err == nil && region.IsCountry() {
		return display.English.Regions().Name(region)
	}
	return code
}
