// Package columns holds a day of a site in columns: what a question scans when no rollup
// answers it.
//
// A Day is made from the visits that visit.Fold makes of each visitor-day, and from
// nothing else. It can be kept (see Codec), so that a question about one page and one
// country reads the columns of pages and countries, and neither rows nor anything else.
// Of an event that is part of no visit, which counts nowhere, a Day knows nothing.
//
// The package must never decide what a number means, and never hold what identifies a
// visitor: visitor-days are numbered, no more.
package columns

import (
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Column names a column. The names are stored.
type Column string

// propPrefix begins the name of the column of a property of events.
const propPrefix = "props:"

// Prop is the column of the property with a key.
func Prop(key string) Column { return Column(propPrefix + key) }

// Key is the key of the property that a column is of; ok is false for any other.
func (c Column) Key() (key string, ok bool) { return strings.CutPrefix(string(c), propPrefix) }

// OfVisits tells whether the column has a value for each visit, not for each event.
func (c Column) OfVisits() bool { return strings.HasPrefix(string(c), "visit_") }

// OfNumbers tells whether the column holds numbers, not texts.
func (c Column) OfNumbers() bool { return slices.Contains(numberColumns(), c) }

// All returns all columns but those of properties.
func All() []Column { return append(numberColumns(), textColumns()...) }

// Text is a column of texts: row i has Values[Index[i]].
type Text struct {
	Values []string // each once; the first is ""
	Index  []uint32
}

// At is the text of a row.
func (t Text) At(row int) string { return t.Values[t.Index[row]] }

// Day is a local day of a site, or a part of one: some of its visitor-days. These, their visits and the events of those
// are numbered from 0, each in one order: of a visitor-day's visits and a visit's events
// in the order of time.
type Day struct {
	Date     event.Day
	visits   []uint32 // the first visit of each visitor-day, and one past the last
	events   []uint32 // the first event of each visit, and one past the last
	texts    map[Column]Text
	numbers  map[Column][]int64
	hasProps bool // that a property has no column means that no event has it
	more     bool // there are properties without a column, of which there would have been too many
}

// VisitorDays is how many there are.
func (d *Day) VisitorDays() int { return len(d.visits) - 1 }

// Visits is how many there are.
func (d *Day) Visits() int { return len(d.events) - 1 }

// Events is how many there are, engagements among them.
func (d *Day) Events() int { return int(d.events[len(d.events)-1]) }

// VisitsOf are the visits of a visitor-day: from first up to, not with, end.
func (d *Day) VisitsOf(visitorDay int) (first, end int) {
	return int(d.visits[visitorDay]), int(d.visits[visitorDay+1])
}

// EventsOf are the events of a visit: from first up to, not with, end.
func (d *Day) EventsOf(visit int) (first, end int) {
	return int(d.events[visit]), int(d.events[visit+1])
}

// Text is a column of texts. One that was not asked for when the day was made or loaded
// panics; that of a property that no event has is empty throughout.
func (d *Day) Text(c Column) Text {
	if text, ok := d.texts[c]; ok {
		return text
	}
	if _, ok := c.Key(); !ok || !d.hasProps {
		panic("the column " + string(c) + " was not asked for")
	}
	text := Text{Values: []string{""}, Index: make([]uint32, d.Events())}
	d.texts[c] = text
	return text
}

// Numbers is a column of numbers. One that was not asked for panics.
func (d *Day) Numbers(c Column) []int64 {
	column, ok := d.numbers[c]
	if !ok {
		panic("the column " + string(c) + " was not asked for")
	}
	return column
}
