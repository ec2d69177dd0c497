package loosejson_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/loosejson"
)

func TestValues(t *testing.T) {
	t.Parallel()
	type read struct {
		text    string
		isText  bool
		is      bool
		isBool  bool
		number  int64
		isWhole bool
	}
	for value, want := range map[string]read{
		`"a\ud83d"`: {"a\uFFFD", true, false, false, 0, false},
		"\"a\xff\"": {"a\uFFFD", true, false, false, 0, false},
		`"true"`:    {"true", true, true, true, 0, false},
		`true`:      {"true", true, true, true, 0, false},
		`false`:     {"false", true, false, true, 0, false},
		`12.7`:      {"12.7", true, false, false, 12, true},
		`" -12.7 "`: {" -12.7 ", true, false, false, -12, true},
		`1e99`:      {"1e99", true, false, false, 1e12, true},
		`"1e999"`:   {"1e999", true, false, false, 0, false},
		`"NaN"`:     {"NaN", true, false, false, 0, false},
		`"0x10"`:    {"0x10", true, false, false, 0, false},
		`""`:        {"", true, false, true, 0, false},
		`null`:      {"", true, false, true, 0, false},
		``:          {"", true, false, true, 0, false},
		`[1]`:       {"", false, false, false, 0, false},
		`{"a":"b"}`: {"", false, false, false, 0, false},
	} {
		var raw jsontext.Value
		if value != "" {
			raw = jsontext.Value(value)
		}
		var got read
		got.text, got.isText = loosejson.Text(raw)
		got.is, got.isBool = loosejson.Bool(raw)
		got.number, got.isWhole = loosejson.Integer(raw)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", value, got, want)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`{"a":1,"a":2}`: "2", `"{\"a\":3}"`: "3", `{}`: "", `null`: ""} {
		members, ok := loosejson.Object(jsontext.Value(value))
		if !ok || string(members["a"]) != want {
			t.Errorf("%s: got %s, %t", value, members, ok)
		}
	}
	for _, value := range []string{`[]`, `7`, `"x"`, `"[]"`, `true`} {
		if members, ok := loosejson.Object(jsontext.Value(value)); ok {
			t.Errorf("%s: got %s", value, members)
		}
	}
}

func TestStruct(t *testing.T) {
	t.Parallel()
	var into struct {
		A, B, C, D loosejson.Struct[struct {
			X jsontext.Value `json:"x"`
		}]
	}
	if err := loosejson.Unmarshal([]byte(`{"A":{"x":1},"B":[{"x":1}],"C":null,"E":{}}`), &into); err != nil {
		t.Fatal(err)
	}
	if !into.A.OK || string(into.A.Value.X) != "1" || into.B.OK || !into.B.Wrong || into.C.OK || into.C.Wrong || into.D.OK || into.D.Wrong {
		t.Errorf("got %+v", into)
	}
}
