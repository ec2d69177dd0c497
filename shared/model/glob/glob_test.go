package glob_test

import (
	"strings"
	"testing"

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
		"*":                 {{"", "a"}, {"/", "a/"}},
		"":                  {{""}, {"/"}},
		"/file.html":        {{"/file.html"}, {"/fileXhtml"}},
		`/[a]|(b)^$+?{2}\d`: {{`/[a]|(b)^$+?{2}\d`}, {"/a", "/b"}},
		"/50%25/ü":          {{"/50%25/ü"}, {"/50%25/u"}},
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for pattern, pages := range examples() {
		for i, matches := range []bool{true, false} {
			for _, page := range pages[i] {
				if glob.Match(pattern, page) != matches {
					t.Errorf("%q matches %q: %t", pattern, page, !matches)
				}
			}
		}
	}
}

// TestLongPatterns matches patterns that take others exponential time, and such as are longer
// than validation allows.
func TestLongPatterns(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("a", 2000) + "b"
	for pattern, want := range map[string]bool{
		strings.Repeat("*a", 150): false, strings.Repeat("**a", 100): false, strings.Repeat("*", 300): true,
		strings.Repeat("**a", 1000) + "b": true, strings.Repeat("a", 2000) + "*": true,
	} {
		if glob.Match(pattern, page) != want {
			t.Errorf("%.10q... matches: %t", pattern, !want)
		}
	}
}

func TestStars(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]int{"": 0, "/a": 0, "/*": 1, "/**": 1, "***": 2, "/*/b/**": 2} {
		if got := glob.Stars(pattern); got != want {
			t.Errorf("%q has %d stars", pattern, got)
		}
	}
}

// TestMatchMemory checks that a match allocates nothing.
func TestMatchMemory(t *testing.T) { //nolint:paralleltest // it counts the allocations of the process
	pattern, page := strings.Repeat("*a", 150), strings.Repeat("a", 2000)
	if n := testing.AllocsPerRun(10, func() { glob.Match(pattern, page) }); n > 0 {
		t.Errorf("a match makes %v allocations", n)
	}
}

// FuzzMatch compares Match with a simple matcher.
func FuzzMatch(f *testing.F) {
	for pattern, pages := range examples() {
		for _, page := range append(pages[0], pages[1]...) {
			f.Add(pattern, page)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, page string) {
		if len(pattern) > 2000 || len(page) > 2000 {
			return
		}
		if got, want := glob.Match(pattern, page), simple(pattern, page); got != want {
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

func BenchmarkMatch(b *testing.B) {
	for b.Loop() {
		if !glob.Match("/blog/*/comments/**", "/blog/how-we-count-visitors/comments/17/edit") || glob.Match("/admin/**", "/blog/how-we-count-visitors") {
			b.Fatal("it matches wrongly")
		}
	}
}
