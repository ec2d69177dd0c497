package weburl

import (
	"testing"
	"unicode/utf8"

	"github.com/nlnwa/whatwg-url/url"
)

// TestParsePlain checks which addresses are read without the library.
func TestParsePlain(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://example.com": true, "http://www.Example.com./a/B_c~d.html?": true, "https://a/?q=%zz&utm_source=x?y": true, "https://a//b/%C3%a9": true, "https://a/#b": true, "https://a/?#b": true, "https://a_b/100%": true, "https://a/?é": true,
		"https://": false, "https:///a": false, "ftp://a/": false, "//a/": false, "": false, "HTTPS://a/": false,
		"https://a:80/": true, "http://a:8080?b": true, "https://a:": false, "https://a:99999/": false, "https://a:b/": false, "https://a:80:80/": false, "https://u@a/": false, "https://[::1]/": false, "https://é/": false, "https://1/": false, "https://a.0x1/": false, "https://a.1./": false, "https://b.xn--a/": false, "https://./": false,
		"https://a/ b": false, "https://a/b/../c": false, "https://a/.": false, "https://a/%2E/b": false, "https://a\\b": false, "https://a/?b\x00": false, "https://a/b\n": false,
	} {
		u, ok := parsePlain(raw)
		if ok != want {
			t.Errorf("parsePlain(%q): ok = %t", raw, ok)
		}
		if ok {
			checkPlain(t, u, raw)
		}
	}
}

// checkPlain checks that the library reads the same address.
func checkPlain(t *testing.T, u URL, raw string) {
	t.Helper()
	parsed, err := url.Parse(raw)
	if err != nil {
		t.Errorf("parsePlain(%q) = %+v; the library returns %v", raw, u, err)
		return
	}
	if u.Scheme != parsed.Scheme() || u.Host != parsed.Hostname() || Canonical(u.Path) != Canonical(parsed.Pathname()) || Unescape(u.Query) != Unescape(parsed.Query()) {
		t.Errorf("parsePlain(%q) = %+v; the library returns %s", raw, u, parsed)
	}
}

func FuzzParsePlain(f *testing.F) {
	for _, seed := range []string{"https://example.com/a/b?c=d&e", "http://a.b-c.?", "https://a//", "https://a-/~", "https://a/%c3%A9%", "https://a/é{}#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if u, ok := parsePlain(raw); ok && utf8.ValidString(raw) { // the library replaces what is no text
			checkPlain(t, u, raw)
		}
		if u, ok := Parse(raw); ok && u.Host == "" {
			t.Errorf("%q has no host", raw)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, raw := range map[string]string{
		"plain":   "https://example.com/pricing?utm_source=newsletter",
		"escaped": "https://example.com/%D1%82%D0%BE%D0%B2%D0%B0%D1%80%D1%8B/%D0%BE%D0%B1%D1%83%D0%B2%D1%8C#top",
		"library": "https://jane@example.com/pricing?utm_source=newsletter",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if u, ok := Parse(raw); !ok || Canonical(u.Path) == "" {
					b.Fatal(raw)
				}
			}
		})
	}
}
