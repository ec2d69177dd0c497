package privacy

import (
	"net/url"
	"testing"
)

// TestPlainAddress checks which addresses are parsed without url.Parse.
func TestPlainAddress(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://example.com": true, "http://www.Example.com./a/B_c~d.html?": true, "https://a/?q=%zz&utm_source=x?y": true, "https://a//b/../c": true,
		"https://": false, "https:///a": false, "ftp://a/": false, "//a/": false, "": false, "HTTPS://a/": false,
		"https://a:80/": false, "https://u@a/": false, "https://[::1]/": false, "https://a_b/": false, "https://é/": false,
		"https://a/é": false, "https://a/%20": false, "https://a/ b": false, "https://a/#b": false, "https://a/?#b": false, "https://a/?b\x00": false, "https://a/?é": false,
	} {
		a, ok := plainAddress(raw)
		if ok != want {
			t.Errorf("plainAddress(%q): ok = %t", raw, ok)
		}
		if ok {
			checkParse(t, a, raw)
		}
	}
}

// checkParse checks that url.Parse returns the same address.
func checkParse(t *testing.T, a address, raw string) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || (address{u.Hostname(), u.EscapedPath(), u.RawQuery}) != a {
		t.Errorf("plainAddress(%q) = %+v; url.Parse returns %+v, %v", raw, a, u, err)
	}
}

func FuzzPlainAddress(f *testing.F) {
	for _, seed := range []string{"https://example.com/a/b?c=d&e", "http://a.b-c.?", "https://a//", "https://-/~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if a, ok := plainAddress(raw); ok {
			checkParse(t, a, raw)
		}
	})
}
