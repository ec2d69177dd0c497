package language

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/pattern"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/weburl"
)

// Operator is how a filter compares values or combines filters.
type Operator string

// The operators. Those that compare do so with all values of the filter.
const (
	Is          Operator = "is"           // equal to any
	IsNot       Operator = "is_not"       // equal to none
	Contains    Operator = "contains"     // contains any
	ContainsNot Operator = "contains_not" // contains none
	Matches     Operator = "matches"      // any, a regular expression (RE2), matches a part of it
	MatchesNot  Operator = "matches_not"  // none does

	And        Operator = "and"          // all of several filters hold
	Or         Operator = "or"           // any of several filters holds
	Not        Operator = "not"          // a filter does not hold
	HasDone    Operator = "has_done"     // a filter holds for an event of the visit
	HasNotDone Operator = "has_not_done" // it holds for none
)

func comparisonOperators() []Operator {
	return []Operator{Is, IsNot, Contains, ContainsNot, Matches, MatchesNot}
}

func combinationOperators() []Operator { return []Operator{And, Or, Not, HasDone, HasNotDone} }

// OperatorNames lists the names of all operators.
func OperatorNames() []string {
	var names []string
	for _, o := range append(comparisonOperators(), combinationOperators()...) {
		names = append(names, string(o))
	}
	return names
}

// Filter selects events by the values of a dimension, or by other filters.
type Filter struct {
	Operator  Operator
	Dimension Dimension // whose values are compared
	Values    []string  // not empty if values are compared
	AnyCase   bool      // whether upper and lower case are the same
	Filters   []Filter  // that are combined
	Goals     []Goal    // that the values name, set by Resolve

	patterns []*regexp.Regexp // the values as regular expressions
	segment  []any            // the filter by segments that this one replaces
}

// The limits of filters.
const (
	maxDepth    = 10 // filters inside filters
	maxFilters  = 100
	maxPattern  = 1000 // bytes of a regular expression
	maxPatterns = 20   // regular expressions of a filter
)

// ParseFilters reads the filters of a segment, a JSON array.
func ParseFilters(data []byte) ([]Filter, error) {
	b := newBudget()
	return b.parseFilters("filters", data)
}

// parseFilters reads filters, a JSON array.
func (b *budget) parseFilters(field string, data []byte) ([]Filter, error) {
	var all []jsontext.Value
	if err := json.Unmarshal(data, &all); err != nil || jsontext.Value(data).Kind() != jsontext.KindBeginArray {
		return nil, validation.New(field, "must be an array of filters, each of which "+filterHelp)
	}
	p := filterParser{budget: b}
	var filters []Filter
	for i, raw := range all {
		f, err := p.parse(fmt.Sprintf("%s.%d", field, i), raw, 1)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// filterParser counts the filters that it parses.
type filterParser struct {
	*budget
	count int
}

const filterHelp = `must be [operator, dimension, values], e.g. ["is","visit:country",["FR","DE"]], or a combination, ` +
	`e.g. ["or",[FILTER, FILTER]], ["not",FILTER], ["has_done",FILTER]`

func (p *filterParser) parse(field string, raw jsontext.Value, depth int) (f Filter, err error) {
	if p.count++; p.count > maxFilters {
		return f, validation.New(field, fmt.Sprintf("is one filter too many: at most %d", maxFilters))
	}
	if depth > maxDepth {
		return f, validation.New(field, fmt.Sprintf("is too deep: filters may be in filters %d times", maxDepth))
	}
	var parts []jsontext.Value
	if raw.Kind() != jsontext.KindBeginArray || json.Unmarshal(raw, &parts) != nil || len(parts) == 0 {
		return f, validation.New(field, filterHelp)
	}
	_ = json.Unmarshal(parts[0], &f.Operator) // the switch refuses what is not a string
	switch {
	case slices.Contains(comparisonOperators(), f.Operator):
		err = p.parseComparison(&f, field, parts)
	case f.Operator == And || f.Operator == Or:
		var inner []jsontext.Value
		if len(parts) != 2 || parts[1].Kind() != jsontext.KindBeginArray || json.Unmarshal(parts[1], &inner) != nil || len(inner) == 0 {
			return f, validation.New(field, fmt.Sprintf(`must be ["%s",[FILTER, FILTER, …]], with at least one filter`, f.Operator))
		}
		for i, raw := range inner {
			part, err := p.parse(fmt.Sprintf("%s.1.%d", field, i), raw, depth+1)
			if err != nil {
				return f, err
			}
			f.Filters = append(f.Filters, part)
		}
	case slices.Contains(combinationOperators(), f.Operator):
		if len(parts) != 2 {
			return f, validation.New(field, fmt.Sprintf(`must be ["%s",FILTER]`, f.Operator))
		}
		part, err := p.parse(field+".1", parts[1], depth+1)
		if err != nil {
			return f, err
		}
		f.Filters = []Filter{part}
	default:
		err = validation.New(field+".0", "must be one of "+strings.Join(OperatorNames(), ", "))
	}
	return f, err
}

func (p *filterParser) parseComparison(f *Filter, field string, parts []jsontext.Value) error {
	if len(parts) != 3 && len(parts) != 4 {
		return validation.New(field, filterHelp)
	}
	var name string
	_ = json.Unmarshal(parts[1], &name) // what is not a string names no dimension
	if name == segmentName {
		return f.parseSegments(field, parts)
	}
	var ok bool
	if f.Dimension, ok = DimensionByName(name); !ok || f.Dimension.IsTime() {
		return validation.New(field+".1", "must be one of "+strings.Join(append(propertyNames(), segmentName), ", "))
	}
	if parts[2].Kind() != jsontext.KindBeginArray || json.Unmarshal(parts[2], &f.Values) != nil {
		return validation.New(field+".2", "must be an array of strings")
	}
	if len(parts) == 4 {
		modifiers := struct {
			CaseSensitive *bool `json:"case_sensitive"`
		}{}
		if json.Unmarshal(parts[3], &modifiers, json.RejectUnknownMembers(true)) != nil {
			return validation.New(field+".3", `must be {"case_sensitive":false} or {"case_sensitive":true}, or left out`)
		}
		f.AnyCase = modifiers.CaseSensitive != nil && !*modifiers.CaseSensitive
	}
	return p.checkValues(f, field)
}

func (p *filterParser) checkValues(f *Filter, field string) error {
	if len(f.Values) == 0 || len(f.Values) > MaxValues {
		return validation.New(field+".2", fmt.Sprintf("must hold 1 to %d values", MaxValues))
	}
	isPattern := f.Operator == Matches || f.Operator == MatchesNot
	if isPattern && len(f.Values) > maxPatterns {
		return validation.New(field+".2", fmt.Sprintf("must hold at most %d regular expressions", maxPatterns))
	}
	for i, value := range f.Values {
		at := fmt.Sprintf("%s.2.%d", field, i)
		if strings.IndexByte(value, 0) >= 0 {
			return validation.New(at, "must not hold a NUL character")
		}
		switch f.Operator {
		case Is, IsNot:
			if f.Values[i] = f.Dimension.written(value, true); value == "" {
				f.Values[i] = f.Dimension.none
			}
		case Contains, ContainsNot:
			if value == "" {
				return validation.New(at, "must not be empty: every value contains it")
			}
			f.Values[i] = f.Dimension.written(value, false)
		case Matches, MatchesNot:
			if f.Dimension.form == pathForm {
				value = weburl.CanonicalPattern(value)
			}
			compiled, err := p.compile(at, value, f.AnyCase)
			if err != nil {
				return err
			}
			f.patterns = append(f.patterns, compiled)
		}
	}
	return nil
}

// compile compiles a regular expression.
func (p *filterParser) compile(field, expression string, anyCase bool) (compiled *regexp.Regexp, err error) {
	if len(expression) <= maxPattern {
		compiled, err = p.patterns.Compile(map[bool]string{true: "(?i)"}[anyCase] + expression)
	}
	switch {
	case errors.Is(err, pattern.ErrTooLarge):
		return nil, validation.New(field, fmt.Sprintf("is too large: all regular expressions of a question together may have %d steps, and x{100} has 100", pattern.MaxSize))
	case compiled == nil:
		return nil, validation.New(field, fmt.Sprintf("must be a regular expression (RE2 syntax) of at most %d bytes, e.g. ^/blog/[0-9]+$", maxPattern))
	}
	return compiled, nil
}

// parseSegments parses a filter by segments, each given by its name or its number.
func (f *Filter) parseSegments(field string, parts []jsontext.Value) error {
	f.Dimension = Dimension{Name: segmentName}
	if f.Operator != Is && f.Operator != IsNot {
		return validation.New(field+".0", "must be is or is_not: a segment is a set of filters")
	}
	if len(parts) != 3 {
		return validation.New(field+".3", "must be left out: a segment is compared with nothing")
	}
	var values []jsontext.Value
	if json.Unmarshal(parts[2], &values) != nil || len(values) == 0 || len(values) > maxFilters {
		return validation.New(field+".2", fmt.Sprintf("must hold 1 to %d names or ids of segments", maxFilters))
	}
	for i, value := range values {
		var name string
		if value.Kind() == jsontext.KindNumber {
			name = value.String()
		} else if json.Unmarshal(value, &name) != nil || name == "" {
			return validation.New(fmt.Sprintf("%s.2.%d", field, i), "must be the name or the id of a segment")
		}
		f.Values = append(f.Values, name)
	}
	return nil
}

// Echo returns the filter in the form in which questions write it.
func (f *Filter) Echo() []any {
	switch {
	case f.segment != nil:
		return f.segment
	case f.Operator == And || f.Operator == Or:
		inner := [][]any{}
		for i := range f.Filters {
			inner = append(inner, f.Filters[i].Echo())
		}
		return []any{f.Operator, inner}
	case len(f.Filters) > 0:
		return []any{f.Operator, f.Filters[0].Echo()}
	case f.AnyCase:
		return []any{f.Operator, f.Dimension.Name, f.Values, map[string]bool{"case_sensitive": false}}
	default:
		return []any{f.Operator, f.Dimension.Name, f.Values}
	}
}

// Any reports whether a condition holds for the filter or any filter inside it.
func (f *Filter) Any(condition func(*Filter) bool) bool {
	if condition(f) {
		return true
	}
	for i := range f.Filters {
		if f.Filters[i].Any(condition) {
			return true
		}
	}
	return false
}

// Equates reports whether the filter compares whole values. If so, the name of the unknown
// value is one of them.
func (f *Filter) Equates() bool { return f.Operator == Is || f.Operator == IsNot }

// Negated reports whether the filter compares and holds if no value fits.
func (f *Filter) Negated() bool {
	return f.Operator == IsNot || f.Operator == ContainsNot || f.Operator == MatchesNot
}

// Predicate returns whether a stored value passes a filter that compares. Filters by parts
// of values see the unknown value as "", and refuse events without the property that they
// look at, even if they only say what it must not contain.
func (f *Filter) Predicate() func(stored string) bool {
	matches := f.matcher()
	if f.Equates() {
		return func(stored string) bool { return matches(f.Dimension.Label(stored)) }
	}
	return func(stored string) bool {
		return (stored != "" || !f.Dimension.IsProperty()) && matches(f.Dimension.text(stored))
	}
}

// matcher returns whether a value as answers show it passes a filter that compares.
func (f *Filter) matcher() func(value string) bool {
	values := f.Values
	if f.AnyCase {
		values = nil
		for _, value := range f.Values {
			values = append(values, strings.ToLower(value))
		}
	}
	var fits func(string) bool
	switch f.Operator {
	case Matches, MatchesNot:
		fits = func(value string) bool {
			return slices.ContainsFunc(f.patterns, func(p *regexp.Regexp) bool { return p.MatchString(value) })
		}
	case Contains, ContainsNot:
		fits = func(value string) bool {
			return slices.ContainsFunc(values, func(part string) bool { return strings.Contains(value, part) })
		}
	default:
		set := make(map[string]bool, len(values))
		for _, value := range values {
			set[value] = true
		}
		fits = func(value string) bool { return set[value] }
	}
	negated := f.Negated()
	lower := f.AnyCase && f.Operator != Matches && f.Operator != MatchesNot
	return func(value string) bool {
		if lower {
			value = strings.ToLower(value)
		}
		return fits(value) != negated
	}
}
