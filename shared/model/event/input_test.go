package event_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(event.Valid{})); diff != "" {
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

// TestRefused checks that only the site, the type and the address can refuse an event.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, field, code string }{
		"not an object":      {`"hello"`, "", "wrong_type"},
		"invalid JSON":       {`{"site":"a",`, "", "malformed"},
		"JSON and more":      {`{"site":"a","type":"click"} x`, "", "malformed"},
		"no site":            {`{"type":"click"}`, "site", "required"},
		"no name for a site": {`{"site":{},"type":"click"}`, "site", "required"},
		"no type":            {`{"site":"a"}`, "type", "required"},
		"unknown type":       {`{"site":"a","type":"purchase"}`, "type", "wrong_value"},
		"view of nothing":    {`{"site":"a","type":"view"}`, "url", "required"},
		"engagement nowhere": {`{"site":"a","type":"engagement","engaged":1}`, "url", "required"},
		"event too large":    {`{"site":"a","type":"click","title":"` + strings.Repeat("t", event.MaxEvent) + `"}`, "", "too_long"},
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

// TestFlaws checks what is stored of invalid fields, and which of them are listed as flaws.
func TestFlaws(t *testing.T) {
	t.Parallel()
	const view, engagement = `"type":"view","url":"https://a/",`, `"type":"engagement","url":"https://a/",`
	for name, test := range map[string]struct {
		body  string
		want  func(*event.Event) any
		value any
		flaws []string // fields, those that are shortened with a star
	}{
		"unknown field":            {`"colour":"red"`, nil, nil, []string{"colour"}},
		"unknown field inside":     {`"value":{"amount":1,"currency":"EUR","tax":1}`, amount, "1 EUR", []string{"value.tax"}},
		"number for a text":        {`"name":404`, nameOf, "404", nil},
		"object for a text":        {`"name":{},"tag":["x"]`, nameOf, "", []string{"name", "tag"}},
		"null for a text":          {`"name":null`, nameOf, "", nil},
		"repeated field":           {`"name":"a","name":"b"`, nameOf, "b", nil},
		"lone surrogate":           {`"title":"a\ud83d b"`, title, "a\uFFFD b", nil},
		"invalid UTF-8":            {"\"title\":\"a\xff\"", title, "a\uFFFD", nil},
		"NUL":                      {`"title":"a\u0000b"`, title, "a\uFFFDb", nil},
		"long title":               {`"title":"` + strings.Repeat("é", 251) + `"`, title, strings.Repeat("é", 250), []string{"title*"}},
		"emoji at the limit":       {`"title":"` + strings.Repeat("x", 498) + `😀"`, title, strings.Repeat("x", 498), []string{"title*"}},
		"long name":                {`"name":"` + strings.Repeat("n", 121) + `"`, nameOf, strings.Repeat("n", 120), []string{"name*"}},
		"long tag":                 {`"tag":"` + strings.Repeat("t", 121) + `"`, func(e *event.Event) any { return e.Tag }, strings.Repeat("t", 120), []string{"tag*"}},
		"long address":             {view + `"url":"https://a/?` + strings.Repeat("x", 3000) + `"`, nil, nil, nil},
		"long subject":             {`"subject":"` + strings.Repeat("s", 257) + `"`, nil, nil, []string{"subject"}},
		"id of another version":    {`"id":"6ba7b810-9dad-41d1-80b4-00c04fd430c8"`, idOf, uuid.Nil, []string{"id"}},
		"id in braces":             {`"id":"{` + id + `}"`, idOf, uuid.Nil, []string{"id"}},
		"date without a zone":      {`"timestamp":"2026-03-01 12:00:00"`, func(e *event.Event) any { return e.Time }, now, []string{"timestamp"}},
		"screen":                   {`"screen":"big"`, func(e *event.Event) any { return e.Screen }, "", []string{"screen"}},
		"language":                 {`"language":"en_GB"`, func(e *event.Event) any { return e.Language }, "", []string{"language"}},
		"null property":            {`"props":{"plan":null,"a":1}`, props, "a=1", nil},
		"no properties":            {`"props":null`, props, "", nil},
		"text for properties":      {`"props":"{\"a\":1}"`, props, "a=1", nil},
		"list for properties":      {`"props":[1]`, props, "", []string{"props"}},
		"nested properties":        {`"props":{"user":{"plan":"pro","seats":{"used":3,"free":null}},"z":true}`, props, "user.plan=pro user.seats.used=3 z=true", nil},
		"deep properties":          {`"props":{"a":{"b":{"c":{"d":{"e":{"f":1}}}}},"g":1}`, props, "g=1", []string{"props.a.b.c.d.e"}},
		"list in properties":       {`"props":{"a":["x", 1, true]}`, props, `a=["x",1,true]`, nil},
		"objects in a list":        {`"props":{"a":[{"email":"x"}],"b":1}`, props, `b=1`, []string{"props.a"}},
		"lone surrogate in props":  {`"props":{"a":"\ude00"}`, props, "a=\uFFFD", nil},
		"long property":            {`"props":{"a":"` + strings.Repeat("日", 2000) + `"}`, props, "a=" + strings.Repeat("日", 2000), nil},
		"longer property":          {`"props":{"a":"` + strings.Repeat("v", 2001) + `"}`, props, "a=" + strings.Repeat("v", 2000), []string{"props.a*"}},
		"empty key":                {`"props":{"":"x","a":1}`, props, "a=1", []string{"props."}},
		"long key":                 {`"props":{"` + strings.Repeat("k", 301) + `":"x","a":1}`, props, "a=1", []string{"props." + strings.Repeat("k", 300)}},
		"too many properties":      {`"props":` + manyProps(31), func(e *event.Event) any { return len(e.Props) }, 30, []string{"props"}},
		"properties that grow":     {`"props":{"a":{` + strings.Repeat(`"x":1,`, 9) + `"b":"` + strings.Repeat("\xff", 2000) + `","c":"` + strings.Repeat("\xff", 2000) + `","d":"` + strings.Repeat("\xff", 2000) + `","e":"` + strings.Repeat("\xff", 2000) + `","f":"` + strings.Repeat("\xff", 2000) + `","g":"` + strings.Repeat("\xff", 2000) + `"}}`, func(e *event.Event) any { return len(e.Props) }, 6, []string{"props.a.g"}},
		"sum of JavaScript":        {`"value":{"amount":3.3000000000000003,"currency":"EUR"}`, amount, "3.30 EUR", nil},
		"lower case":               {`"value":{"amount":1,"currency":" eur"}`, amount, "1 EUR", nil},
		"amount with an exponent":  {`"value":{"amount":"1e3","currency":"EUR"}`, amount, "1000.00 EUR", nil},
		"amount of five decimals":  {`"value":{"amount":0.12346,"currency":"EUR"}`, amount, "0.1235 EUR", nil},
		"amount with a comma":      {`"value":{"amount":"1,5","currency":"EUR"}`, amount, " ", []string{"value.amount"}},
		"amount beyond all":        {`"value":{"amount":1e12,"currency":"EUR"}`, amount, " ", []string{"value.amount"}},
		"no amount":                {`"value":{"currency":"EUR"}`, amount, " ", []string{"value.amount"}},
		"amount alone":             {`"value":12`, amount, " ", []string{"value"}},
		"currency":                 {`"value":{"amount":1,"currency":"euro"}`, amount, " ", []string{"value.currency"}},
		"step without a funnel":    {`"type":"funnel_step"`, nil, nil, []string{"funnel"}},
		"step zero":                {`"type":"funnel_step","funnel":{"id":"x","step":0}`, step, "0", []string{"funnel.step"}},
		"step as a text":           {`"type":"funnel_step","funnel":{"id":"x","step":"2"}`, step, "x2", nil},
		"step in words":            {`"type":"funnel_step","funnel":{"id":"x","step":"two"}`, step, "0", []string{"funnel.step", "funnel.step"}},
		"engaged in a view":        {view + `"engaged":0`, engaged, "0 0", []string{"engaged"}},
		"scroll in a view":         {view + `"scroll":1`, engaged, "0 0", []string{"scroll"}},
		"nothing measured":         {engagement + `"name":""`, engaged, "0 0", []string{"engaged"}},
		"scroll over 100":          {engagement + `"scroll":101`, engaged, "0 100", []string{"scroll*"}},
		"negative scroll":          {engagement + `"scroll":-1`, engaged, "0 0", []string{"scroll"}},
		"fraction":                 {engagement + `"scroll":50.5,"engaged":"1.5"`, engaged, "1 50", nil},
		"engaged for over a day":   {engagement + `"engaged":1e300`, engaged, "86400000 0", []string{"engaged*"}},
		"engaged as a word":        {engagement + `"engaged":"long"`, engaged, "0 0", []string{"engaged", "engaged"}},
		"passive as a string":      {`"passive":"true"`, func(e *event.Event) any { return e.Passive }, true, nil},
		"passive as a word":        {`"passive":"yes"`, func(e *event.Event) any { return e.Passive }, false, []string{"passive"}},
		"consent as a number":      {`"consent":1`, nil, nil, []string{"consent"}},
		"engagement with a value":  {engagement + `"engaged":1,"value":{"amount":1,"currency":"EUR"}`, amount, " ", []string{"value"}},
		"engagement with a funnel": {engagement + `"engaged":1,"funnel":{"id":"x","step":1}`, step, "0", []string{"funnel"}},
		"many flaws":               {`"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1`, nil, nil, strings.Split("abcdefghij", "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := validate(t, `{"site":"a","type":"click",`+test.body+`}`)
			if err != nil {
				t.Fatal(err)
			}
			var flaws []string
			for _, f := range got.Flaws {
				if f.Cut {
					f.Field += "*"
				}
				flaws = append(flaws, f.Field)
			}
			if !slices.Equal(flaws, test.flaws) {
				t.Errorf("flaws %q, want %q", flaws, test.flaws)
			}
			if test.want != nil {
				if diff := cmp.Diff(test.value, test.want(&got.Event)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func nameOf(e *event.Event) any  { return e.Name }
func title(e *event.Event) any   { return e.Title }
func idOf(e *event.Event) any    { return e.ID }
func amount(e *event.Event) any  { return e.Amount + " " + e.Currency }
func step(e *event.Event) any    { return fmt.Sprint(e.Funnel, e.Step) }
func engaged(e *event.Event) any { return fmt.Sprint(e.Engaged, e.Scroll) }

func props(e *event.Event) any {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(e.Props)) {
		list = append(list, key+"="+e.Props[key])
	}
	return strings.Join(list, " ")
}

func manyProps(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// TestFlawsWithoutValues checks that flaws do not contain values.
func TestFlawsWithoutValues(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"site":"a","type":"click","subject":"` + strings.Repeat("jane@example.com", 20) + `"}`,
		`{"site":"a","type":"click","props":{"plan":[["jane@example.com"]]}}`,
		`{"site":"a","type":"jane@example.com"}`,
		`{"site":"a","type":"click","timestamp":"jane@example.com"}`,
	} {
		got, err := validate(t, body)
		if told := fmt.Sprint(err, got.Flaws); err == nil && len(got.Flaws) == 0 || strings.Contains(told, "jane") {
			t.Errorf("%s: told %s; want what is wrong, without the value", body, told)
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
			for _, text := range append(slices.Collect(maps.Values(valid.Event.Props)), valid.Event.Title, valid.Event.Name, valid.Event.Tag) {
				if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) > event.MaxValue {
					t.Fatalf("%q can't be stored", text)
				}
			}
			if valid.Event.Time.After(now.Add(event.ClockSkew)) || valid.Event.Type < event.View || valid.Event.Type > event.Engagement {
				t.Fatalf("an impossible event was accepted: %+v", valid)
			}
		}
	})
}
