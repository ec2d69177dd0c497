package weburl_test

import (
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/model/weburl"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]weburl.URL{
		"https://example.com":                      {Scheme: "https", Host: "example.com", Path: "/"},
		"https://h.example/100%":                   {Scheme: "https", Host: "h.example", Path: "/100%"},
		"https://h.example/%E0%A4%A":               {Scheme: "https", Host: "h.example", Path: "/%E0%A4%A"},
		"https://h.example/#100%":                  {Scheme: "https", Host: "h.example", Path: "/"},
		"https://h.example/a?b=100%&c#d?e":         {Scheme: "https", Host: "h.example", Path: "/a", Query: "b=100%&c"},
		"HTTPS://User:pw@Example.COM:8443/A/../b/": {Scheme: "https", Host: "example.com", Path: "/b/"},
		"https://example.com/a/%2e%2E/./b":         {Scheme: "https", Host: "example.com", Path: "/b"},
		"http:\\\\example.com\\a\\b":               {Scheme: "http", Host: "example.com", Path: "/a/b"},
		"  https://exa\nmple.com/a\tb \x00":        {Scheme: "https", Host: "example.com", Path: "/ab"},
		"https:example.com/a":                      {Scheme: "https", Host: "example.com", Path: "/a"},
		"https://пример.рф/":                       {Scheme: "https", Host: "xn--e1afmkfd.xn--p1ai", Path: "/"},
		"https://ex%61mple.com/":                   {Scheme: "https", Host: "example.com", Path: "/"},
		"http://0x7f.1/":                           {Scheme: "http", Host: "127.0.0.1", Path: "/"},
		"http://[2001:DB8::1]:80/x":                {Scheme: "http", Host: "2001:db8::1", Path: "/x"},
		"http://localhost:3000/x":                  {Scheme: "http", Host: "localhost", Path: "/x"},
		"https://a_b.example/":                     {Scheme: "https", Host: "a_b.example", Path: "/"},
		"https://example.com./":                    {Scheme: "https", Host: "example.com.", Path: "/"},
		"app://localhost/login?a#b":                {Scheme: "app", Host: "localhost", Path: "/login", Query: "a"},
		"capacitor://localhost":                    {Scheme: "capacitor", Host: "localhost"},
	} {
		if got, ok := weburl.Parse(raw); !ok || got != want {
			t.Errorf("%q: got %+v, %t; want %+v", raw, got, ok, want)
		}
	}
	for _, raw := range []string{
		"", "/pricing", "//example.com/", "example.com/a", "https://", "https:///", "https://?a", "https://exa mple.com/", "https://a:b/", "https://a:99999/",
		"https://[::1/", "https://a<b/", "https://256.256.256.256/", "https://xn--/", "data:text/html,x", "about:blank", "javascript:alert(1)", "file:///home/jane/a.html",
	} {
		if got, ok := weburl.Parse(raw); ok {
			t.Errorf("%q: got %+v, want it refused", raw, got)
		}
	}
}

// TestLongAddress checks that an address may be as long as an event.
func TestLongAddress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a/%c3%a9.é\\", 3000)
	for _, raw := range []string{"https://example.com/" + long, "https://" + long, "https://" + strings.Repeat("/", 1<<15) + "a", "https://" + strings.Repeat("@", 1<<15) + "a/"} {
		weburl.Parse(raw)
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Example.com": "example.com", "пример.рф": "xn--e1afmkfd.xn--p1ai", "[::1]": "::1", "localhost": "localhost"} {
		if got, ok := weburl.Host(name); !ok || got != want {
			t.Errorf("%q: got %q, %t; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "a b", "a/b", "a:80", "a?b", "a#b", "a\\b", "u@a", "*.a b"} {
		if got, ok := weburl.Host(name); ok {
			t.Errorf("%q: got %q, want it refused", name, got)
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for escaped, want := range map[string]string{"": "", "a": "a", "a+b%20c%2Bd": "a b c+d", "100%": "100%", "%zz%4": "%zz%4", "caf%C3%a9": "café"} {
		if got := weburl.Unescape(escaped); got != want {
			t.Errorf("%q: got %q, want %q", escaped, got, want)
		}
	}
}
