package strictjson_test

import (
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
)

type document struct {
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Inner inner    `json:"inner"`
	Many  []inner  `json:"many"`
}

type inner struct {
	Count *int `json:"count"`
	Open  bool `json:"open"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var d document
	if err := strictjson.Decode([]byte(` {"name":"a","tags":["b"],"inner":{"count":3,"open":true}} `), &d); err != nil {
		t.Fatal(err)
	}
	if d.Name != "a" || d.Tags[0] != "b" || *d.Inner.Count != 3 || !d.Inner.Open {
		t.Errorf("decoded %+v", d)
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	longName := strings.Repeat("n", 200)
	for name, test := range map[string]struct{ body, want string }{
		"empty body":                {``, `the body is empty: send a JSON object`},
		"array":                     {`[]`, `the body must be a JSON object`},
		"body cut short":            {`{"name":"a"`, `the body is not valid JSON at byte 11`},
		"text after the object":     {`{"name":"a"}x`, `the body is not valid JSON at byte 12`},
		"wrong type":                {`{"name":1}`, `name: must be a string, not a number`},
		"wrong type in an array":    {`{"tags":["a",{}]}`, `tags.1: must be a string, not an object`},
		"array for an object":       {`{"inner":[]}`, `inner: must be an object, not an array`},
		"fraction":                  {`{"inner":{"count":1.5}}`, `inner.count: must be a whole number, not one with a fraction or too many digits`},
		"string for a boolean":      {`{"inner":{"open":"yes"}}`, `inner.open: must be true or false, not a string`},
		"unknown name in an object": {`{"inner":{"shut":1}}`, `inner.shut: is not a known field; known are count, open`},
		"unknown name in an array":  {`{"many":[{},{"shut":1}]}`, `many.1.shut: is not a known field; known are count, open`},
		"unknown name":              {`{"secret":"x","name":"a"}`, `secret: is not a known field; known are name, tags, inner, many`},
		"name that appears twice":   {`{"name":"a","name":"b"}`, `name: appears twice`},
		"long unknown name":         {`{"` + longName + `":true}`, longName[:100] + `...: is not a known field; known are name, tags, inner, many`},
		"invalid UTF-8":             {"{\"name\":\"\xff\"}", `name: the body is not valid JSON at byte 9`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := strictjson.Decode([]byte(test.body), new(document)); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
