// Package columns holds a day of a site as columns, which a query scans when no rollup
// answers it.
//
// A Day is built only from the visits that visit.Fold returns for each visitor-day. It
// can be archived (see Codec), so that a query about one page and one country reads the
// columns of pages and countries and nothing else. A Day leaves out events that belong
// to no visit, since they count nowhere.
//
// The package must never decide what a number means, and must never hold anything that
// identifies a visitor: visitor-days are only numbered.
package columns

import (
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// Column is the name of a column. The names are stored.
type Column string

// propPrefix is the prefix of the columns of event properties.
const propPrefix = "props:"

// Prop returns the column of the property with the given key.
func Prop(key string) Column { return Column(propPrefix + key) }

// Key returns the key of a property's column; ok is false for other columns.
func (c Column) Key() (key string, ok bool) { return strings.CutPrefix(string(c), propPrefix) }

// PerVisit reports whether the column has a value for each visit rather than for each
// event.
func (c Column) PerVisit() bool { return strings.HasPrefix(string(c), "visit_") }

// Numeric reports whether the column holds numbers rather than texts.
func (c Column) Numeric() bool { return slices.Contains(numberColumns(), c) }

// All returns all columns except those of properties.
func All() []Column { return append(numberColumns(), textColumns()...) }

// Text is a column of texts: row i holds Values[Index[i]].
type Text struct {
	Values []string // distinct; the first is ""
	Index  []uint32
}

// At returns the text of a row.
func (t Text) At(row int) string { return t.Values[t.Index[row]] }

// Day is a local day of a site, or a part of one: some of its visitor-days. Its
// visitor-days, visits and events are numbered from 0. The visits of a visitor-day have
// consecutive numbers in the order of time, as have the events of a visit.
type Day struct {
	Date      event.Day
	visits    []uint32 // the first visit of each visitor-day, then the number of visits
	events    []uint32 // the first event of each visit, then the number of events
	texts     map[Column]Text
	numbers   map[Column][]int64
	hasProps  bool // a property without a column occurs in no event
	moreProps bool // properties beyond MaxProps were left out
}

// VisitorDays returns the number of visitor-days.
func (d *Day) VisitorDays() int { return len(d.visits) - 1 }

// Visits returns the number of visits.
func (d *Day) Visits() int { return len(d.events) - 1 }

// Events returns the number of events, including engagements.
func (d *Day) Events() int { return int(d.events[len(d.events)-1]) }

// VisitsOf returns the range [first, end) of the visits of a visitor-day.
func (d *Day) VisitsOf(visitorDay int) (first, end int) {
	return int(d.visits[visitorDay]), int(d.visits[visitorDay+1])
}

// EventsOf returns the range [first, end) of the events of a visit.
func (d *Day) EventsOf(visit int) (first, end int) {
	return int(d.events[visit]), int(d.events[visit+1])
}

// Size returns about how many bytes the day takes in memory.
func (d *Day) Size() int64 {
	size := d.frameSize()
	for _, numbers := range d.numbers {
		size += int64(8 * len(numbers))
	}
	for _, text := range d.texts {
		size += int64(4*len(text.Index) + valueSize*len(text.Values))
		for _, value := range text.Values {
			size += int64(len(value))
		}
	}
	return size
}

func (d *Day) frameSize() int64 { return int64(4 * (len(d.visits) + len(d.events))) }

// Text returns a column of texts. The column of a property that no event has is all
// empty. Text panics if the column was not requested when the day was built or decoded.
func (d *Day) Text(c Column) Text {
	if text, ok := d.texts[c]; ok {
		return text
	}
	if _, ok := c.Key(); !ok || !d.hasProps {
		panic("the column " + string(c) + " was not requested")
	}
	text := Text{Values: []string{""}, Index: make([]uint32, d.Events())}
	d.texts[c] = text
	return text
}

// Numbers returns a column of numbers. It panics if the column was not requested when
// the day was built or decoded.
func (d *Day) Numbers(c Column) []int64 {
	column, ok := d.numbers[c]
	if !ok {
		panic("the column " + string(c) + " was not requested")
	}
	return column
}
