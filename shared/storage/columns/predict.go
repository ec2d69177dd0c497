package columns

import (
	"encoding/binary"
	"slices"
)

// Much of a day can be predicted from the rest: a visit begins with its first event, ends
// on the page of its last one, and visitors from one city come from one country. Only
// differences from the prediction are stored, so a predicted column takes almost no
// space. A wrong prediction costs bytes and nothing else.

// rule is how a column is predicted from another; see catalogue.Rule.
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

// predictedFrom returns the column from which c is predicted. It returns "" if c is not
// predicted, or is predicted from the frame alone.
func (c Column) predictedFrom() Column {
	_, from := c.prediction()
	return from
}

// Needed returns the pieces that Codec.Decode needs for the wanted columns. Some of them
// may not exist.
func Needed(wanted ...Column) []Column {
	all := []Column{Version, Frame, MoreProps}
	for _, c := range wanted {
		for ; c != "" && !slices.Contains(all, c); c = c.predictedFrom() {
			all = append(all, c)
		}
	}
	return all
}

// Holds reports whether the wanted columns can be decoded from the pieces of a day. These
// are all columns of the pieces' version, and the properties that have a piece. Without
// the piece MoreProps they are all properties.
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

// versionOf returns the version of the archive form of a day's pieces; 0 if it can't be
// read.
func versionOf(pieces map[Column][]byte) int {
	piece, ok := pieces[Version]
	if !ok {
		return 1
	}
	version, _ := binary.Uvarint(piece)
	return int(version)
}

// predictNumbers predicts a column of numbers. A column without a rule is predicted to be
// all 0.
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

// fromEvent reports whether a text of a visit is predicted to be that of its first or last
// event.
func (c Column) fromEvent() bool {
	rule, _ := c.prediction()
	return rule == firstEvent || rule == lastEvent
}

// predictFromEvents predicts a text of visits from that of one event. It returns indexes
// into the values of the events' column.
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
