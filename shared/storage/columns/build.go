package columns

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// Builder builds a Day. The zero value is not usable; see NewBuilder.
type Builder struct {
	day      *Day
	midnight int64           // Unix seconds
	starts   []time.Time     // start of each visitor-day
	allProps bool            // every property gets a column
	keys     []string        // keys of the properties that have a column
	numbers  map[Column]bool // requested columns of numbers
	texts    map[Column]*dictionary
	bytes    int // size of the distinct texts of all columns
}

// dictionary is a column of texts under construction.
type dictionary struct {
	Text
	numbers map[string]uint32
}

func newDictionary() *dictionary {
	return &dictionary{Text{Values: []string{""}}, map[string]uint32{"": 0}}
}

// add appends a row and returns the number of bytes that its value adds to the column's
// distinct values.
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

// padTo appends "" until the column has n rows.
func (d *dictionary) padTo(n int) {
	for len(d.Index) < n {
		d.Index = append(d.Index, 0)
	}
}

// MaxProps is the maximum number of property columns of a day that has all columns.
// Clients choose the keys of properties, so the number of columns needs a bound.
const MaxProps = 50

// NewBuilder returns a Builder of a day that has the wanted columns. If none are given
// the day has all columns, with the first MaxProps properties.
func NewBuilder(date event.Day, wanted ...Column) *Builder {
	b := &Builder{
		day:      &Day{Date: date, visits: []uint32{0}, events: []uint32{0}, texts: map[Column]Text{}, numbers: map[Column][]int64{}},
		midnight: date.Date().Unix(), allProps: len(wanted) == 0,
		numbers: map[Column]bool{}, texts: map[Column]*dictionary{},
	}
	if b.allProps {
		wanted = All()
	}
	for _, c := range wanted {
		b.addColumn(c)
	}
	return b
}

func (b *Builder) addColumn(c Column) {
	if c.Numeric() {
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

// Add adds a visitor-day, given as the visits that visit.Fold returned.
func (b *Builder) Add(visits []visit.Visit) {
	if len(visits) == 0 {
		return
	}
	b.starts = append(b.starts, visits[0].Start)
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
	if !b.allProps {
		for _, key := range b.keys {
			b.text(Prop(key), e.Props[key])
		}
		return
	}
	before := b.eventsAdded()
	for key, value := range e.Props {
		column := b.texts[Prop(key)]
		if column == nil && len(b.keys) == MaxProps {
			b.day.moreProps = true
			continue
		}
		if column == nil {
			b.addColumn(Prop(key))
			column = b.texts[Prop(key)]
		}
		column.padTo(before)
		b.bytes += column.add(value)
	}
}

// PartSize is the size from which a part of a day is full: of parts that are at least as
// large, few are in memory at once.
type PartSize struct {
	Events int
	Text   int // bytes of the distinct texts of all columns
}

// MaxText is the Text of parts that are archived. What was archived before may have four
// times as much.
const MaxText = 8 << 20

// Full reports whether the day is full.
func (b *Builder) Full(size PartSize) bool {
	return b.day.Events() >= size.Events || b.bytes >= size.Text
}

// eventsAdded returns the number of events before the one that is being added.
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

// subject returns the subject of an event in hexadecimal; "" if the column was not
// requested.
func (b *Builder) subject(e *event.Event) string {
	if e.Subject == uuid.Nil || b.texts[Subject] == nil {
		return ""
	}
	return hex.EncodeToString(e.Subject[:])
}

// exitHostname returns the host of a visit's last event that counts.
func exitHostname(v *visit.Visit) string {
	for _, e := range slices.Backward(v.Sequence()) {
		if e.Type.Counts() {
			return e.Hostname
		}
	}
	return ""
}

// since returns the milliseconds since midnight, in whole seconds.
func (b *Builder) since(t time.Time) int64 { return (t.Unix() - b.midnight) * second }

func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// Day returns the day, with its visitor-days in the order of their starts. The builder
// must not be used afterwards.
func (b *Builder) Day() *Day {
	for c, column := range b.texts {
		if _, ok := c.Key(); ok {
			column.padTo(b.day.Events())
		}
		b.day.texts[c] = column.Text
	}
	b.day.hasProps = b.allProps && !b.day.moreProps
	order := make([]int, len(b.starts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return b.starts[x].Compare(b.starts[y]) })
	return b.day.inOrder(order)
}

// inOrder returns the day with its visitor-days in the given order.
func (d *Day) inOrder(order []int) *Day {
	out := &Day{Date: d.Date, visits: []uint32{0}, events: []uint32{0}, texts: d.texts, numbers: d.numbers, hasProps: d.hasProps, moreProps: d.moreProps}
	visitRows, eventRows := make([]uint32, 0, d.Visits()), make([]uint32, 0, d.Events()) // by new position
	for _, visitorDay := range order {
		firstVisit, endVisit := d.VisitsOf(visitorDay)
		for visit := firstVisit; visit < endVisit; visit++ {
			visitRows = append(visitRows, uint32(visit))
			first, end := d.EventsOf(visit)
			for i := first; i < end; i++ {
				eventRows = append(eventRows, uint32(i))
			}
			out.events = append(out.events, uint32(len(eventRows)))
		}
		out.visits = append(out.visits, uint32(len(visitRows)))
	}
	rows := func(c Column) []uint32 {
		if c.PerVisit() {
			return visitRows
		}
		return eventRows
	}
	for c, values := range out.numbers {
		out.numbers[c] = pick(values, rows(c))
	}
	for c, text := range out.texts {
		text.Index = pick(text.Index, rows(c))
		out.texts[c] = text
	}
	return out
}

func pick[T any](values []T, rows []uint32) []T {
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = values[row]
	}
	return out
}
