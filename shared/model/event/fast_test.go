package event

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestDecodeFast checks that decodeFast accepts the events that trackers send.
func TestDecodeFast(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`,
		`{"id":"019ca944-1fa0-7c3a-9f00-3d2b1a0c9e88","site":"example.com","type":"view","name":"","url":"https://example.com/é","referrer":"","timestamp":"2026-03-01T12:30:00Z","title":"Prix & délais","language":"fr","screen":"1440x900","subject":"u","props":{"plan":"pro","seats":5,"share":-0.25,"trial":true,"paid":false},"consent":true,"passive":false}`,
		`{"scroll":-0,"engaged":-12}`,
		" {\r\n\t\"site\" : \"a\" , \"type\" : \"engagement\" , \"engaged\" : 15000 , \"scroll\" : 0 , \"props\" : { } } \n",
	} {
		in, ok := decodeFast([]byte(body))
		if !ok {
			t.Errorf("%s is left to decodeAny", body)
			continue
		}
		checkAny(t, in, body)
	}
}

// TestDecodeFastDeclines checks that decodeFast declines rare and invalid bodies.
func TestDecodeFastDeclines(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, ` `, `7`, `[]`, `{`, `{"`, `{"site"`, `{"site":`, `{"site":"a`, `{"site":"a"`, `{"site":"a",}`, `{,}`, `{"site" "a"}`, `{"site":"a"} x`, `{"site":"a"}{}`,
		`{"site":null}`, `{"site":7}`, `{"site":"a\u0062"}`, "{\"site\":\"a\nb\"}", "{\"site\":\"\xff\"}", `{"s\u0069te":"a"}`, `{"Site":"a"}`, `{"site":"a","site":"a"}`, `{"site":"","site":""}`, `{"unknown":1}`,
		`{"value":{"amount":1,"currency":"EUR"}}`, `{"funnel":{"id":"buy","step":1}}`,
		`{"consent":1}`, `{"consent":tru}`, `{"consent":"true"}`, `{"consent":truefalse}`,
		`{"scroll":01}`, `{"scroll":1.0}`, `{"scroll":1e2}`, `{"scroll":-}`, `{"scroll":99999999999999999999}`, `{"scroll":""}`, `{"scroll":.5}`, `{"scroll":+1}`,
		`{"props":null}`, `{"props":[]}`, `{"props":{"a":1,"a":1}}`, `{"props":{"a":null}}`, `{"props":{"a":{}}}`, `{"props":{"a":[1]}}`, `{"props":{"a":1e9}}`, `{"props":{"a":1.}}`, `{"props":{"a":}}`, `{"props":{"a":"\n"}}`, `{"props":{"a":1}`, `{"props":{"a":--1}}`,
	} {
		if in, ok := decodeFast([]byte(body)); ok {
			t.Errorf("%s is decoded as %+v", body, in)
		}
	}
}

// checkAny checks that decodeAny returns the same input.
func checkAny(t *testing.T, in Input, body string) {
	t.Helper()
	want, err := decodeAny([]byte(body))
	if err != nil || !reflect.DeepEqual(in, want) {
		t.Errorf("%q is read as %+v; decodeAny returns %+v, %v", body, in, want, err)
	}
}

// FuzzDecodeFast checks that decodeFast decodes nothing differently from decodeAny.
func FuzzDecodeFast(f *testing.F) {
	for _, seed := range []Input{{Site: "a", Type: "view", URL: "https://a/", Props: nil}, {Site: "a", Scroll: new(7), Engaged: new(0), Passive: true}} {
		body, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	for _, seed := range []string{`{"site":"a","props":{"a":"é","b":-1.5,"c":true}}`, ` {"title" : "\\" , "scroll" : 10 } `, `{"props":{"a":1,"a":2},"consent":false}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if in, ok := decodeFast([]byte(body)); ok {
			checkAny(t, in, body)
		}
	})
}
