package language

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// TestResolveBudget names stored definitions that are fine one by one, and too much together.
func TestResolveBudget(t *testing.T) {
	t.Parallel()
	segments := map[string]string{
		"patterns": `[["matches","event:page",["x{900}"]]]`,
		"itself":   `[["is","segment",["itself"]]]`,
		"values":   `[["is","event:page",["` + strings.Repeat("a", 15_000) + `"]]]`,
		"two":      `[["is","segment",["patterns","patterns"]]]`,
	}
	definitions := Definitions{
		Segment: func(name string) ([]byte, bool, error) { text, ok := segments[name]; return []byte(text), ok, nil },
		Funnel: func(name string) ([]byte, bool, error) {
			return []byte(`{"steps":[{"filters":[["matches","event:page",["x{900}"]]]},{"filters":[["is","segment",["` + name + `"]]]}]}`), true, nil
		},
	}
	const seven = `"site_id":"a","date_range":"7d"`
	for name, test := range map[string]struct {
		resolve func(Definitions) error
		field   string // "" if it fits
		says    string
	}{
		"two segments":   {numbers(t, `"filters":[["is","segment",["patterns","patterns"]]]`), "", ""},
		"three segments": {numbers(t, `"filters":[["is","segment",["patterns","patterns","patterns"]]]`), "filters.0.2.2", "names a segment that can't be used here: its filters.0.2.0 is too large"},
		"with its own":   {numbers(t, `"filters":[["matches","event:page",["y{900}"]],["is","segment",["two"]]]`), "filters.1.2.1", "2000 steps"},
		"itself":         {numbers(t, `"filters":[["is","segment",["itself"]]]`), "filters.0", "part of itself"},
		"many values":    {numbers(t, `"filters":[["is","segment",["`+strings.Repeat(`values","`, 18)+`values"]]]`), "filters.0.2.17", "262144 bytes"},
		"a funnel": {func(d Definitions) error {
			f, err := ParseFunnel([]byte(`{` + seven + `,"funnel":"patterns"}`))
			return errors.Join(err, f.Resolve(d))
		}, "", ""},
		"a funnel and more": {func(d Definitions) error {
			f, err := ParseFunnel([]byte(`{` + seven + `,"funnel":"patterns","filters":[["matches","event:page",["y{900}"]]]}`))
			return errors.Join(err, f.Resolve(d))
		}, "steps.1.filters.0.2.0", "2000 steps"},
		"cohorts": {func(d Definitions) error {
			c, err := ParseCohorts([]byte(`{` + seven + `,"kind":"return","first":[["is","segment",["two"]]],"again":[["is","segment",["patterns"]]]}`))
			return errors.Join(err, c.Resolve(d))
		}, "again.0.2.0", "2000 steps"},
		"journeys": {func(d Definitions) error {
			j, err := ParseJourneys([]byte(`{` + seven + `,"filters":[["is","segment",["two"]]],"from":[["is","segment",["patterns"]]]}`))
			return errors.Join(err, j.Resolve(d))
		}, "from.0.2.0", "2000 steps"},
	} {
		for range 2 { // a question may be answered again
			err := test.resolve(definitions)
			invalid, ok := errors.AsType[*validation.Error](err)
			if test.field == "" && err != nil || test.field != "" && (!ok || invalid.Field != test.field || !strings.Contains(invalid.Detail, test.says)) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

func numbers(t *testing.T, filters string) func(Definitions) error {
	t.Helper()
	return func(d Definitions) error {
		q, err := Parse([]byte(`{"site_id":"a","date_range":"7d","metrics":["visitors"],` + filters + `}`))
		return errors.Join(err, q.Resolve(d))
	}
}

func TestSiteOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ site, says string }{
		`{"site_id":"example.com"}`:                                   {"example.com", ""},
		`{"filters":[["matches",7,{"a":[]}]],"x":{},"site_id":"s_1"}`: {"s_1", ""},
		`{"metrics":[]}`:                {"", "say which site"},
		`{"site_id":7}`:                 {"", "a string, not a number"},
		`{"site_id":"a","site_id":"b"}`: {"", "twice"},
		`{"site_id":"a"`:                {"", "JSON"},
		``:                              {"", "empty"},
		`[]`:                            {"", "a JSON object"},
		strings.Repeat("[", 20_000):     {"", "JSON"},
	} {
		site, err := SiteOf([]byte(text))
		if site != want.site || (err == nil) != (want.says == "") || !strings.Contains(fmt.Sprint(err), want.says) {
			t.Errorf("%.50s: got %q, %v", text, site, err)
		}
	}
}
