package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// Operator is how a filter compares, or how it combines others.
type Operator string

// The operators. Those that compare do so with all values of the filter.
const (
	Is         Operator = "is"           // equal to any
	IsNot      Operator = "is_not"       // equal to none
	Contains   Operator = "contains"     // with any in it
	NotContain Operator = "contains_not" // with none in it
	Matches    Operator = "matches"      // any, a regular expression (RE2), matches a part of it
	MatchesNot Operator = "matches_not"  // none does

	And        Operator = "and"          // all of several filters hold
	Or         Operator = "or"           // any of several filters holds
	Not        Operator = "not"          // a filter does not hold
	HasDone    Operator = "has_done"     // an event of the visit is one for which a filter holds
	HasNotDone Operator = "has_not_done" // none is
)

func comparisons() []Operator {
	return []Operator{Is, IsNot, Contains, NotContain, Matches, MatchesNot}
}

func combinations() []Operator { return []Operator{And, Or, Not, HasDone, HasNotDone} }

// OperatorNames are those of all operators.
func OperatorNames() []string {
	var names []string
	for _, o := range append(comparisons(), combinations()...) {
		names = append(names, string(o))
	}
	return names
}

// Filter says which events count: those with certain values of a dimension, or those for
// which other filters hold.
type Filter struct {
	Operator  Operator
	Dimension Dimension // that is compared
	Values    []string  // not empty when something is compared
	AnyCase   bool      // upper and lower case are the same; else they differ
	Filters   []Filter  // that are combined

	patterns []*regexp.Regexp // that the values are, when they are some
	goals    []Goal           // that the values name, once they are defined
	segment  []any            // what it stands for, if it is in the place of segments
}

// What filters may be at most.
const (
	maxDepth    = 10 // filters in filters
	maxFilters  = 100
	maxPattern  = 1000 // bytes of a regular expression
	maxPatterns = 20   // values of a filter that are some
)

// reader reads filters.
type reader struct{ filters int }

const filterShape = `must be [operator, dimension, values], e.g. ["is","visit:country",["FR","DE"]], or a combination, ` +
	`e.g. ["or",[FILTER, FILTER]], ["not",FILTER], ["has_done",FILTER]`

func (r *reader) read(field string, raw jsontext.Value, depth int) (f Filter, err error) {
	if r.filters++; r.filters > maxFilters {
		return f, problem.Invalid(field, fmt.Sprintf("is one filter too many: at most %d", maxFilters))
	}
	if depth > maxDepth {
		return f, problem.Invalid(field, fmt.Sprintf("is too deep: filters may be in filters %d times", maxDepth))
	}
	var parts []jsontext.Value
	if raw.Kind() != jsontext.KindBeginArray || json.Unmarshal(raw, &parts) != nil || len(parts) == 0 {
		return f, problem.Invalid(field, filterShape)
	}
	_ = json.Unmarshal(parts[0], &f.Operator) // what is no string is no operator either
	switch {
	case slices.Contains(comparisons(), f.Operator):
		err = f.readComparison(field, parts)
	case f.Operator == And || f.Operator == Or:
		var inner []jsontext.Value
		if len(parts) != 2 || parts[1].Kind() != jsontext.KindBeginArray || json.Unmarshal(parts[1], &inner) != nil || len(inner) == 0 {
			return f, problem.Invalid(field, fmt.Sprintf(`must be ["%s",[FILTER, FILTER, …]], with at least one filter`, f.Operator))
		}
		for i, raw := range inner {
			part, err := r.read(fmt.Sprintf("%s.1.%d", field, i), raw, depth+1)
			if err != nil {
				return f, err
			}
			f.Filters = append(f.Filters, part)
		}
	case slices.Contains(combinations(), f.Operator):
		if len(parts) != 2 {
			return f, problem.Invalid(field, fmt.Sprintf(`must be ["%s",FILTER]`, f.Operator))
		}
		part, err := r.read(field+".1", parts[1], depth+1)
		if err != nil {
			return f, err
		}
		f.Filters = []Filter{part}
	default:
		err = problem.Invalid(field+".0", "must be one of "+strings.Join(OperatorNames(), ", "))
	}
	return f, err
}

func (f *Filter) readComparison(field string, parts []jsontext.Value) error {
	if len(parts) != 3 && len(parts) != 4 {
		return problem.Invalid(field, filterShape)
	}
	var name string
	_ = json.Unmarshal(parts[1], &name) // what is no string is no dimension either
	if name == segmentName {
		return f.readSegments(field, parts)
	}
	var ok bool
	if f.Dimension, ok = dimensionNamed(name); !ok || f.Dimension.isTime() {
		return problem.Invalid(field+".1", "must be one of "+strings.Join(append(dimensionNames(true), segmentName), ", "))
	}
	if parts[2].Kind() != jsontext.KindBeginArray || json.Unmarshal(parts[2], &f.Values) != nil {
		return problem.Invalid(field+".2", "must be an array of strings")
	}
	if len(parts) == 4 {
		modifiers := struct {
			CaseSensitive *bool `json:"case_sensitive"`
		}{}
		if json.Unmarshal(parts[3], &modifiers, json.RejectUnknownMembers(true)) != nil {
			return problem.Invalid(field+".3", `must be {"case_sensitive":false} or {"case_sensitive":true}, or left out`)
		}
		f.AnyCase = modifiers.CaseSensitive != nil && !*modifiers.CaseSensitive
	}
	return f.checkValues(field)
}

func (f *Filter) checkValues(field string) error {
	if len(f.Values) == 0 || len(f.Values) > MaxValues {
		return problem.Invalid(field+".2", fmt.Sprintf("must hold 1 to %d values", MaxValues))
	}
	isPattern := f.Operator == Matches || f.Operator == MatchesNot
	if isPattern && len(f.Values) > maxPatterns {
		return problem.Invalid(field+".2", fmt.Sprintf("must hold at most %d regular expressions", maxPatterns))
	}
	for i, value := range f.Values {
		at := fmt.Sprintf("%s.2.%d", field, i)
		if strings.IndexByte(value, 0) >= 0 {
			return problem.Invalid(at, "must not hold a NUL character")
		}
		switch f.Operator {
		case Is, IsNot:
			if value == "" {
				f.Values[i] = f.Dimension.none
			}
		case Contains, NotContain:
			if value == "" {
				return problem.Invalid(at, "must not be empty: every value contains it")
			}
		case Matches, MatchesNot:
			var pattern *regexp.Regexp
			if len(value) <= maxPattern {
				pattern, _ = regexp.Compile(map[bool]string{true: "(?i)"}[f.AnyCase] + value)
			}
			if pattern == nil {
				return problem.Invalid(at, fmt.Sprintf("must be a regular expression (RE2 syntax) of at most %d bytes, e.g. ^/blog/[0-9]+$", maxPattern))
			}
			f.patterns = append(f.patterns, pattern)
		}
	}
	return nil
}

// readSegments reads a filter by segments, which may be named by their numbers.
func (f *Filter) readSegments(field string, parts []jsontext.Value) error {
	f.Dimension = Dimension{Name: segmentName}
	if f.Operator != Is && f.Operator != IsNot {
		return problem.Invalid(field+".0", "must be is or is_not: a segment is a set of filters")
	}
	if len(parts) != 3 {
		return problem.Invalid(field+".3", "must be left out: a segment is compared with nothing")
	}
	var values []jsontext.Value
	if json.Unmarshal(parts[2], &values) != nil || len(values) == 0 || len(values) > maxFilters {
		return problem.Invalid(field+".2", fmt.Sprintf("must hold 1 to %d names or ids of segments", maxFilters))
	}
	for i, value := range values {
		var name string
		if value.Kind() == jsontext.KindNumber {
			name = value.String()
		} else if json.Unmarshal(value, &name) != nil || name == "" {
			return problem.Invalid(fmt.Sprintf("%s.2.%d", field, i), "must be the name or the id of a segment")
		}
		f.Values = append(f.Values, name)
	}
	return nil
}

// echo is the filter as a question has it.
func (f *Filter) echo() []any {
	switch {
	case f.segment != nil:
		return f.segment
	case f.Operator == And || f.Operator == Or:
		inner := [][]any{}
		for i := range f.Filters {
			inner = append(inner, f.Filters[i].echo())
		}
		return []any{f.Operator, inner}
	case len(f.Filters) > 0:
		return []any{f.Operator, f.Filters[0].echo()}
	case f.AnyCase:
		return []any{f.Operator, f.Dimension.Name, f.Values, map[string]bool{"case_sensitive": false}}
	default:
		return []any{f.Operator, f.Dimension.Name, f.Values}
	}
}

// any tells whether a condition holds for the filter or for one in it.
func (f *Filter) any(is func(*Filter) bool) bool {
	if is(f) {
		return true
	}
	for i := range f.Filters {
		if f.Filters[i].any(is) {
			return true
		}
	}
	return false
}

// equates tells whether the filter compares whole values, so that the name of what is not
// known is one.
func (f *Filter) equates() bool { return f.Operator == Is || f.Operator == IsNot }

// keeps is whether a value as it is stored passes a filter that compares. What is not known
// has no part that could be looked for, and a property that is not there passes no filter
// by parts, not even one that says what may not be in it.
func (f *Filter) keeps() func(stored string) bool {
	accepts := f.accepts()
	if f.equates() {
		return func(stored string) bool { return accepts(f.Dimension.named(stored)) }
	}
	return func(stored string) bool {
		return (stored != "" || !f.Dimension.isProp()) && accepts(f.Dimension.text(stored))
	}
}

// accepts is whether a value as answers show it passes a filter that compares.
func (f *Filter) accepts() func(value string) bool {
	values := f.Values
	if f.AnyCase {
		values = nil
		for _, value := range f.Values {
			values = append(values, strings.ToLower(value))
		}
	}
	var found func(string) bool
	switch f.Operator {
	case Matches, MatchesNot:
		found = func(value string) bool {
			return slices.ContainsFunc(f.patterns, func(p *regexp.Regexp) bool { return p.MatchString(value) })
		}
	case Contains, NotContain:
		found = func(value string) bool {
			return slices.ContainsFunc(values, func(part string) bool { return strings.Contains(value, part) })
		}
	default:
		set := make(map[string]bool, len(values))
		for _, value := range values {
			set[value] = true
		}
		found = func(value string) bool { return set[value] }
	}
	negative := f.Operator == IsNot || f.Operator == NotContain || f.Operator == MatchesNot
	lower := f.AnyCase && f.Operator != Matches && f.Operator != MatchesNot
	return func(value string) bool {
		if lower {
			value = strings.ToLower(value)
		}
		return found(value) != negative
	}
}
