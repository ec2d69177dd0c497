package sitename_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/model/sitename"
)

func TestDomain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"example.com":                        "example.com",
		"\tExample.COM\n":                    "example.com",
		"https://www.example.com/a?b#c":      "www.example.com",
		"example.com.":                       "example.com",
		"localhost":                          "localhost",
		"192.168.0.1":                        "192.168.0.1",
		"Bücher.example":                     "xn--bcher-kva.example",
		"xn--bcher-kva.example":              "xn--bcher-kva.example",
		"例え.jp":                              "xn--r8jz45g.jp",
		"a-b.c":                              "a-b.c",
		strings.Repeat("a", 63) + ".example": strings.Repeat("a", 63) + ".example",
	} {
		if got, err := sitename.Domain(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", ".", "https://", "a..b", "-a.b", "a b.c", "a_b.c", "localhost:3000", "https://example.com:8080/", "[::1]",
		"a\x00.b", "a\xff.b", "xn--a.example", "user@example.com", "*.example.com",
		strings.Repeat("a", 64) + ".example", strings.Repeat("abcdefg.", 32) + "example",
	} {
		if got, err := sitename.Domain(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"example.com":            {"example.com"},
		" WWW.Example.com. ":     {"www.example.com", "example.com"},
		"www.пример.рф":          {"www.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"},
		"https://example.com/a":  {"example.com"},
		"S_Abc2 ":                {"s_abc2"},
		"":                       nil,
		"a b":                    nil,
		"s_\x00":                 nil,
		"s_\xff":                 nil,
		strings.Repeat("a", 300): nil,
	} {
		if got := sitename.Lookup(name); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
