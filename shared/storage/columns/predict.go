package columns

import (
	"encoding/binary"
	"slices"
)

// Much of a day nearly follows from the rest: a visit begins with its first event, ends on
// the page of its last one, and visitors from one city come from one country. A column that
// is predicted so takes next to no space, since only differences from the prediction are
// stored. A wrong prediction costs bytes and nothing else.

// rule says how a column is predicted from another; see catalogue.Rule.
type rule int

const (
	none rule = iota
	firstEvent
	lastEvent
	eventCount
	eventSum
	sameNumber
	singleEvent
	lastSeen
)

// predictedFrom returns the column from which another is predicted; "" when it is not
// predicted, or from the frame alone.
func (c Column) predictedFrom() Column {
	_, from := c.prediction()
	return from
}

// Needed names the pieces that Codec.Decode needs for the wanted columns, as far as they
// exist.
func Needed(wanted ...Column) []Column {
	all := []Column{Version, Frame, MoreProps}
	for _, c := range wanted {
		for ; c != "" && !slices.Contains(all, c); c = c.predictedFrom() {
			all = append(all, c)
		}
	}
	return all
}

// Holds reports whether the pieces of a day hold the wanted columns. They hold every column
// that their version of the form has, and the properties that have a piece, or all
// properties when there are none without.
func Holds(pieces map[Column][]byte, wanted ...Column) bool {
	if pieces[Frame] == nil {
		return false
	}
	version := versionOf(pieces)
	return !slices.ContainsFunc(wanted, func(c Column) bool {
		_, isProp := c.Key()
		return version < c.since() || isProp && pieces[MoreProps] != nil && pieces[c] == nil
	})
}

// versionOf returns the version of the form that a day's pieces have; 0 when it can't be
// read.
func versionOf(pieces map[Column][]byte) int {
	piece, ok := pieces[Version]
	if !ok {
		return 1
	}
	version, _ := binary.Uvarint(piece)
	return int(version)
}

// predictNumbers predicts a column of numbers: 0 when no rule says more.
func (d *Day) predictNumbers(c Column) []int64 {
	out := make([]int64, d.rows(c))
	rule, source := c.prediction()
	from := d.numbers[source]
	switch rule {
	case firstEvent:
		for visit := range out {
			first, _ := d.EventsOf(visit)
			out[visit] = from[first]
		}
	case eventCount:
		for visit := range out {
			first, end := d.EventsOf(visit)
			out[visit] = int64(end - first)
		}
	case sameNumber:
		copy(out, from)
	case singleEvent:
		for visit, events := range from {
			out[visit] = truth(events == 1)
		}
	case eventSum:
		for visit := range out {
			first, end := d.EventsOf(visit)
			for _, n := range from[first:end] {
				out[visit] += n
			}
		}
	}
	return out
}

// ofOneEvent reports whether a text of a visit is predicted to be that of one of its events.
func (c Column) ofOneEvent() bool {
	rule, _ := c.prediction()
	return rule == firstEvent || rule == lastEvent
}

// predictFromEvents predicts a text of visits that is that of one event: its number in the
// column of events.
func (d *Day) predictFromEvents(c Column) []uint32 {
	rule, source := c.prediction()
	from := d.texts[source].Index
	out := make([]uint32, d.Visits())
	for visit := range out {
		at, end := d.EventsOf(visit)
		if rule == lastEvent {
			at = end - 1
		}
		out[visit] = from[at]
	}
	return out
}
