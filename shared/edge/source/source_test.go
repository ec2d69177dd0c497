package source_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/privacy"
)

func TestOf(t *testing.T) {
	t.Parallel()
	proxies, err := privacy.TrustProxies(1, privacy.ForwardedFor)
	if err != nil {
		t.Fatal(err)
	}
	sources := source.New(proxies)
	from := func(peer, forwarded string) source.ID {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return sources.Of(r)
	}
	for name, test := range map[string]struct {
		a, b source.ID
		same bool
	}{
		"ports":                    {from("203.0.113.7:1", ""), from("203.0.113.7:2", ""), true},
		"addresses":                {from("203.0.113.7:1", ""), from("203.0.113.8:1", ""), false},
		"IPv4 in the form of IPv6": {from("203.0.113.7:1", ""), from("[::ffff:203.0.113.7]:1", ""), true},
		"a network of IPv6":        {from("[2001:db8::1]:1", ""), from("[2001:db8::ffff:1:2]:1", ""), true},
		"networks of IPv6":         {from("[2001:db8::1]:1", ""), from("[2001:db8:0:1::1]:1", ""), false},
		"clients of a proxy":       {from("10.0.0.1:1", "203.0.113.7"), from("10.0.0.1:1", "203.0.113.8"), false},
		"proxies of a client":      {from("10.0.0.1:1", "203.0.113.7"), from("10.0.0.2:1", "203.0.113.7"), true},
		"what a client claims":     {from("10.0.0.1:1", "1.1.1.1, 203.0.113.7"), from("10.0.0.1:1", "2.2.2.2, 203.0.113.7"), true},
		"no addresses":             {from("@", ""), from("", ""), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if (test.a == test.b) != test.same {
				t.Errorf("the same: %t, want %t", test.a == test.b, test.same)
			}
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if one, other := source.New(proxies), source.New(proxies); one.Of(r) == other.Of(r) {
		t.Error("two processes have the same key")
	}
}
