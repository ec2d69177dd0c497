package columns

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// Builder makes a Day. The zero value is not usable; see NewBuilder.
type Builder struct {
	day      *Day
	midnight int64           // Unix seconds
	began    []time.Time     // when each visitor-day did
	props    bool            // all of them
	keys     []string        // of the properties that are wanted
	numbers  map[Column]bool // wanted
	texts    map[Column]*dictionary
	bytes    int // of the texts that differ, of all columns
}

// dictionary is a column of texts in the making.
type dictionary struct {
	Text
	numbers map[string]uint32
}

func newDictionary() *dictionary {
	return &dictionary{Text{Values: []string{""}}, map[string]uint32{"": 0}}
}

// add returns how many bytes it needs to remember the value.
func (d *dictionary) add(value string) (bytes int) {
	n, ok := d.numbers[value]
	if !ok {
		n = uint32(len(d.Values))
		d.numbers[value] = n
		d.Values = append(d.Values, value)
		bytes = len(value)
	}
	d.Index = append(d.Index, n)
	return bytes
}

// upTo adds "" until the column has n rows.
func (d *dictionary) upTo(n int) {
	for len(d.Index) < n {
		d.Index = append(d.Index, 0)
	}
}

// MaxProps is how many properties a day has that has all columns: whoever sends events
// chooses their keys, and must not make of a day as many columns as he likes.
const MaxProps = 50

// NewBuilder begins a day with some columns, or with all that there are when none are
// named: of properties, with the first MaxProps.
func NewBuilder(date event.Day, wanted ...Column) *Builder {
	b := &Builder{
		day:      &Day{Date: date, visits: []uint32{0}, events: []uint32{0}, texts: map[Column]Text{}, numbers: map[Column][]int64{}},
		midnight: date.Date().Unix(), props: len(wanted) == 0,
		numbers: map[Column]bool{}, texts: map[Column]*dictionary{},
	}
	if b.props {
		wanted = All()
	}
	for _, c := range wanted {
		b.want(c)
	}
	return b
}

func (b *Builder) want(c Column) {
	if c.OfNumbers() {
		b.numbers[c] = true
		b.day.numbers[c] = []int64{}
		return
	}
	if b.texts[c] != nil {
		return
	}
	if key, ok := c.Key(); ok {
		b.keys = append(b.keys, key)
	}
	b.texts[c] = newDictionary()
}

// Add puts in a visitor-day, given as the visits that Fold returned.
func (b *Builder) Add(visits []visit.Visit) {
	if len(visits) == 0 {
		return
	}
	b.began = append(b.began, visits[0].Start)
	for i := range visits {
		b.addVisit(&visits[i])
	}
	b.day.visits = append(b.day.visits, uint32(b.day.Visits()))
}

func (b *Builder) addVisit(v *visit.Visit) {
	events := v.Sequence()
	for _, e := range events {
		b.addEvent(e)
	}
	b.day.events = append(b.day.events, b.day.events[b.day.Visits()]+uint32(len(events)))
	b.addVisitValues(v)
}

func (b *Builder) addEvent(e *event.Event) {
	b.addEventValues(e)
	if !b.props {
		for _, key := range b.keys {
			b.text(Prop(key), e.Props[key])
		}
		return
	}
	before := b.eventsAdded()
	for key, value := range e.Props {
		column := b.texts[Prop(key)]
		if column == nil && len(b.keys) == MaxProps {
			b.day.more = true
			continue
		}
		if column == nil {
			b.want(Prop(key))
			column = b.texts[Prop(key)]
		}
		column.upTo(before)
		b.bytes += column.add(value)
	}
}

// Full tells whether what was added is as much as a part of a day should have, which is
// some events, or so much text that more might not be kept.
func (b *Builder) Full(events int) bool {
	return b.day.Events() >= events || b.bytes >= maxUnpacked/2
}

// eventsAdded is how many events came before the one that is being added.
func (b *Builder) eventsAdded() int { return len(b.day.numbers[Type]) - 1 }

func (b *Builder) number(c Column, value int64) {
	if b.numbers[c] {
		b.day.numbers[c] = append(b.day.numbers[c], value)
	}
}

func (b *Builder) text(c Column, value string) {
	if column := b.texts[c]; column != nil {
		b.bytes += column.add(value)
	}
}

// subject is the subject of an event as a text, when the column is wanted.
func (b *Builder) subject(e *event.Event) string {
	if e.Subject == uuid.Nil || b.texts[Subject] == nil {
		return ""
	}
	return hex.EncodeToString(e.Subject[:])
}

// exitHostname is the host of a visit's last event that counts.
func exitHostname(v *visit.Visit) string {
	for _, e := range slices.Backward(v.Sequence()) {
		if e.Type.Counts() {
			return e.Hostname
		}
	}
	return ""
}

// since is the time since midnight, to the second.
func (b *Builder) since(t time.Time) int64 { return (t.Unix() - b.midnight) * second }

func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// Day is what was added. The builder can't be used any more.
func (b *Builder) Day() *Day {
	for c, column := range b.texts {
		if _, ok := c.Key(); ok {
			column.upTo(b.day.Events())
		}
		b.day.texts[c] = column.Text
	}
	b.day.hasProps = b.props && !b.day.more
	order := make([]int, len(b.began))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return b.began[x].Compare(b.began[y]) })
	return b.day.inOrder(order)
}

// inOrder is the day with its visitor-days in another order.
func (d *Day) inOrder(order []int) *Day {
	out := &Day{Date: d.Date, visits: []uint32{0}, events: []uint32{0}, texts: d.texts, numbers: d.numbers, hasProps: d.hasProps, more: d.more}
	ofVisits, ofEvents := make([]uint32, 0, d.Visits()), make([]uint32, 0, d.Events()) // which row comes there
	for _, visitorDay := range order {
		firstVisit, endVisit := d.VisitsOf(visitorDay)
		for visit := firstVisit; visit < endVisit; visit++ {
			ofVisits = append(ofVisits, uint32(visit))
			first, end := d.EventsOf(visit)
			for i := first; i < end; i++ {
				ofEvents = append(ofEvents, uint32(i))
			}
			out.events = append(out.events, uint32(len(ofEvents)))
		}
		out.visits = append(out.visits, uint32(len(ofVisits)))
	}
	rows := func(c Column) []uint32 {
		if c.OfVisits() {
			return ofVisits
		}
		return ofEvents
	}
	for c, values := range out.numbers {
		out.numbers[c] = picked(values, rows(c))
	}
	for c, text := range out.texts {
		text.Index = picked(text.Index, rows(c))
		out.texts[c] = text
	}
	return out
}

func picked[T any](values []T, rows []uint32) []T {
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = values[row]
	}
	return out
}
