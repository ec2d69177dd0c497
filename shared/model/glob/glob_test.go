package glob_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/glob"
)

// examples returns pages by pattern: those that match, and those that don't.
func examples() map[string][2][]string {
	return map[string][2][]string{
		"/":                 {{"/"}, {"", "/a", "//"}},
		"/pricing":          {{"/pricing"}, {"/pricing/", "/Pricing", "/pricing\n", "a/pricing"}},
		"/blog/*":           {{"/blog/", "/blog/a", "/blog/ü.html"}, {"/blog", "/blog/a/b", "/blog/a/"}},
		"/blog/**":          {{"/blog/", "/blog/a", "/blog/a/b/c", "/blog/a\nb"}, {"/blog", "/a/blog/b"}},
		"/*/edit":           {{"/7/edit", "//edit"}, {"/7/8/edit", "/edit"}},
		"**/thanks":         {{"/thanks", "/de/order/thanks"}, {"thanks", "/thanks/you"}},
		"/a**z":             {{"/az", "/a/b/z"}, {"/a/b"}},
		"***":               {{"", "/", "/a/b"}, nil},
		"/file.html":        {{"/file.html"}, {"/fileXhtml"}},
		`/[a]|(b)^$+?{2}\d`: {{`/[a]|(b)^$+?{2}\d`}, {"/a", "/b"}},
		"/50%25/ü":          {{"/50%25/ü"}, {"/50%25/u"}},
	}
}

func TestCompile(t *testing.T) {
	t.Parallel()
	for pattern, pages := range examples() {
		expression, err := glob.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for i, matches := range []bool{true, false} {
			for _, page := range pages[i] {
				if expression.MatchString(page) != matches {
					t.Errorf("%q matches %q: %t", pattern, page, !matches)
				}
			}
		}
	}
	several, err := glob.Compile("/a", "/b/*")
	if err != nil || !several.MatchString("/a") || !several.MatchString("/b/c") || several.MatchString("/a/b/c") {
		t.Errorf("two patterns: got %v, %v", several, err)
	}
	if _, err := glob.Compile("/\xff"); err == nil {
		t.Error("a pattern that is not UTF-8 is accepted")
	}
}

// TestPostgreSQL checks that PostgreSQL matches as Go does.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	db := localtest.Record(t, localtest.Postgres(t))
	matches := func(page, pattern string) (ok bool) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `SELECT $1 ~ $2`, page, glob.Expression(pattern)).Scan(&ok); err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		return ok
	}
	for pattern, pages := range examples() {
		for i, want := range []bool{true, false} {
			for _, page := range pages[i] {
				if matches(page, pattern) != want {
					t.Errorf("%q matches %q: %t", pattern, page, !want)
				}
			}
		}
	}
	// The longest patterns must not be too expensive.
	page := strings.Repeat("a", 2000) + "b"
	for pattern, want := range map[string]bool{
		strings.Repeat("*a", 150): false, strings.Repeat("**a", 100): false, strings.Repeat("*", 300): true,
	} {
		if matches(page, pattern) != want {
			t.Errorf("%.10q... matches: %t", pattern, !want)
		}
	}
}

// FuzzCompile compares Compile with a simple matcher.
func FuzzCompile(f *testing.F) {
	for pattern, pages := range examples() {
		for _, page := range append(pages[0], pages[1]...) {
			f.Add(pattern, page)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, page string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(page) || len(pattern) > 300 || len(page) > 2000 {
			return // validation rejects such patterns and pages
		}
		expression, err := glob.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := expression.MatchString(page), simple(pattern, page); got != want {
			t.Errorf("%q matches %q: %t", pattern, page, got)
		}
	})
}

// simple matches by tracking all prefixes of the page that the read part of the pattern
// can match.
func simple(pattern, page string) bool {
	at := make([]bool, len(page)+1)
	at[0] = true
	for pattern != "" {
		stars := 0
		if pattern[0] == '*' {
			stars = min(2, len(pattern)-len(strings.TrimLeft(pattern, "*")))
		}
		next := make([]bool, len(page)+1)
		for i := range at {
			if stars == 0 {
				next[i] = i > 0 && at[i-1] && page[i-1] == pattern[0]
			} else {
				next[i] = at[i] || i > 0 && next[i-1] && (stars == 2 || page[i-1] != '/')
			}
		}
		at, pattern = next, pattern[max(1, stars):]
	}
	return at[len(page)]
}
