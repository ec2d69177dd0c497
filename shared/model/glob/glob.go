// Package glob owns patterns of pages. A star stands for any run of characters but a
// slash, two for any run; everything else stands for itself, and case matters.
package glob

import (
	"regexp"
	"strings"
)

// Expression is the regular expression of what matches any of the patterns as a whole. It
// means the same to package regexp and to PostgreSQL.
func Expression(patterns ...string) string {
	quoted := make([]string, len(patterns))
	for i, pattern := range patterns {
		anything := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*\*`, `(?:.|\n)*`) // to regexp a dot is no end of a line
		quoted[i] = strings.ReplaceAll(anything, `\*`, `[^/]*`)
	}
	return `^(?:` + strings.Join(quoted, "|") + `)$`
}

// Compile makes patterns ready to match. Only a pattern that is not UTF-8 is an error.
func Compile(patterns ...string) (*regexp.Regexp, error) {
	return regexp.Compile(Expression(patterns...))
}
