package weburl_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/weburl"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		"/café":         {"/caf%c3%a9", "/caf%C3%A9", "/café", "/%63afé"},
		"/cafe":         {"/cafe", "/%63afe", "/c%61f%65"},
		"/日本":           {"/%E6%97%A5%E6%9C%AC", "/日%e6%9c%ac"},
		"/[id]":         {"/[id]", "/%5Bid%5d"},
		"/a b":          {"/a b", "/a%20b"},
		"/a%2Fb":        {"/a%2fb", "/a%2Fb"},
		"/a%2A":         {"/a%2a"},
		"/a*":           {"/a*"},
		"/@jane":        {"/@jane"},
		"/%40jane":      {"/%40jane"},
		"/a%5Cb":        {"/a%5cb"},
		"/100%":         {"/100%", "/100%25"},
		"/100%%":        {"/100%%", "/100%25%", "/100%%25"},
		"/%2541":        {"/%2541", "/%25%34%31", "/%%341"},
		"/%é":           {"/%25%C3%A9", "/%%C3%A9"},
		"/%E0%A4%A":     {"/%E0%A4%A", "/%e0%a4%25A"},
		"/%FF":          {"/%ff", "/\xff"},
		"/%00%7F%C2%85": {"/%00%7f%c2%85", "/\x00\x7f\u0085"},
		"/%E2%80%AEgpj": {"/%e2%80%aegpj", "/\u202egpj"},
		"/a\u200cb":     {"/a%E2%80%8Cb"},
		"":              {""},
	} {
		for _, spelling := range spellings {
			if got := weburl.Canonical(spelling); got != want {
				t.Errorf("%q: got %q, want %q", spelling, got, want)
			}
		}
		if got := weburl.Canonical(want); got != want {
			t.Errorf("%q: has the form %q, want itself", want, got)
		}
	}
}

// TestCanonicalOfAnything checks that a form is its own form, and that however a character is
// escaped that is no delimiter, the form is the same.
func TestCanonicalOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.OneOf(rapid.SampledFrom([]string{"%", "%2", "25", "%25", "%C3", "%A9", "é", "%41", "%2f", "A", "4", "f", "/", "\x00", "\xff", "%00"}), rapid.StringN(0, 3, -1))
		path := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		form := weburl.Canonical(path)
		if again := weburl.Canonical(form); again != form {
			t.Fatalf("%q has the form %q, which has the form %q", path, form, again)
		}
		var escaped strings.Builder
		for _, c := range []byte(form) {
			if c == '%' || strings.IndexByte(`:/?#@!$&'()*+,;=\`, c) >= 0 || rapid.Bool().Draw(t, "plain") && c < 0x80 {
				escaped.WriteByte(c)
			} else {
				fmt.Fprintf(&escaped, rapid.SampledFrom([]string{"%%%02x", "%%%02X"}).Draw(t, "digits"), c)
			}
		}
		if strings.Contains(form, "%") {
			return // escaped digits after it would change what it begins
		}
		if got := weburl.Canonical(escaped.String()); got != form {
			t.Fatalf("%q has the form %q, but %q has %q", path, form, escaped.String(), got)
		}
	})
}

func TestCanonicalPattern(t *testing.T) {
	t.Parallel()
	for expression, page := range map[string]string{
		"^/caf%c3%a9$": "/café", "^/caf[%C3%A9e]$": "/café", "^/a%2eb$": "/a.b", "^/%5Bid%5D$": "/[id]", "^/a%2fb$": "/a%2Fb", "^/100%$": "/100%", `^/\d+$`: "/12",
	} {
		if pattern := weburl.CanonicalPattern(expression); !regexp.MustCompile(pattern).MatchString(page) {
			t.Errorf("%q becomes %q, which does not match %q", expression, pattern, page)
		}
	}
	if pattern := weburl.CanonicalPattern("^/a%2eb$"); regexp.MustCompile(pattern).MatchString("/axb") {
		t.Errorf("an escaped dot matches anything: %q", pattern)
	}
}
