// Package columnstest generates and formats days in columns, for the tests of packages that
// build, store or read them.
package columnstest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Day is the local day of generated events.
const Day = event.Day(20_512)

// genEvent draws an event of a local day that starts up to 14 hours before midnight UTC and
// ends up to 12 hours after the next. It leaves room to add a few half hours.
func genEvent(number int) *rapid.Generator[*event.Event] {
	return rapid.Custom(func(t *rapid.T) *event.Event {
		oneOf := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
		e := &event.Event{
			ID: uuid.UUID{byte(number), byte(number >> 8)}, Site: 1, Day: Day,
			Time:      Day.Date().Add(time.Duration(rapid.IntRange(-14*3600_000, 32*3600_000-1).Draw(t, "at")) * time.Millisecond),
			UTCOffset: rapid.SampledFrom([]int16{0, 60, -210}).Draw(t, "offset"),
			Type:      event.Type(rapid.IntRange(1, 5).Draw(t, "type")),
			Passive:   rapid.Bool().Draw(t, "passive"),
			Name:      oneOf("name", "", "Signup", "ä"),
			Hostname:  oneOf("hostname", "", "one.example", "shop.one.example"),
			Page:      oneOf("page", "", "/", "/a", "/b", "/c"),
			Tag:       oneOf("tag", "", "a", "b"),
		}
		for _, value := range e.AttributeValues() {
			*value = oneOf("attribute", "", "", "x", "y", "/a")
		}
		if rapid.Bool().Draw(t, "has properties") {
			e.Props = map[string]string{oneOf("key", "plan", "", "visit_city"): oneOf("value", "", "pro", "free")}
		}
		if e.Type == event.Engagement {
			e.Engaged, e.Scroll = rapid.Int32Range(1, event.MaxEngaged).Draw(t, "engaged"), rapid.Int16Range(0, 100).Draw(t, "scroll")
		} else if e.Amount = oneOf("amount", "", "12.5", "-0.1"); e.Amount != "" {
			e.Currency = oneOf("currency", "EUR", "USD")
		}
		if rapid.Bool().Draw(t, "has a subject") {
			e.Subject = uuid.UUID{1, byte(rapid.IntRange(0, 3).Draw(t, "subject"))}
		}
		return e
	})
}

// GenVisitorDays draws the events of visitor-days of the site with id 1, in the order of
// visitors. Some visitor-days have no event that counts.
func GenVisitorDays() *rapid.Generator[[][]*event.Event] {
	return rapid.Custom(func(t *rapid.T) [][]*event.Event {
		days := make([][]*event.Event, rapid.IntRange(0, 6).Draw(t, "visitor-days"))
		number := 0
		for i := range days {
			for range rapid.IntRange(0, 8).Draw(t, "events") {
				number++
				e := genEvent(number).Draw(t, "event")
				if n := len(days[i]); n > 0 && rapid.IntRange(0, 3).Draw(t, "same visit") > 0 {
					e.Time = days[i][n-1].Time.Add(time.Duration(rapid.IntRange(0, 1800_000).Draw(t, "later")) * time.Millisecond)
				}
				e.Visitor = int64(i - 3)
				days[i] = append(days[i], e)
			}
		}
		return days
	})
}

// Properties returns the columns of the properties that events can have, and of one that they
// never have.
func Properties() []columns.Column {
	return []columns.Column{columns.Prop("plan"), columns.Prop(""), columns.Prop("visit_city"), columns.Prop("never")}
}

// Columns returns all columns, including Properties.
func Columns() []columns.Column { return append(columns.All(), Properties()...) }

// GenColumns draws up to six distinct columns.
func GenColumns() *rapid.Generator[[]columns.Column] {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(Columns()), 1, 6, rapid.ID)
}

// DayValues has a day, or some of its columns, as plain values.
type DayValues struct {
	Date   event.Day
	Bounds [][]int // by visitor-day: the number of events of each visit
	Rows   map[columns.Column][]any
}

// FormatVisitorDays formats the visitor-days of days, or of parts of a day, with some columns,
// in sorted order.
func FormatVisitorDays(wanted []columns.Column, days ...*columns.Day) []string {
	var all []string
	for _, d := range days {
		values := Show(d, wanted...)
		for visitorDay, lengths := range values.Bounds {
			firstVisit, endVisit := d.VisitsOf(visitorDay)
			first, _ := d.EventsOf(firstVisit)
			_, end := d.EventsOf(endVisit - 1)
			parts := []any{lengths}
			for _, c := range wanted {
				if c.PerVisit() {
					parts = append(parts, c, values.Rows[c][firstVisit:endVisit])
				} else {
					parts = append(parts, c, values.Rows[c][first:end])
				}
			}
			all = append(all, fmt.Sprintf("%q", parts))
		}
	}
	slices.Sort(all)
	return all
}

// Show returns the values of some columns of a day.
func Show(d *columns.Day, wanted ...columns.Column) DayValues {
	s := DayValues{Date: d.Date, Rows: map[columns.Column][]any{}}
	for visitorDay := range d.VisitorDays() {
		var lengths []int
		firstVisit, endVisit := d.VisitsOf(visitorDay)
		for visit := firstVisit; visit < endVisit; visit++ {
			first, end := d.EventsOf(visit)
			lengths = append(lengths, end-first)
		}
		s.Bounds = append(s.Bounds, lengths)
	}
	for _, c := range wanted {
		rows := []any{}
		if c.Numeric() {
			for _, n := range d.Numbers(c) {
				rows = append(rows, n)
			}
		} else {
			text := d.Text(c)
			for row := range text.Index {
				rows = append(rows, text.At(row))
			}
		}
		s.Rows[c] = rows
	}
	return s
}

// Scan reads a day from its events, in one part.
func Scan(ctx context.Context, db database.DB, scan store.Scan) (day *columns.Day, err error) {
	err = scan.Parts(ctx, db, columns.PartSize{Events: math.MaxInt, Text: math.MaxInt}, func(d *columns.Day) error {
		day = d
		return nil
	})
	return day, err
}
