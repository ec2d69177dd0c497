package wire_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/ingest/wire"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

var arrived = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type format = func(wire.Request) (wire.Batch, error)

func segment(messageType string) format {
	return func(r wire.Request) (wire.Batch, error) { return wire.Segment(messageType, r) }
}

func raw(text string) jsontext.Value { return jsontext.Value(text) }

func TestDecode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		read     format
		body     string
		want     []event.Input
		subjects bool
	}{
		"Plausible, short names": {
			wire.Plausible, `{"n":"pageview","v":36,"u":"https://www.one.example/a","d":"www.one.example","r":"https://x.example/","p":{"plan":"pro","empty":"","list":[1]}}`,
			[]event.Input{{Site: "www.one.example", Type: "view", URL: "https://www.one.example/a", Referrer: "https://x.example/", Props: map[string]jsontext.Value{"plan": raw(`"pro"`), "list": raw(`[1]`)}}}, false,
		},
		"Plausible, long names, props and revenue as JSON, several sites": {
			wire.Plausible, `{"name":"Order","url":"https://one.example/","domain":"one.example, two.example","props":"{\"plan\":1}","interactive":false,"revenue":"{\"currency\":\"eur\",\"amount\":\"12.50\"}"}`,
			[]event.Input{
				{Site: "one.example", Type: "conversion", Name: "Order", URL: "https://one.example/", Props: map[string]jsontext.Value{"plan": raw(`1`)}, Passive: true, Value: &event.Value{Amount: raw(`"12.50"`), Currency: "eur"}},
				{Site: "two.example", Type: "conversion", Name: "Order", URL: "https://one.example/", Props: map[string]jsontext.Value{"plan": raw(`1`)}, Passive: true, Value: &event.Value{Amount: raw(`"12.50"`), Currency: "eur"}},
			}, false,
		},
		"Plausible, consent": {
			wire.Plausible, `{"n":"Order","u":"https://one.example/","d":"one.example","p":{"consent":"true"}}`,
			[]event.Input{{Site: "one.example", Type: "conversion", Name: "Order", URL: "https://one.example/", Consent: true}}, false,
		},
		"Umami, with and without consent": {
			wire.UmamiBatch, `[{"type":"event","payload":{"website":"s_1","hostname":"one.example","url":"/","data":{"consent":true}}},{"type":"event","payload":{"website":"s_1","hostname":"one.example","url":"/","data":{"consent":"no"}}}]`,
			[]event.Input{{Site: "s_1", Type: "view", URL: "https://one.example/", Consent: true}, {Site: "s_1", Type: "view", URL: "https://one.example/"}}, false,
		},
		"Plausible, site from the address, empty revenue, numeric name": {
			wire.Plausible, `{"n":404,"u":"https://www.one.example/b","d":null,"$":{}}`,
			[]event.Input{{Site: "www.one.example", Type: "conversion", Name: "404", URL: "https://www.one.example/b"}}, false,
		},
		"Plausible, engagement": {
			wire.Plausible, `{"n":"engagement","u":"https://one.example/","d":"one.example","sd":130,"e":"4500","v":36}`,
			[]event.Input{{Site: "one.example", Type: "engagement", URL: "https://one.example/", Scroll: new(100), Engaged: new(4500)}}, false,
		},
		"Plausible, pages by fragment": {
			wire.Plausible, `{"n":"pageview","u":"https://one.example/app?utm_source=x#/cart?token=1","d":"one.example","h":1}`,
			[]event.Input{{Site: "one.example", Type: "view", URL: "https://one.example/app/cart?utm_source=x"}}, false,
		},
		"Umami, path": {
			wire.Umami, `{"type":"event","payload":{"website":"s_1","hostname":"one.example","url":"/pricing","referrer":"/","title":"Pricing","language":"en-GB","screen":"1920x1080","tag":"b","id":"jane","timestamp":1772366400}}`,
			[]event.Input{{Site: "s_1", Type: "view", URL: "https://one.example/pricing", Referrer: "https://one.example/", Title: "Pricing", Language: "en-GB", Screen: "1920x1080", Tag: "b", Timestamp: "2026-03-01T12:00:00Z", Props: map[string]jsontext.Value{"tag": raw(`"b"`)}}}, false,
		},
		"Umami, event with money": {
			wire.Umami, `{"type":"event","payload":{"website":"s_1","url":"https://one.example/","name":"Order","data":{"revenue":19.990000000000002,"currency":"EUR","n":true}}}`,
			[]event.Input{{Site: "s_1", Type: "conversion", Name: "Order", URL: "https://one.example/", Props: map[string]jsontext.Value{"n": raw(`true`)}, Value: &event.Value{Amount: raw(`19.990000000000002`), Currency: "EUR"}}}, false,
		},
		"Umami, identify, subjects accepted": {
			wire.Umami, `{"type":"identify","payload":{"website":"s_1","hostname":"one.example","url":"https://one.example/","id":"jane","data":{"plan":"pro"}}}`,
			[]event.Input{{Site: "s_1", Type: "conversion", Name: "identify", Passive: true, URL: "https://one.example/", Subject: "jane", Props: map[string]jsontext.Value{"plan": raw(`"pro"`)}}}, true,
		},
		"Umami, performance": {
			wire.UmamiBatch, `[{"type":"performance","payload":{"website":"s_1","url":"https://one.example/","lcp":120.5,"cls":0.01,"duration":900}}]`,
			[]event.Input{{Site: "s_1", Type: "conversion", Name: "performance", Passive: true, URL: "https://one.example/", Props: map[string]jsontext.Value{"lcp": raw(`120.5`), "cls": raw(`0.01`), "duration": raw(`900`)}}}, false,
		},
		"Segment, track": {
			segment("track"), `{"writeKey":"s_1","anonymousId":"a","userId":"jane","event":"Order Completed","properties":{"revenue":12.5,"plan":"pro","products":[{}]},"context":{"locale":"en_US","screen":{"width":1920,"height":1080.5},"page":{"url":"https://one.example/cart"}},"timestamp":"2026-03-01T11:59:00.000Z"}`,
			[]event.Input{{Site: "s_1", Type: "conversion", Name: "Order Completed", URL: "https://one.example/cart", Language: "en-US", Screen: "1920x1080", Timestamp: "2026-03-01T11:59:00Z", Props: map[string]jsontext.Value{"plan": raw(`"pro"`), "products": raw(`[{}]`)}, Value: &event.Value{Amount: raw(`12.5`), Currency: "USD"}}}, false,
		},
		"Segment, page properties before context": {
			segment("page"), `{"writeKey":"s_1","name":"Home","properties":{"url":"https://one.example/","path":"/","title":"Home page","referrer":"https://x.example/"},"context":{"page":{"url":"https://old.example/"}}}`,
			[]event.Input{{Site: "s_1", Type: "view", URL: "https://one.example/", Referrer: "https://x.example/", Title: "Home page", Props: map[string]jsontext.Value{"name": raw(`"Home"`)}}}, false,
		},
		"Segment, clock an hour ahead": {
			wire.SegmentBatch, `{"writeKey":"s_1","sentAt":"2026-03-01T13:00:00Z","batch":[{"type":"track","event":"A","originalTimestamp":"2026-03-01T12:59:30Z"}]}`,
			[]event.Input{{Site: "s_1", Type: "conversion", Name: "A", Timestamp: "2026-03-01T12:59:30Z", SentAt: arrived.Add(time.Hour)}}, false,
		},
		"Segment, correct clock": {
			wire.SegmentBatch, `{"writeKey":"s_1","sentAt":"2026-03-01T11:59:58Z","batch":[{"type":"track","event":"A","timestamp":"2026-03-01T11:59:30.5Z"}]}`,
			[]event.Input{{Site: "s_1", Type: "conversion", Name: "A", Timestamp: "2026-03-01T11:59:30.5Z", SentAt: arrived.Add(-2 * time.Second)}}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := test.read(wire.Request{Body: []byte(test.body), Arrived: arrived, Subjects: test.subjects})
			if err != nil {
				t.Fatal(err)
			}
			var got []event.Input
			for _, e := range b.Events {
				if e.Err != nil {
					t.Fatal(e.Err)
				}
				got = append(got, e.Input)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorField(t *testing.T) {
	t.Parallel()
	const basic = `"website":"s_1","hostname":"one.example","url":"/"`
	for name, test := range map[string]struct {
		read        format
		body        string
		field, code string
	}{
		"Plausible, empty":             {wire.Plausible, ``, "", validation.CodeMalformed},
		"Plausible, array":             {wire.Plausible, `[]`, "", validation.CodeWrongType},
		"Plausible, no name":           {wire.Plausible, `{"u":"https://one.example/"}`, "name", validation.CodeRequired},
		"Plausible, no site":           {wire.Plausible, `{"n":"pageview"}`, "domain", validation.CodeRequired},
		"Plausible, too long":          {wire.Plausible, `{"n":"` + strings.Repeat("x", event.MaxEvent) + `"}`, "", validation.CodeTooLong},
		"Plausible, too many sites":    {wire.Plausible, `{"n":"a","d":"` + manySites(21) + `"}`, "domain", validation.CodeTooMany},
		"Umami, no type":               {wire.Umami, `{"payload":{` + basic + `}}`, "type", validation.CodeWrongValue},
		"Umami, list":                  {wire.Umami, `[]`, "", validation.CodeRequired},
		"Umami, object for a batch":    {wire.UmamiBatch, `{}`, "", validation.CodeWrongType},
		"Plausible, object for a site": {wire.Plausible, `{"n":"pageview","d":{}}`, "domain", validation.CodeRequired},
		"Umami, type is no text":       {wire.Umami, `{"type":{},"payload":{` + basic + `}}`, "type", validation.CodeWrongValue},
		"Umami, path without a host":   {wire.Umami, `{"type":"event","payload":{"website":"s_1","url":"/"}}`, "payload.hostname", validation.CodeRequired},
		"Segment, empty batch":         {wire.SegmentBatch, `{"batch":[]}`, "batch", validation.CodeRequired},
		"Segment, unknown type":        {wire.SegmentBatch, `{"batch":[{"type":"x"}]}`, "type", validation.CodeWrongValue},
		"Segment, too many":            {wire.SegmentBatch, `{"batch":[` + strings.Repeat("1,", event.MaxBatch) + `1]}`, "batch", validation.CodeTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := test.read(wire.Request{Body: []byte(test.body), Arrived: arrived})
			if err == nil {
				err = b.Events[0].Err
			}
			bad, ok := err.(*validation.Error) //nolint:errorlint // the error is documented to be unwrapped
			if !ok || bad.Field != test.field || bad.Code != test.code {
				t.Errorf("%v; want field %q, code %s", err, test.field, test.code)
			}
		})
	}
}

// TestOmitted checks which fields are omitted from an event because they make no sense, under the
// names that the tracker has for them.
func TestOmitted(t *testing.T) {
	t.Parallel()
	const basic = `"website":"s_1","hostname":"one.example","url":"/"`
	for name, test := range map[string]struct {
		read format
		body string
		want []string
	}{
		"Plausible, objects":          {wire.Plausible, `{"n":"a","d":"x","r":{},"p":[1],"$":"money"}`, []string{"referrer", "props", "revenue"}},
		"Plausible, empty engagement": {wire.Plausible, `{"n":"engagement","d":"x","sd":null,"e":0}`, nil},
		"Umami, no payload":           {wire.Umami, `{"type":"event","payload":[]}`, []string{"payload"}},
		"Umami, address with a port":  {wire.Umami, `{"type":"event","payload":{` + basic + `,"ip":"1.2.3.4:5"}}`, []string{"payload.ip"}},
		"Umami, date for a timestamp": {wire.Umami, `{"type":"event","payload":{` + basic + `,"timestamp":"today"}}`, []string{"payload.timestamp"}},
		"Umami, texts that are none":  {wire.Umami, `{"type":"event","payload":{` + basic + `,"title":{},"data":7,"website":7}}`, []string{"payload.title", "payload.data"}},
		"Segment, no event":           {segment("track"), `{"writeKey":"s_1"}`, []string{"event"}},
		"Segment, invalid date":       {segment("track"), `{"event":"A","timestamp":"yesterday"}`, []string{"timestamp"}},
		"Segment, invalid address":    {segment("track"), `{"event":"A","context":{"ip":"home"}}`, []string{"context.ip"}},
		"Segment, wrong types":        {segment("page"), `{"context":[],"properties":7,"messageId":{},"timestamp":[]}`, []string{"context", "properties", "timestamp", "messageId"}},
		"Segment, wrong types inside": {segment("page"), `{"context":{"page":1,"screen":"big","locale":{}}}`, []string{"context.page", "context.screen", "context.locale"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := test.read(wire.Request{Body: []byte(test.body), Arrived: arrived})
			if err != nil || b.Events[0].Err != nil {
				t.Fatal(err, b.Events)
			}
			var got []string
			for _, flaw := range b.Events[0].Input.Flaws {
				got = append(got, flaw.Field)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestUmamiAddress checks how an address without a host becomes one with it.
func TestUmamiAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"/100%": "https://one.example/100%", "/%E0%A4%A": "https://one.example/%E0%A4%A", "pricing": "https://one.example/pricing", "?a=b": "https://one.example/?a=b",
		"/a:b": "https://one.example/a:b", "//two.example/a": "https://two.example/a", "https://two.example/100%": "https://two.example/100%", "app://localhost/a": "app://localhost/a",
	} {
		b, err := wire.Umami(wire.Request{Body: []byte(`{"type":"event","payload":{"website":"s_1","hostname":"one.example","url":"` + address + `","referrer":"` + address + `"}}`)})
		if err != nil || b.Events[0].Err != nil {
			t.Fatal(err, b.Events)
		}
		if in := b.Events[0].Input; in.URL != want || in.Referrer != want {
			t.Errorf("%s: got %s and %s, want %s", address, in.URL, in.Referrer, want)
		}
	}
}

func TestBatchName(t *testing.T) {
	t.Parallel()
	b, err := wire.Plausible(wire.Request{Body: []byte(`{"n":"a","d":"one.example"}`)})
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"site": "domain", "value.amount": "revenue.amount", "props.plan": "props.plan", "url": "url"} {
		if got := b.Name(&validation.Error{Field: field}).Field; got != want {
			t.Errorf("Name(%s) = %s, want %s", field, got, want)
		}
	}
}

func TestSegmentClient(t *testing.T) {
	t.Parallel()
	header := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("s_1:"))}}
	b, err := wire.SegmentBatch(wire.Request{Header: header, Arrived: arrived, Body: []byte(
		`{"batch":[{"type":"track","event":"A","context":{"ip":"::ffff:203.0.113.7","userAgent":"Firefox"}},{"type":"identify"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	e := b.Events[0]
	if e.Address != netip.MustParseAddr("203.0.113.7") || e.UserAgent != "Firefox" || e.Input.Site != "s_1" {
		t.Errorf("got %+v", e)
	}
	if b.Events[1].Ignored != wire.Unsupported {
		t.Errorf("identify: got %+v, want it ignored", b.Events[1])
	}
}

// manySites returns the names of n sites, separated by commas.
func manySites(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("site%d.example", i)
	}
	return strings.Join(names, ",")
}

// TestRepeatedSites checks that each name of a site in an event of Plausible's form has one event.
func TestRepeatedSites(t *testing.T) {
	t.Parallel()
	b, err := wire.Plausible(wire.Request{Body: []byte(`{"n":"a","d":"one.example,www.one.example, ONE.example ,two.example,` + strings.Repeat("one.example,", 1000) + `one.example"}`)})
	var got []string
	for _, e := range b.Events {
		got = append(got, e.Input.Site)
	}
	if diff := cmp.Diff([]string{"one.example", "www.one.example", "two.example"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if b, err := wire.Plausible(wire.Request{Body: []byte(`{"n":"a","d":"` + manySites(20) + `"}`)}); err != nil || len(b.Events) != 20 {
		t.Errorf("20 sites: %d events, %v", len(b.Events), err)
	}
}

func TestMessageUUID(t *testing.T) {
	t.Parallel()
	id := wire.MessageUUID("node-next-1-a", arrived)
	if id != wire.MessageUUID("node-next-1-a", arrived) || id == wire.MessageUUID("node-next-1-b", arrived) {
		t.Error("the id does not depend on the message id alone")
	}
	sec, _ := id.Time().UnixTime()
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 || sec != arrived.Unix() {
		t.Errorf("%s is not a UUIDv7 of %s", id, arrived)
	}
}

func TestPixel(t *testing.T) {
	t.Parallel()
	b, err := wire.Pixel(wire.Request{
		Query: url.Values{"site": {"one.example"}, "name": {"Opened"}}, Header: http.Header{"Referer": {"https://one.example/a"}},
	})
	want := event.Input{Site: "one.example", Type: "conversion", Name: "Opened", URL: "https://one.example/a"}
	if diff := cmp.Diff(want, b.Events[0].Input); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestSentAt reads the time of sending, which is left out and told if it is wrong.
func TestSentAt(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"":                    true,
		"1772366400000":       true,
		"-1":                  false,
		"2026-03-01":          false,
		"253402300800000":     false,
		"9223372036854775808": false,
	} {
		query := url.Values{"sent_at": {text}}
		for name, read := range map[string]format{"native": wire.Native, "pixel": wire.Pixel} {
			b, err := read(wire.Request{Query: query, Header: http.Header{}, Body: []byte(`[{"site":"one.example"}]`)})
			if err != nil {
				t.Fatal(err)
			}
			in := b.Events[0].Input
			if told := len(in.Flaws) > 0; told == ok || in.SentAt.IsZero() != (!ok || text == "") {
				t.Errorf("%s, %q: got %s, %v", name, text, in.SentAt, in.Flaws)
			}
		}
	}
}
