package event_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id is a UUIDv7 of 2026-03-01T11:59:00Z.
const id = "019ca944-1fa0-7c3a-9f00-3d2b1a0c9e88"

func validate(t *testing.T, body string) (event.Valid, error) {
	t.Helper()
	in, err := event.Decode([]byte(body))
	if err != nil {
		return event.Valid{}, err
	}
	return in.Validate(now)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	got, err := validate(t, `{
		"id": "`+id+`", "site": "Example.com", "type": "conversion", "name": "Signup",
		"url": "https://example.com/pricing?utm_source=x", "referrer": "https://google.com/",
		"timestamp": "2026-03-01T12:30:00.1234+01:00", "title": "Prices", "tag": "b", "language": "en-GB", "screen": "1920x1080",
		"props": {"plan": "pro", "seats": 5, "trial": true}, "value": {"amount": 12.5, "currency": "EUR"},
		"subject": "user-1", "funnel": {"id": "buy", "step": 2}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Valid{
		URL: "https://example.com/pricing?utm_source=x", Referrer: "https://google.com/", Subject: "user-1",
		Event: event.Event{
			ID: uuid.MustParse(id), Type: event.Conversion, Name: "Signup", Title: "Prices", Tag: "b",
			Time:   time.Date(2026, 3, 1, 11, 30, 0, 123e6, time.UTC),
			Props:  map[string]string{"plan": "pro", "seats": "5", "trial": "true"},
			Amount: "12.5", Currency: "EUR", Funnel: "buy", Step: 2,
			Attributes: event.Attributes{Language: "en-GB", Screen: "1920x1080"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEngagement(t *testing.T) {
	t.Parallel()
	for _, engaged := range []int32{1, event.MaxEngaged} {
		got, err := validate(t, fmt.Sprintf(`{"site":"a","type":"engagement","url":"https://a/","engaged":%d}`, engaged))
		if err != nil || got.Event.Type != event.Engagement || got.Event.Engaged != engaged {
			t.Errorf("%d ms: got %+v, %v", engaged, got.Event, err)
		}
	}
	for fields, want := range map[string][2]int{`"engaged":7,"scroll":100`: {7, 100}, `"engaged":7,"scroll":0`: {7, 0}, `"scroll":3`: {0, 3}, `"engaged":0,"scroll":0`: {0, 0}} {
		got, err := validate(t, `{"site":"a","type":"engagement","url":"https://a/",`+fields+`}`)
		if err != nil || [2]int{int(got.Event.Engaged), int(got.Event.Scroll)} != want {
			t.Errorf("%s: got %+v, %v", fields, got.Event, err)
		}
	}
}

func TestPassive(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]bool{``: false, `,"passive":false`: false, `,"passive":true`: true} {
		if got, err := validate(t, `{"site":"a","type":"click"`+fields+`}`); err != nil || got.Event.Passive != want {
			t.Errorf("with %q: %+v, %v", fields, got.Event, err)
		}
	}
}

func TestReadAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int64{
		"0": {0, 0}, "-0": {0, 0}, "12": {12, 0}, "12.5": {12, 5000}, "-12.5": {-12, -5000}, "-0.0001": {0, -1},
		"007.10": {7, 1000}, "999999999999.9999": {999_999_999_999, 9999},
	} {
		if units, parts, ok := event.ReadAmount(text); !ok || [2]int64{units, parts} != want {
			t.Errorf("ReadAmount(%s) = %d, %d, %t", text, units, parts, ok)
		}
	}
	for _, text := range []string{"", "-", ".", ".5", "5.", "+1", "--1", "1,5", "1e3", "0x1", "1 ", "1_0", "NaN", "1000000000000", "1.00000", "1.2.3", "١"} {
		if units, parts, ok := event.ReadAmount(text); ok {
			t.Errorf("ReadAmount(%q) = %d, %d; want it rejected", text, units, parts)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fields string
		want   string
		skewed bool
	}{
		"arrival by default":                {``, "12:00:00", false},
		"time in the id, stable in a retry": {`,"id":"` + id + `"`, "11:59:00", false},
		"timestamp before id":               {`,"id":"` + id + `","timestamp":"2026-03-01T11:00:00Z"`, "11:00:00", false},
		"old id, from a wrong clock":        {`,"id":"019ca000-0000-7c3a-9f00-3d2b1a0c9e88"`, "12:00:00", true},
		"clock slightly ahead":              {`,"timestamp":"2026-03-01T12:04:59Z"`, "12:04:59", false},
		"clock far ahead":                   {`,"timestamp":"2026-03-01T12:05:01Z"`, "12:00:00", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := validate(t, `{"site":"a","type":"click"`+test.fields+`}`)
			if err != nil {
				t.Fatal(err)
			}
			if clock := got.Event.Time.Format(time.TimeOnly); clock != test.want || got.Skewed != test.skewed {
				t.Errorf("time %s, skewed %t; want %s, %t", clock, got.Skewed, test.want, test.skewed)
			}
		})
	}
}

func TestInvalidFields(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, field, code string }{
		"unknown field":             {`{"site":"a","type":"click","colour":"red"}`, "colour", "unknown_field"},
		"unknown field inside":      {`{"site":"a","type":"click","value":{"amount":1,"currency":"EUR","tax":1}}`, "value.tax", "unknown_field"},
		"wrong type":                {`{"site":5,"type":"click"}`, "site", "wrong_type"},
		"wrong type inside":         {`{"site":"a","type":"click","funnel":{"id":"x","step":"one"}}`, "funnel.step", "wrong_type"},
		"null for a string":         {`{"site":"a","type":"click","props":{"a":null}}`, "props.a", "wrong_type"},
		"not an object":             {`"hello"`, "", "wrong_type"},
		"repeated field":            {`{"site":"a","site":"b","type":"click"}`, "site", "malformed"},
		"invalid JSON":              {`{"site":"a",`, "", "malformed"},
		"invalid UTF-8":             {"{\"site\":\"a\xff\",\"type\":\"click\"}", "site", "malformed"},
		"no site":                   {`{"type":"click"}`, "site", "required"},
		"no type":                   {`{"site":"a"}`, "type", "required"},
		"unknown type":              {`{"site":"a","type":"purchase"}`, "type", "wrong_value"},
		"view without a page":       {`{"site":"a","type":"view"}`, "url", "required"},
		"long name":                 {`{"site":"a","type":"click","name":"` + strings.Repeat("n", 121) + `"}`, "name", "too_long"},
		"long tag":                  {`{"site":"a","type":"click","tag":"` + strings.Repeat("t", 121) + `"}`, "tag", "too_long"},
		"tag as a number":           {`{"site":"a","type":"click","tag":1}`, "tag", "wrong_type"},
		"NUL":                       {`{"site":"a","type":"click","name":"a\u0000b"}`, "name", "wrong_value"},
		"id of another version":     {`{"site":"a","type":"click","id":"6ba7b810-9dad-41d1-80b4-00c04fd430c8"}`, "id", "wrong_value"},
		"id in braces":              {`{"site":"a","type":"click","id":"{` + id + `}"}`, "id", "wrong_value"},
		"date without a zone":       {`{"site":"a","type":"click","timestamp":"2026-03-01 12:00:00"}`, "timestamp", "wrong_value"},
		"screen":                    {`{"site":"a","type":"click","screen":"big"}`, "screen", "wrong_value"},
		"language":                  {`{"site":"a","type":"click","language":"en_GB"}`, "language", "wrong_value"},
		"property of a property":    {`{"site":"a","type":"click","props":{"a":{"b":1}}}`, "props.a", "wrong_type"},
		"long property":             {`{"site":"a","type":"click","props":{"a":"` + strings.Repeat("v", 1001) + `"}}`, "props.a", "too_long"},
		"empty key":                 {`{"site":"a","type":"click","props":{"":"x"}}`, "props.", "too_long"},
		"amount with a comma":       {`{"site":"a","type":"click","value":{"amount":"1,5","currency":"EUR"}}`, "value.amount", "wrong_value"},
		"amount with an exponent":   {`{"site":"a","type":"click","value":{"amount":1e9,"currency":"EUR"}}`, "value.amount", "wrong_value"},
		"no amount":                 {`{"site":"a","type":"click","value":{"currency":"EUR"}}`, "value.amount", "required"},
		"currency":                  {`{"site":"a","type":"click","value":{"amount":1,"currency":"euro"}}`, "value.currency", "wrong_value"},
		"step without a funnel":     {`{"site":"a","type":"funnel_step"}`, "funnel", "required"},
		"step zero":                 {`{"site":"a","type":"funnel_step","funnel":{"id":"x","step":0}}`, "funnel.step", "out_of_range"},
		"event too large":           {`{"site":"a","type":"click","title":"` + strings.Repeat("t", event.MaxEvent) + `"}`, "", "too_long"},
		"engaged in a view":         {`{"site":"a","type":"view","url":"https://a/","engaged":0}`, "engaged", "wrong_value"},
		"no engaged time":           {`{"site":"a","type":"engagement","url":"https://a/"}`, "engaged", "required"},
		"engaged for zero time":     {`{"site":"a","type":"engagement","url":"https://a/","engaged":0}`, "engaged", "out_of_range"},
		"scroll over 100":           {`{"site":"a","type":"engagement","url":"https://a/","scroll":101}`, "scroll", "out_of_range"},
		"scroll in a view":          {`{"site":"a","type":"view","url":"https://a/","scroll":1}`, "scroll", "wrong_value"},
		"fractional scroll":         {`{"site":"a","type":"engagement","url":"https://a/","scroll":0.5}`, "scroll", "wrong_type"},
		"passive as a string":       {`{"site":"a","type":"click","passive":"yes"}`, "passive", "wrong_type"},
		"consent as a number":       {`{"site":"a","type":"click","consent":1}`, "consent", "wrong_type"},
		"engaged for over a day":    {`{"site":"a","type":"engagement","url":"https://a/","engaged":86400001}`, "engaged", "out_of_range"},
		"engaged overflow":          {`{"site":"a","type":"engagement","url":"https://a/","engaged":1e300}`, "engaged", "wrong_type"},
		"fractional engaged":        {`{"site":"a","type":"engagement","url":"https://a/","engaged":1.5}`, "engaged", "wrong_type"},
		"engaged as a string":       {`{"site":"a","type":"engagement","url":"https://a/","engaged":"1"}`, "engaged", "wrong_type"},
		"engagement without a page": {`{"site":"a","type":"engagement","engaged":1}`, "url", "required"},
		"engagement with a value":   {`{"site":"a","type":"engagement","url":"https://a/","engaged":1,"value":{"amount":1,"currency":"EUR"}}`, "value", "wrong_value"},
		"engagement with a funnel":  {`{"site":"a","type":"engagement","url":"https://a/","engaged":1,"funnel":{"id":"x","step":1}}`, "funnel", "wrong_value"},
		"too many properties":       {`{"site":"a","type":"click","props":` + manyProps(31) + `}`, "props", "too_many"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := validate(t, test.body)
			var got *validation.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a validation error", err)
			}
			if got.Field != test.field || got.Code != test.code {
				t.Errorf("field %q, code %q (%s); want %q, %q", got.Field, got.Code, got.Detail, test.field, test.code)
			}
		})
	}
}

func manyProps(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestErrorsWithoutValues(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"site":"a","type":"click","subject":"` + strings.Repeat("jane@example.com", 20) + `"}`,
		`{"site":"a","type":"click","props":{"plan":["jane@example.com"]}}`,
		`{"site":"a","type":"jane@example.com"}`,
		`{"site":"a","type":"click","timestamp":"jane@example.com"}`,
	} {
		_, err := validate(t, body)
		if err == nil || strings.Contains(err.Error(), "jane") {
			t.Errorf("%s: got error %v; want one that does not contain the value", body, err)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body  string
		want  []string
		array bool
		code  string
	}{
		"one event":        {` {"a":1} `, []string{`{"a":1}`}, false, ""},
		"array":            {`[{"a":1}, 5, "x"]`, []string{`{"a":1}`, `5`, `"x"`}, true, ""},
		"empty":            {``, nil, false, "required"},
		"empty array":      {`[]`, nil, true, "required"},
		"string":           {`"x"`, nil, false, "wrong_type"},
		"not JSON":         {`a=1`, nil, false, "malformed"},
		"truncated object": {`{"a":`, nil, false, "malformed"},
		"truncated array":  {`[{"a":1},`, nil, true, "malformed"},
		"trailing data":    {`{"a":1}{"b":2}`, nil, false, "malformed"},
		"too many":         {`[` + strings.Repeat(`1,`, event.MaxBatch) + `1]`, nil, true, "too_many"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values, array, err := event.Split([]byte(test.body))
			var code string
			var bad *validation.Error
			if errors.As(err, &bad) {
				code = bad.Code
			}
			if code != test.code || array != test.array {
				t.Fatalf("array %t, error %v; want %t, code %q", array, err, test.array, test.code)
			}
			if err != nil {
				return
			}
			var got []string
			for _, v := range values {
				got = append(got, string(v))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"site":"a","type":"view","url":"https://a/","props":{"x":1},"value":{"amount":"1.5","currency":"EUR"}}`))
	f.Add([]byte(`[{"site":"a"},{}]`))
	f.Add([]byte(`{"site":"a","type":"funnel_step","funnel":{"id":"x","step":1e3}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		values, _, err := event.Split(body)
		if err != nil {
			return
		}
		for _, value := range values {
			in, err := event.Decode(value)
			if err != nil {
				continue
			}
			valid, err := in.Validate(now)
			if err != nil {
				continue
			}
			if valid.Event.Time.After(now.Add(event.ClockSkew)) || valid.Event.Type < event.View || valid.Event.Type > event.Engagement {
				t.Fatalf("an impossible event was accepted: %+v", valid)
			}
		}
	})
}
