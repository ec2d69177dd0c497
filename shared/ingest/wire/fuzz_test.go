package wire_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/analytics-platform/analytics/shared/ingest/wire"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// fuzz checks that every body is decoded within the limits or rejected with a validation
// error, and that decoded events can be validated.
func fuzz(f *testing.F, read format, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		check(t, wire.Request{Body: body, Arrived: arrived, Subjects: true}, read)
	})
}

func check(t *testing.T, r wire.Request, read format) {
	t.Helper()
	b, err := read(r)
	if err != nil {
		checkError(t, err)
		return
	}
	if len(b.Events) == 0 || len(b.Events) > event.MaxBatch {
		t.Fatalf("%d events", len(b.Events))
	}
	for _, e := range b.Events {
		if e.Err != nil {
			checkError(t, e.Err)
			continue
		}
		if _, err := e.Input.Validate(arrived); err != nil && e.Ignored == "" {
			checkError(t, err)
		}
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	var bad *validation.Error
	if !errors.As(err, &bad) || bad.Code == "" || bad.Detail == "" {
		t.Fatalf("got %#v, want a validation error with a code and a detail", err)
	}
}

func FuzzNative(f *testing.F) {
	fuzz(f, wire.Native, `{"site":"s_1","type":"view","url":"https://one.example/"}`, `[{"site":"s_1","type":"click"},7]`, ``)
}

func FuzzPlausible(f *testing.F) {
	fuzz(f, wire.Plausible,
		`{"n":"pageview","v":36,"u":"https://one.example/#/a?b","d":"one.example","r":null,"p":{"plan":"pro"},"h":1}`,
		`{"name":"Order","url":"https://one.example/","domain":"a,b","props":"{\"a\":1}","interactive":false,"revenue":{"currency":"EUR","amount":"1e3"}}`,
		`{"n":"engagement","u":"https://one.example/","d":"one.example","sd":"50","e":4500}`, `{"n":404,"$":"{}"}`)
}

func FuzzUmami(f *testing.F) {
	fuzz(f, wire.Umami,
		`{"type":"event","payload":{"website":"s_1","hostname":"one.example","url":"/a","referrer":"","screen":"1x1","data":{"revenue":1,"currency":"EUR"},"timestamp":1772366400,"ip":"::1"}}`,
		`{"type":"identify","payload":{"website":"s_1","id":"jane","data":{"a":{"b":1}}}}`,
		`{"type":"performance","payload":{"website":"s_1","url":"https://one.example/","lcp":1.5,"cls":null}}`)
}

func FuzzUmamiBatch(f *testing.F) {
	fuzz(f, wire.UmamiBatch, `[{"type":"event","payload":{"website":"s_1","url":"https://one.example/"}},7]`, `[]`)
}

func FuzzSegment(f *testing.F) {
	fuzz(f, segment("page"),
		`{"writeKey":"s_1","messageId":"m","userId":"jane","name":"Home","category":"c","properties":{"url":"https://one.example/","title":"T","path":"/"},"timestamp":"2026-03-01T11:59:00Z","sentAt":"2026-03-01T13:00:00Z"}`,
		`{"messageId":"0190d3c4-5b1e-7c3a-9f00-3d2b1a0c9e88","context":{"locale":"en_US","screen":{"width":1,"height":1e9},"ip":"::1"}}`)
}

func FuzzSegmentBatch(f *testing.F) {
	fuzz(f, wire.SegmentBatch,
		`{"batch":[{"type":"track","event":"A","properties":{"revenue":"12.5","currency":"eur"},"originalTimestamp":"0001-01-01T00:00:00Z"},{"type":"alias"},1],"writeKey":"s_1","sentAt":"9999-12-31T23:59:59Z"}`,
		`{"batch":[]}`)
}

func FuzzPixel(f *testing.F) {
	f.Add("site=s_1&url=https%3A%2F%2Fone.example%2F&referrer=https://two.example&title=x")
	f.Add("site=one.example&type=click&props=%7B%22plan%22%3A%22pro%22%7D&id=0198c5f0-0000-7000-8000-000000000000")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return // the caller rejects such a request
		}
		check(t, wire.Request{Query: query, Header: http.Header{"Referer": {"https://one.example/a"}}, Arrived: arrived, Subjects: true}, wire.Pixel)
	})
}
