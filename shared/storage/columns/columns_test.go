package columns_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/internal/columnstest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

const day = columnstest.Day

// fold returns the visits of visitor-days, in the order in which the visitor-days start.
func fold(visitorDays [][]*event.Event) (folded [][]visit.Visit) {
	for _, events := range visitorDays {
		if visits := visit.Fold(slices.Clone(events)); len(visits) > 0 {
			folded = append(folded, visits)
		}
	}
	slices.SortStableFunc(folded, func(a, b []visit.Visit) int { return a[0].Start.Compare(b[0].Start) })
	return folded
}

func build(folded [][]visit.Visit, wanted ...columns.Column) *columns.Day {
	b := columns.NewBuilder(day, wanted...)
	for _, visits := range folded {
		b.Add(visits)
	}
	return b.Day()
}

// eventValues and visitValues return how the value of each column follows from an event
// or a visit.
func eventValues() map[columns.Column]func(*event.Event) any {
	all := map[columns.Column]func(*event.Event) any{
		columns.Time:      func(e *event.Event) any { return sinceMidnight(e.Time) },
		columns.UTCOffset: func(e *event.Event) any { return int64(e.UTCOffset) },
		columns.Type:      func(e *event.Event) any { return int64(e.Type) },
		columns.Passive:   func(e *event.Event) any { return truth(e.Passive) },
		columns.Engaged:   func(e *event.Event) any { return int64(e.Engaged) },
		columns.Scroll:    func(e *event.Event) any { return int64(e.Scroll) },
		columns.Name:      func(e *event.Event) any { return e.EventName() },
		columns.Page:      func(e *event.Event) any { return e.Page },
		columns.Hostname:  func(e *event.Event) any { return e.Hostname },
		columns.Tag:       func(e *event.Event) any { return e.Tag },
		columns.Amount:    func(e *event.Event) any { return e.Amount },
		columns.Currency:  func(e *event.Event) any { return e.Currency },
		columns.Subject: func(e *event.Event) any {
			if e.Subject == uuid.Nil {
				return ""
			}
			return hex.EncodeToString(e.Subject[:])
		},
	}
	for _, c := range columnstest.Properties() {
		key, _ := c.Key()
		all[c] = func(e *event.Event) any { return e.Props[key] }
	}
	return all
}

func visitValues() map[columns.Column]func(*visit.Visit) any {
	all := map[columns.Column]func(*visit.Visit) any{
		columns.Start:         func(v *visit.Visit) any { return sinceMidnight(v.Start) },
		columns.StartOffset:   func(v *visit.Visit) any { return int64(v.Sequence()[0].UTCOffset) },
		columns.Duration:      func(v *visit.Visit) any { return int64(v.Duration) },
		columns.Pageviews:     func(v *visit.Visit) any { return int64(v.Pageviews) },
		columns.Events:        func(v *visit.Visit) any { return int64(v.Events) },
		columns.Bounce:        func(v *visit.Visit) any { return truth(v.Bounce) },
		columns.VisitEngaged:  func(v *visit.Visit) any { return v.Engaged },
		columns.EntryPage:     func(v *visit.Visit) any { return v.EntryPage },
		columns.ExitPage:      func(v *visit.Visit) any { return v.ExitPage },
		columns.EntryHostname: func(v *visit.Visit) any { return v.Hostname },
		columns.ExitHostname: func(v *visit.Visit) any {
			last := v.Hostname
			for _, e := range v.Sequence() {
				if e.Type != event.Engagement {
					last = e.Hostname
				}
			}
			return last
		},
	}
	for i, name := range event.AttributeNames() {
		all[columns.Column("visit_"+name)] = func(v *visit.Visit) any { return *v.AttributeValues()[i] }
	}
	return all
}

func sinceMidnight(t time.Time) int64 { return t.Truncate(time.Second).Sub(day.Date()).Milliseconds() }

func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// want returns the day that columns must hold.
func want(folded [][]visit.Visit, wanted ...columns.Column) columnstest.DayValues {
	s := columnstest.DayValues{Date: day, Rows: map[columns.Column][]any{}}
	for _, c := range wanted {
		s.Rows[c] = []any{}
	}
	for _, visits := range folded {
		var lengths []int
		for i := range visits {
			v := &visits[i]
			lengths = append(lengths, len(v.Sequence()))
			for _, c := range wanted {
				if value := visitValues()[c]; value != nil {
					s.Rows[c] = append(s.Rows[c], value(v))
					continue
				}
				for _, e := range v.Sequence() {
					s.Rows[c] = append(s.Rows[c], eventValues()[c](e))
				}
			}
		}
		s.Bounds = append(s.Bounds, lengths)
	}
	return s
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		visitorDays := columnstest.GenVisitorDays().Draw(t, "visitor-days")
		folded, wanted := fold(visitorDays), columnstest.GenColumns().Draw(t, "wanted")
		var added [][]visit.Visit
		for _, events := range visitorDays {
			added = append(added, visit.Fold(events))
		}
		if diff := cmp.Diff(want(folded, columnstest.Columns()...), columnstest.Show(build(added), columnstest.Columns()...)); diff != "" {
			t.Errorf("a day with all columns:\n%s", diff)
		}
		if diff := cmp.Diff(want(folded, wanted...), columnstest.Show(build(added, wanted...), wanted...)); diff != "" {
			t.Errorf("a day with %q:\n%s", wanted, diff)
		}
	})
}

func newCodec(tb testing.TB) *columns.Codec {
	tb.Helper()
	codec, err := columns.NewCodec()
	if err != nil {
		tb.Fatal(err)
	}
	return codec
}

func encode(tb rapid.TB, codec *columns.Codec, d *columns.Day) map[columns.Column][]byte {
	tb.Helper()
	pieces, err := codec.Encode(d)
	if err != nil {
		tb.Fatal(err)
	}
	return pieces
}

// TestRoundTrip checks that a day survives encoding and decoding, and that Decode needs
// only the pieces that Needed returns.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	rapid.Check(t, func(t *rapid.T) {
		folded := fold(columnstest.GenVisitorDays().Draw(t, "visitor-days"))
		pieces := encode(t, codec, build(folded))
		all, err := codec.Decode(day, pieces, columnstest.Columns()...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want(folded, columnstest.Columns()...), columnstest.Show(all, columnstest.Columns()...)); diff != "" {
			t.Errorf("all columns:\n%s", diff)
		}
		wanted := columnstest.GenColumns().Draw(t, "wanted")
		needed := map[columns.Column][]byte{}
		for _, c := range columns.Needed(wanted...) {
			if piece, ok := pieces[c]; ok {
				needed[c] = piece
			}
		}
		d, err := codec.Decode(day, needed, wanted...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want(folded, wanted...), columnstest.Show(d, wanted...)); diff != "" {
			t.Errorf("%q:\n%s", wanted, diff)
		}
		for _, c := range columnstest.Columns() {
			if !slices.Contains(wanted, c) && !panics(func() { columnstest.Show(d, c) }) {
				t.Errorf("the day has the column %s, which was not requested", c)
			}
		}
	})
}

func panics(fn func()) (did bool) {
	defer func() { did = recover() != nil }()
	fn()
	return false
}

// TestManyValues covers indexes of one, two and four bytes.
func TestManyValues(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	for _, n := range []int{0, 1, 254, 255, 256, 257, 511, 512, 65_280, 65_281, 65_282} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			b := columns.NewBuilder(day)
			for i := range n {
				e := event.Event{Time: day.Date(), Day: day, Type: event.View, Page: strconv.Itoa(i)}
				e.City, e.Country = strconv.Itoa(i%1000), strconv.Itoa(i%(n/2+1))
				other := e
				other.Type, other.Page = event.Click, strconv.Itoa(n-i)
				b.Add(visit.Fold([]*event.Event{&other, &e}))
			}
			built := b.Day()
			wanted := []columns.Column{columns.Page, columns.City, columns.Country, columns.EntryPage, columns.ExitPage}
			d, err := codec.Decode(day, encode(t, codec, built), wanted...)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range wanted {
				got, want := d.Text(c), built.Text(c)
				for row := range want.Index {
					if got.At(row) != want.At(row) {
						t.Fatalf("row %d of %s is %q, want %q", row, c, got.At(row), want.At(row))
					}
				}
			}
		})
	}
}

// TestManyProperties checks that a day keeps MaxProps properties, and that Holds and Decode
// agree on which of them it has.
func TestManyProperties(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	for _, n := range []int{columns.MaxProps, columns.MaxProps + 1, 500} {
		b := columns.NewBuilder(day)
		for i := range n {
			e := event.Event{Time: day.Date(), Day: day, Type: event.View, Props: map[string]string{strconv.Itoa(i): "yes"}}
			b.Add(visit.Fold([]*event.Event{&e}))
		}
		pieces := encode(t, codec, b.Day())
		decoded := 0
		for i := range n + 1 {
			c := columns.Prop(strconv.Itoa(i))
			d, err := codec.Decode(day, pieces, columns.Page, c)
			if holds := columns.Holds(pieces, columns.Page, c); holds != (err == nil) {
				t.Errorf("property %d of %d: Holds returns %t, Decode %v", i, n, holds, err)
			}
			if err == nil {
				decoded++
				if yes := i < n; (d.Text(c).At(min(i, n-1)) == "yes") != yes {
					t.Errorf("property %d of %d is wrong", i, n)
				}
			}
		}
		if want := map[bool]int{true: n + 1, false: columns.MaxProps}[n <= columns.MaxProps]; decoded != want {
			t.Errorf("%d of %d properties can be decoded, want %d", decoded, n, want)
		}
	}
}

// compressed returns data as a piece.
func compressed(tb testing.TB, data ...byte) []byte {
	tb.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	return encoder.EncodeAll(data, nil)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	two := []byte{1, 1, 1, 1, 2} // a visitor-day, a visit, two events
	for name, test := range map[string]struct {
		frame  []byte
		column columns.Column
		data   []byte // nil if there is no piece
	}{
		"no frame":                           {nil, columns.Page, nil},
		"an empty frame":                     {[]byte{}, columns.Page, nil},
		"a frame of another kind":            {[]byte{2, 0, 0}, columns.Page, nil},
		"a frame that ends early":            {two[:4], columns.Page, nil},
		"a frame with trailing data":         {append(slices.Clone(two), 0), columns.Page, nil},
		"a visitor-day without a visit":      {[]byte{1, 1, 0, 0}, columns.Page, nil},
		"a visit without an event":           {[]byte{1, 1, 1, 1, 0}, columns.Page, nil},
		"a visit outside of visitor-days":    {[]byte{1, 1, 1, 2, 1, 1}, columns.Page, nil},
		"more events than a day may have":    {[]byte{1, 1, 1, 1, 0x81, 0x80, 0x80, 4}, columns.Page, nil},
		"an unknown kind":                    {two, columns.Page, []byte{9, 0, 0, 0}},
		"no kind":                            {two, columns.Page, []byte{0, 0, 0}},
		"numbers for texts":                  {two, columns.Page, []byte{2, 0, 0}},
		"texts for numbers":                  {two, columns.Type, []byte{4, 0, 0, 0}},
		"times for numbers":                  {two, columns.Type, []byte{3, 0, 0}},
		"a prediction without a rule":        {two, columns.Page, []byte{5, 0, 0, 0}},
		"the wrong prediction for a country": {two, columns.Country, []byte{6, 0, 0}},
		"the wrong prediction for a page":    {two, columns.EntryPage, []byte{5, 0, 0}},
		"too few numbers":                    {two, columns.Type, []byte{2, 2}},
		"too many numbers":                   {two, columns.Type, []byte{2, 2, 2, 2}},
		"too few times":                      {two, columns.Time, []byte{3, 2}},
		"too many times":                     {two, columns.Time, []byte{3, 2, 2, 2}},
		"too few texts":                      {two, columns.Page, []byte{4, 1, 1, 'a', 1}},
		"too many texts":                     {two, columns.Page, []byte{4, 1, 1, 'a', 1, 1, 1}},
		"more values than rows":              {two, columns.Page, []byte{4, 3, 0, 0, 0, 1, 1}},
		"values that end early":              {two, columns.Page, []byte{4, 1, 9, 'a'}},
		"a missing value":                    {two, columns.Page, []byte{4, 1, 1, 'a', 2, 0}},
		"a missing value of a visit":         {two, columns.EntryPage, []byte{6, 0, 2}},
		"a missing predicted value":          {two, columns.Country, []byte{5, 0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pieces := map[columns.Column][]byte{}
			if test.frame != nil {
				pieces[columns.Frame] = compressed(t, test.frame...)
			}
			if test.data != nil {
				pieces[test.column] = compressed(t, test.data...)
			}
			if d, err := codec.Decode(day, pieces, test.column); err == nil {
				t.Errorf("decoded as %+v, want an error", columnstest.Show(d, test.column))
			}
		})
	}
	t.Run("an uncompressed piece", func(t *testing.T) {
		t.Parallel()
		if _, err := codec.Decode(day, map[columns.Column][]byte{columns.Frame: two}, columns.Page); err == nil {
			t.Error("got no error")
		}
	})
	t.Run("a piece that is too large", func(t *testing.T) {
		t.Parallel()
		zeros := make([]byte, 1<<26+2)
		zeros[0] = 4
		pieces := map[columns.Column][]byte{columns.Frame: compressed(t, two...), columns.Page: compressed(t, zeros...)}
		if _, err := codec.Decode(day, pieces, columns.Page); err == nil {
			t.Error("got no error")
		}
	})
}

// TestTooLarge checks that Encode refuses a day that Decode would refuse, and that the
// builder is full long before.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	b := columns.NewBuilder(day)
	for i := range 8 {
		if full := b.Full(columns.PartSize{Events: 1000, Text: 32 << 20}); full != (i > 1) {
			t.Errorf("with %d texts of 9 MiB in each of three columns Full returns %t", i, full)
		}
		e := event.Event{Time: day.Date(), Day: day, Type: event.View, Page: strings.Repeat(strconv.Itoa(i), 9<<20)}
		b.Add(visit.Fold([]*event.Event{&e}))
	}
	if _, err := newCodec(t).Encode(b.Day()); !errors.Is(err, columns.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// TestRoom checks that a day asks for about as much room as it takes, and takes none that it
// does not get.
func TestRoom(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	b := columns.NewBuilder(day)
	for i := range 5000 {
		e := event.Event{
			Time: day.Date().Add(time.Duration(i) * time.Second), Day: day, Visitor: int64(i), Type: event.View,
			Page: "/" + strconv.Itoa(i) + strings.Repeat("x", 500), Hostname: "example.com", Props: map[string]string{"plan": strconv.Itoa(i % 3)},
		}
		b.Add(visit.Fold([]*event.Event{&e}))
	}
	pieces := encode(t, codec, b.Day())
	for _, wanted := range [][]columns.Column{{columns.Page}, {columns.Type}, {columns.ExitPage, columns.Time}, {columns.Hostname, columns.Prop("plan"), columns.Duration}} {
		var asked, most int64
		d, err := codec.DecodeWithin(func(bytes int64) error {
			asked += bytes
			most = max(most, asked)
			return nil
		}, day, pieces, wanted...)
		if err != nil {
			t.Fatal(err)
		}
		if asked < d.Size() || asked > 2*d.Size()+1<<20 || most < asked || most > 4*d.Size()+1<<20 {
			t.Errorf("%v: a day of %d bytes asks for %d in the end, at most %d", wanted, d.Size(), asked, most)
		}
		full := errors.New("full")
		for _, limit := range []int64{0, most / 4, most - 1} {
			var asked int64
			_, err := codec.DecodeWithin(func(bytes int64) error {
				if asked += bytes; asked > limit {
					return full
				}
				return nil
			}, day, pieces, wanted...)
			if !errors.Is(err, full) {
				t.Errorf("%v: with %d of %d bytes: %v", wanted, limit, most, err)
			}
		}
	}
}
