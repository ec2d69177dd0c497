package language

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/analytics-platform/analytics/shared/model/pattern"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

func TestParse(t *testing.T) {
	t.Parallel()
	q, err := Parse([]byte(`{
		"site_id": "example.com", "metrics": ["visitors", "bounce_rate"], "date_range": ["2026-01-01", "2026-01-31"],
		"dimensions": ["time:day", "visit:source"], "filters": [["is", "visit:country", ["FR", ""]], ["contains_not", "event:page", ["/admin"]]],
		"order_by": [["bounce_rate", "desc"], ["visit:source", "asc"]],
		"include": {"total_rows": true, "time_labels": true, "imports": false}, "pagination": {"limit": 7, "offset": 14}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	dimension := func(name string) Dimension { d, _ := DimensionByName(name); return d }
	want := &Question{
		SiteID: "example.com", Metrics: []Metric{Visitors, BounceRate},
		Dimensions: []Dimension{dimension("time:day"), dimension("visit:source")},
		Filters: []Filter{
			{Operator: Is, Dimension: dimension("visit:country"), Values: []string{"FR", ""}},
			{Operator: ContainsNot, Dimension: dimension("event:page"), Values: []string{"/admin"}},
		},
		Order:      []Order{{"bounce_rate", true}, {"visit:source", false}},
		Include:    Include{TimeLabels: true, TotalRows: true},
		Pagination: Pagination{7, 14},
		dateRange:  dateRange{name: days, first: 20454, last: 20484}, budget: newBudget(),
	}
	if diff := cmp.Diff(want, q, cmp.AllowUnexported(Question{}, Dimension{}, Filter{}, dateRange{}, budget{}), cmpopts.EquateComparable(pattern.Budget{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]Question{
		`{"site_id":"s","metrics":["visits","visitors"],"date_range":"7d"}`: {
			Order: []Order{{"visits", true}}, Pagination: Pagination{10_000, 0},
		},
		`{"site_id":"s","metrics":["visits"],"date_range":"7d","dimensions":["visit:os","time"],"pagination":{"offset":3}}`: {
			Order: []Order{{"time", false}, {"visits", true}}, Pagination: Pagination{10_000, 3},
		},
	} {
		q, err := Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(q.Order, want.Order) || q.Pagination != want.Pagination {
			t.Errorf("%s is ordered by %v and paged %v", body, q.Order, q.Pagination)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	// with returns a valid question with one member changed.
	with := func(member string) string {
		name, _, _ := strings.Cut(member, ":")
		members := []string{member}
		for _, good := range []string{
			`"site_id":"example.com"`, `"metrics":["visitors"]`, `"date_range":"7d"`, `"dimensions":["time:day","event:page"]`,
		} {
			if !strings.HasPrefix(good, name) {
				members = append(members, good)
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	if _, err := Parse([]byte(with(`"filters":[]`))); err != nil {
		t.Fatal(err)
	}
	many := `"` + strings.Repeat(`a","`, MaxValues) + `a"`
	tests := map[string]struct{ body, field, says string }{
		"empty body":                                {``, "", "empty"},
		"array":                                     {`[]`, "", "a JSON object"},
		"not JSON":                                  {`visitors`, "", "not valid JSON"},
		"body cut short":                            {`{"site_id":"example.com"`, "", "JSON"},
		"two documents":                             {`{} {}`, "", "not valid JSON"},
		"bad UTF-8":                                 {"{\"site_id\":\"\xff\"}", "site_id", "not valid JSON"},
		"unknown member":                            {with(`"colour":1`), "colour", "known are site_id, metrics"},
		"unknown inner member":                      {with(`"pagination":{"page":1}`), "pagination.page", "known are limit, offset"},
		"member twice":                              {`{"site_id":"a","site_id":"b"}`, "site_id", "twice"},
		"no site":                                   {`{"metrics":["visitors"],"date_range":"7d"}`, "site_id", "domain"},
		"site that is a number":                     {with(`"site_id":7`), "site_id", "a string, not a number"},
		"no metrics":                                {with(`"metrics":[]`), "metrics", "visitors, visits"},
		"unknown metric":                            {with(`"metrics":["visitors","sessions"]`), "metrics.1", "views_per_visit"},
		"metric twice":                              {with(`"metrics":["visitors","visitors"]`), "metrics.1", "twice"},
		"metrics that are a string":                 {with(`"metrics":"visitors"`), "metrics", "an array, not a string"},
		"metric that is a number":                   {with(`"metrics":[7]`), "metrics.0", "a string"},
		"no range":                                  {`{"site_id":"a","metrics":["visitors"]}`, "date_range", "30d"},
		"unknown range":                             {with(`"date_range":"yesterday"`), "date_range", "30d"},
		"range of no days":                          {with(`"date_range":"0d"`), "date_range", "30d"},
		"range of too many days":                    {with(`"date_range":"5001d"`), "date_range", "30d"},
		"range with a sign":                         {with(`"date_range":"+7d"`), "date_range", "30d"},
		"syntax error":                              {with(`"date_range":7}`), "", "not valid JSON"},
		"range that is an object":                   {with(`"date_range":{"from":"2026-01-01"}`), "date_range", "30d"},
		"range of one day":                          {with(`"date_range":["2026-01-01"]`), "date_range", "30d"},
		"range of three days":                       {with(`"date_range":["2026-01-01","2026-01-02","2026-01-03"]`), "date_range", "30d"},
		"invalid day":                               {with(`"date_range":["2026-02-30","2026-03-01"]`), "date_range.0", "2026-01-01"},
		"day and text":                              {with(`"date_range":["2026-02-01","soon"]`), "date_range.1", "a date"},
		"day and time":                              {with(`"date_range":["2026-02-01","2026-02-01T10:00:00Z"]`), "date_range.1", "a date"},
		"time and day":                              {with(`"date_range":["2026-02-01T10:00:00Z","2026-02-01"]`), "date_range.1", "a time"},
		"time without a zone":                       {with(`"date_range":["2026-02-01T10:00:00","2026-02-01T11:00:00"]`), "date_range.0", "+01:00"},
		"days backwards":                            {with(`"date_range":["2026-02-02","2026-02-01"]`), "date_range", "before it ends"},
		"times backwards":                           {with(`"date_range":["2026-02-01T10:00:00Z","2026-02-01T10:00:00+01:00"]`), "date_range", "before it ends"},
		"unknown dimension":                         {with(`"dimensions":["event:plan"]`), "dimensions.0", "visit:source"},
		"property without a key":                    {with(`"dimensions":["event:props:"]`), "dimensions.0", "event:props:KEY"},
		"property with NUL":                         {with(`"dimensions":["event:props:\u0000"]`), "dimensions.0", "event:props:KEY"},
		"seconds as a dimension":                    {with(`"dimensions":["time:second"]`), "dimensions.0", "time:minute"},
		"segment as a dimension":                    {with(`"dimensions":["segment"]`), "dimensions.0", "visit:source"},
		"too many dimensions":                       {with(`"dimensions":["time","visit:os","visit:city","visit:device","visit:source","visit:region","visit:screen","visit:channel","event:page"]`), "dimensions.8", "at most 8"},
		"scroll depth without pages":                {`{"site_id":"a","metrics":["scroll_depth"],"date_range":"7d"}`, "metrics.0", "event:page"},
		"time on page without pages":                {`{"site_id":"a","metrics":["visits","time_on_page"],"date_range":"7d","dimensions":["visit:os"]}`, "metrics.1", "event:page"},
		"percentage without a dimension":            {`{"site_id":"a","metrics":["percentage"],"date_range":"7d"}`, "metrics.0", "dimension"},
		"conversion rate without goals":             {with(`"metrics":["conversion_rate"]`), "metrics.0", "event:goal"},
		"conversion rate with a nested goal filter": {`{"site_id":"a","metrics":["conversion_rate"],"date_range":"7d","filters":[["or",[["is","event:goal",["a"]]]]]}`, "metrics.0", "not inside"},
		"group conversion rate without goals":       {with(`"metrics":["group_conversion_rate"]`), "metrics.0", "event:goal"},
		"dimension twice":                           {with(`"dimensions":["visit:os","visit:os"]`), "dimensions.1", "twice"},
		"two time dimensions":                       {with(`"dimensions":["time","time:day"]`), "dimensions.1", "time dimension"},
		"filter that is a string":                   {with(`"filters":["is"]`), "filters.0", `["is",`},
		"empty filter":                              {with(`"filters":[[]]`), "filters.0", `["is",`},
		"filter without values":                     {with(`"filters":[["is","visit:os"]]`), "filters.0", `["is",`},
		"unknown operator":                          {with(`"filters":[["equals","visit:os",["a"]]]`), "filters.0.0", "is, is_not, contains, contains_not, matches, matches_not, and, or, not, has_done, has_not_done"},
		"or without filters":                        {with(`"filters":[["or",[]]]`), "filters.0", "at least one"},
		"or of a filter, not a list":                {with(`"filters":[["or",["is","visit:os",["a"]]]]`), "filters.0.1.0", `["is",`},
		"not of two filters":                        {with(`"filters":[["not",["is","visit:os",["a"]],["is","visit:os",["b"]]]]`), "filters.0", `["not",FILTER]`},
		"invalid filter inside others":              {with(`"filters":[["and",[["not",["has_done",["is","event:name",[]]]]]]]`), "filters.0.1.0.1.1.2", "1 to 1000"},
		"filters too deep":                          {with(`"filters":[` + strings.Repeat(`["not",`, 10) + `["is","visit:os",["a"]]` + strings.Repeat(`]`, 10) + `]`), "filters.0" + strings.Repeat(".1", 10), "10 times"},
		"too many filters":                          {with(`"filters":[["or",[` + strings.Repeat(`["is","visit:os",["a"]],`, 100) + `["is","visit:os",["a"]]]]]`), "filters.0.1.99", "at most 100"},
		"invalid pattern":                           {with(`"filters":[["matches","event:page",["^/a","("]]]`), "filters.0.2.1", "RE2"},
		"too many patterns":                         {with(`"filters":[["matches","event:page",[` + strings.Repeat(`"a",`, 20) + `"a"]]]`), "filters.0.2", "20 regular"},
		"pattern too large":                         {with(`"filters":[["matches","event:page",["a","x{1000}","x{1000}"]]]`), "filters.0.2.2", "2000 steps"},
		"patterns too large together":               {with(`"filters":[["not",["matches","event:page",["x{900}"]]],["matches","visit:os",["x{900}"]],["matches","visit:city",["x{900}"]]]`), "filters.2.2.0", "2000 steps"},
		"order twice":                               {with(`"order_by":[["visitors","desc"],["visitors","asc"]]`), "order_by.1.0", "twice"},
		"pattern too long":                          {with(`"filters":[["matches","event:page",["` + strings.Repeat("a", 1001) + `"]]]`), "filters.0.2.0", "1000 bytes"},
		"unknown modifier":                          {with(`"filters":[["is","visit:os",["a"],{"case":false}]]`), "filters.0.3", "case_sensitive"},
		"two modifiers":                             {with(`"filters":[["is","visit:os",["a"],{},{}]]`), "filters.0", `["is",`},
		"contains with a segment":                   {with(`"filters":[["contains","segment",["a"]]]`), "filters.0.0", "is or is_not"},
		"segment without a name":                    {with(`"filters":[["is","segment",[""]]]`), "filters.0.2.0", "name or the id"},
		"no segments":                               {with(`"filters":[["is","segment",[]]]`), "filters.0.2", "1 to 100"},
		"filters that are an object":                {with(`"filters":{}`), "filters", "an array of filters"},
		"filter on time":                            {with(`"filters":[["is","time:day",["2026-01-01"]]]`), "filters.0.1", "event:page"},
		"filter on a number":                        {with(`"filters":[["is",7,["a"]]]`), "filters.0.1", "event:page"},
		"filter by a string, not an array":          {with(`"filters":[["is","visit:os","Linux"]]`), "filters.0.2", "an array of strings"},
		"filter by a number":                        {with(`"filters":[["is","visit:os",[7]]]`), "filters.0.2", "an array of strings"},
		"filter without values in the array":        {with(`"filters":[["is","visit:os",[]]]`), "filters.0.2", "1 to 1000"},
		"filter with too many values":               {with(`"filters":[["is","visit:os",[` + many + `]]]`), "filters.0.2", "1 to 1000"},
		"filter by NUL":                             {with(`"filters":[["is","visit:os",["a","\u0000"]]]`), "filters.0.2.1", "NUL"},
		"second filter":                             {with(`"filters":[["is","visit:os",["a"]],["contains","visit:os",[""]]]`), "filters.1.2.0", "empty"},
		"order without a direction":                 {with(`"order_by":[["visitors"]]`), "order_by.0", "desc"},
		"order by a metric not in the question":     {with(`"order_by":[["visits","desc"]]`), "order_by.0.0", "visitors, time:day, event:page"},
		"order by SQL":                              {with(`"order_by":[["1; DROP TABLE events","desc"]]`), "order_by.0.0", "visitors"},
		"unknown direction":                         {with(`"order_by":[["visitors","up"]]`), "order_by.0.1", "asc or desc"},
		"order by a number":                         {with(`"order_by":[["visitors",1]]`), "order_by.0.1", "a string"},
		"limit of 0":                                {with(`"pagination":{"limit":0}`), "pagination.limit", "1 to 10000"},
		"too many rows":                             {with(`"pagination":{"limit":10001}`), "pagination.limit", "1 to 10000"},
		"fractional limit":                          {with(`"pagination":{"limit":1.5}`), "pagination.limit", "a whole number"},
		"negative offset":                           {with(`"pagination":{"offset":-1}`), "pagination.offset", "0 or more"},
		"time labels without a time dimension": {
			`{"site_id":"a","metrics":["visitors"],"date_range":"7d","include":{"time_labels":true}}`, "include.time_labels", "time dimension",
		},
		"comparison without a mode":       {with(`"include":{"comparisons":{}}`), "include.comparisons.mode", "previous_period"},
		"custom comparison without days":  {with(`"include":{"comparisons":{"mode":"custom"}}`), "include.comparisons.date_range", "two days"},
		"comparison backwards":            {with(`"include":{"comparisons":{"mode":"custom","date_range":["2026-01-02","2026-01-01"]}}`), "include.comparisons.date_range", "the first one first"},
		"comparison with a mode and days": {with(`"include":{"comparisons":{"mode":"year_over_year","date_range":["2026-01-01","2026-01-02"]}}`), "include.comparisons.date_range", "custom only"},
		"unknown comparison":              {with(`"include":{"comparisons":{"mode":"previous_period","by":1}}`), "include.comparisons.by", "match_day_of_week"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(test.body))
			invalid, ok := errors.AsType[*validation.Error](err)
			if !ok || invalid.Code != "" || invalid.Field != test.field || !strings.Contains(invalid.Detail, test.says) {
				t.Errorf("got %v, want a validation.Error for %q that says %q", err, test.field, test.says)
			}
		})
	}
}

// FuzzParse checks that any input is parsed or refused with a validation error.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `{"site_id":"a","metrics":["visitors"],"date_range":"7d"}`,
		`{"site_id":"a","metrics":["visitors"],"date_range":["2026-01-01","2026-01-31"],"dimensions":["time"],"filters":[["is","event:page",["/"]]]}`,
		`{"site_id":"'; DROP TABLE sites; --","metrics":["visitors) FROM events; --"],"date_range":"1d; SELECT 1","order_by":[["1","desc nulls last"]]}`,
		`{"date_range":["2026-01-01T00:00:00Z","9999-12-31T23:59:59Z"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := Parse(data)
		if invalid, ok := errors.AsType[*validation.Error](err); err != nil && (!ok || invalid.Detail == "") {
			t.Errorf("got %v", err)
		}
	})
}
