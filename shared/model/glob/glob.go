// Package glob compiles patterns of pages. A star matches any run of characters without a
// slash, two stars match any run; everything else matches itself, and case matters.
package glob

import (
	"regexp"
	"strings"
)

// Expression returns a regular expression that matches a text if any of the patterns matches
// the whole text. It has the same meaning in package regexp and in PostgreSQL.
func Expression(patterns ...string) string {
	quoted := make([]string, len(patterns))
	for i, pattern := range patterns {
		anything := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*\*`, `(?:.|\n)*`) // in package regexp, a dot does not match a newline
		quoted[i] = strings.ReplaceAll(anything, `\*`, `[^/]*`)
	}
	return `^(?:` + strings.Join(quoted, "|") + `)$`
}

// Compile compiles patterns. The only error is a pattern that is not valid UTF-8.
func Compile(patterns ...string) (*regexp.Regexp, error) {
	return regexp.Compile(Expression(patterns...))
}
