package goal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ given, want goal.Goal }{
		"an event":              {goal.Goal{Name: " Sign-up ", Event: "signup"}, goal.Goal{Name: "Sign-up", Event: "signup"}},
		"an event with spaces":  {goal.Goal{Name: "a", Event: " 404 "}, goal.Goal{Name: "a", Event: " 404 "}},
		"revenue":               {goal.Goal{Name: "a", Event: "b", Currency: " eur"}, goal.Goal{Name: "a", Event: "b", Currency: "EUR"}},
		"a page":                {goal.Goal{Name: "a", Page: " /blog/** "}, goal.Goal{Name: "a", Page: "/blog/**"}},
		"a page with umlauts":   {goal.Goal{Name: "a", Page: "/Bücher und %2F"}, goal.Goal{Name: "a", Page: "/Bücher und %2F"}},
		"properties":            {goal.Goal{Name: "a", Page: "*", Props: map[string]string{"plan": "pro", "a": ""}}, goal.Goal{Name: "a", Page: "*", Props: map[string]string{"plan": "pro", "a": ""}}},
		"a name of 100 letters": {goal.Goal{Name: strings.Repeat("ü", 100), Event: "a"}, goal.Goal{Name: strings.Repeat("ü", 100), Event: "a"}},
	} {
		got, err := goal.Normalize(test.given)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for name, test := range map[string]struct {
		given goal.Goal
		field string
	}{
		"no name":                    {goal.Goal{Name: " ", Event: "a"}, "name"},
		"a name that is too long":    {goal.Goal{Name: strings.Repeat("a", 101), Event: "a"}, "name"},
		"a control character":        {goal.Goal{Name: "a\nb", Event: "a"}, "name"},
		"neither":                    {goal.Goal{Name: "a"}, "event"},
		"both":                       {goal.Goal{Name: "a", Event: "a", Page: "/"}, "page"},
		"too long an event":          {goal.Goal{Name: "a", Event: strings.Repeat("a", 121)}, "event"},
		"a NUL in an event":          {goal.Goal{Name: "a", Event: "a\x00"}, "event"},
		"an event that is not UTF-8": {goal.Goal{Name: "a", Event: "a\xff"}, "event"},
		"a URL for a page":           {goal.Goal{Name: "a", Page: "https://example.com/"}, "page"},
		"a page of too many stars":   {goal.Goal{Name: "a", Page: strings.Repeat("/*", 11)}, "page"},
		"a page that is too long":    {goal.Goal{Name: "a", Page: "/" + strings.Repeat("a", 300)}, "page"},
		"a NUL in a page":            {goal.Goal{Name: "a", Page: "/\x00"}, "page"},
		"four properties":            {goal.Goal{Name: "a", Event: "a", Props: map[string]string{"a": "", "b": "", "c": "", "d": ""}}, "props"},
		"a property without a key":   {goal.Goal{Name: "a", Event: "a", Props: map[string]string{"": "a"}}, "props"},
		"a value that is too long":   {goal.Goal{Name: "a", Event: "a", Props: map[string]string{"plan": strings.Repeat("a", 2001)}}, "props.plan"},
		"a currency sign":            {goal.Goal{Name: "a", Event: "a", Currency: "€"}, "currency"},
		"a currency of four letters": {goal.Goal{Name: "a", Event: "a", Currency: "EURO"}, "currency"},
		"a currency for page views":  {goal.Goal{Name: "a", Page: "/", Currency: "EUR"}, "currency"},
	} {
		_, err := goal.Normalize(test.given)
		if invalid, ok := errors.AsType[*validation.Error](err); !ok || invalid.Field != test.field || invalid.Detail == "" {
			t.Errorf("%s: got %v, want an error of the field %s", name, err, test.field)
		}
	}
}
