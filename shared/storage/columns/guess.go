package columns

import "slices"

// Much of a day follows from the rest, nearly: a visit begins with its first event, the
// page on which it ends is that of its last one, and who comes from one city comes from one
// country. What can be guessed so takes next to nothing, since only what differs from the
// guess is kept. A guess that is wrong costs bytes, no more.

// guessedFrom is the column from which another is guessed; "" when it is not, or from the
// frame only.
func (c Column) guessedFrom() Column {
	switch c {
	case Start:
		return Time
	case StartOffset:
		return UTCOffset
	case Pageviews, Bounce:
		return Events
	case VisitEngaged:
		return Engaged
	case EntryPage, ExitPage:
		return Page
	case EntryHostname, ExitHostname:
		return Hostname
	case Country, Region:
		return City
	case Source:
		return Referrer
	case Channel:
		return Source
	case UTMSource:
		return UTMCampaign
	case UTMMedium:
		return UTMSource
	default:
		return ""
	}
}

// Needed names the pieces that Codec.Decode needs for the wanted columns, as far as they
// are there.
func Needed(wanted ...Column) []Column {
	all := []Column{Frame, MoreProps}
	for _, c := range wanted {
		for ; c != "" && !slices.Contains(all, c); c = c.guessedFrom() {
			all = append(all, c)
		}
	}
	return all
}

// Kept tells whether the pieces of a day tell of the wanted columns: of each that is no
// property, and of one that there is a piece of, or no properties without.
func Kept(pieces map[Column][]byte, wanted ...Column) bool {
	if pieces[MoreProps] == nil {
		return pieces[Frame] != nil
	}
	return pieces[Frame] != nil && !slices.ContainsFunc(wanted, func(c Column) bool {
		_, ok := c.Key()
		return ok && pieces[c] == nil
	})
}

// guessNumbers guesses a column of numbers.
func (d *Day) guessNumbers(c Column) []int64 {
	out := make([]int64, d.rows(c))
	from := d.numbers[c.guessedFrom()]
	switch c {
	case Start, StartOffset:
		for visit := range out {
			first, _ := d.EventsOf(visit)
			out[visit] = from[first]
		}
	case Events:
		for visit := range out {
			first, end := d.EventsOf(visit)
			out[visit] = int64(end - first)
		}
	case Pageviews:
		copy(out, from)
	case Bounce:
		for visit, events := range from {
			out[visit] = truth(events == 1)
		}
	case VisitEngaged:
		for visit := range out {
			first, end := d.EventsOf(visit)
			for _, engaged := range from[first:end] {
				out[visit] += engaged
			}
		}
	}
	return out
}

// ofFirst and ofLast tell whether a text of a visit is guessed to be that of its first or
// its last event.
func (c Column) ofFirst() bool { return c == EntryPage || c == EntryHostname }
func (c Column) ofLast() bool  { return c == ExitPage || c == ExitHostname }

func (c Column) ofOneEvent() bool { return c.ofFirst() || c.ofLast() }

// guessOfEvents guesses a text of visits that is that of one event: its number in the
// column of events.
func (d *Day) guessOfEvents(c Column) []uint32 {
	from := d.texts[c.guessedFrom()].Index
	out := make([]uint32, d.Visits())
	for visit := range out {
		at, end := d.EventsOf(visit)
		if c.ofLast() {
			at = end - 1
		}
		out[visit] = from[at]
	}
	return out
}
