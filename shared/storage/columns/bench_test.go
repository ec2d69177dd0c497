package columns_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// BenchmarkDecode decodes columns of a day of 333,000 events, 2.5 per visit, with 2,000
// pages, 400 cities and 40 countries whose frequencies have a long tail. Countries are
// predicted from cities, so decoding them includes decoding cities.
func BenchmarkDecode(b *testing.B) {
	const n = 333_000
	r := rand.New(rand.NewPCG(1, 2))
	longTail := func(n int) int { return int(math.Pow(float64(n), r.Float64())) }
	builder := columns.NewBuilder(day)
	for made := 0; made < n; {
		city := longTail(400)
		e := event.Event{
			Day: day, Time: day.Date().Add(time.Duration(r.IntN(86_400)) * time.Second), Type: event.View,
			Attributes: event.Attributes{City: "City " + strconv.Itoa(city), Country: "C" + strconv.Itoa(city%40)},
		}
		var events []*event.Event
		for more := true; more && made < n; more = r.Float64() < 0.6 {
			e.Page = "/section/" + strconv.Itoa(longTail(2000))
			events = append(events, new(e))
			e.Time = e.Time.Add(time.Duration(4+r.ExpFloat64()*48) * time.Second)
			made++
		}
		builder.Add(visit.Fold(events))
	}
	codec := newCodec(b)
	pieces := encode(b, codec, builder.Day())
	for name, wanted := range map[string][]columns.Column{
		"page":                  {columns.Page},
		"type":                  {columns.Type},
		"country":               {columns.Country},
		"entry-page":            {columns.EntryPage},
		"time":                  {columns.Time},
		"page-type-and-country": {columns.Page, columns.Type, columns.Country},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := codec.Decode(day, pieces, wanted...); err != nil {
					b.Fatal(err)
				}
			}
			size := 0
			for _, c := range columns.Needed(wanted...) {
				size += len(pieces[c])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
			b.ReportMetric(float64(size)/n, "B/event")
		})
	}
}
