package privacy_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/privacy"
)

// TestForwarded checks which address a server is taken to forward: never one that is left of
// what the server itself wrote last, and never that of a proxy.
func TestForwarded(t *testing.T) {
	t.Parallel()
	const server, visitor = "198.51.100.1", "203.0.113.7"
	for name, test := range map[string]struct {
		hops   int
		header string
		list   []string
		want   string
	}{
		"no header":                        {1, privacy.ForwardedFor, nil, ""},
		"no proxy":                         {0, privacy.ForwardedFor, []string{visitor}, visitor},
		"no proxy, list of the server":     {0, privacy.ForwardedFor, []string{"192.0.2.9, " + visitor}, visitor},
		"nothing forwarded":                {1, privacy.ForwardedFor, []string{server}, ""},
		"a proxy":                          {1, privacy.ForwardedFor, []string{visitor + ", " + server}, visitor},
		"two headers":                      {1, privacy.ForwardedFor, []string{visitor, server}, visitor},
		"two proxies":                      {2, privacy.ForwardedFor, []string{"192.0.2.9, " + visitor + ", " + server + ", 10.0.0.1"}, visitor},
		"with a port":                      {1, privacy.ForwardedFor, []string{visitor + ":443, " + server}, visitor},
		"no address":                       {1, privacy.ForwardedFor, []string{"unknown, " + server}, ""},
		"unspecified":                      {1, privacy.ForwardedFor, []string{"0.0.0.0, " + server}, ""},
		"other header, appending proxies":  {1, "CF-Connecting-IP", []string{visitor + ", " + server + ", 10.0.0.1"}, visitor},
		"other header, silent proxies":     {1, "CF-Connecting-IP", []string{visitor}, visitor},
		"other header, nothing forwarded":  {1, "CF-Connecting-IP", []string{server}, ""},
		"other header, a very long header": {1, "CF-Connecting-IP", []string{strings.Repeat("x,", 1000) + visitor}, visitor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxies, err := privacy.TrustProxies(test.hops, test.header)
			if err != nil {
				t.Fatal(err)
			}
			got := proxies.Forwarded(netip.MustParseAddr(server), http.Header{privacy.ForwardedFor: test.list})
			if test.want == "" && got.IsValid() || test.want != "" && got.String() != test.want {
				t.Errorf("got %s, want %q", got, test.want)
			}
		})
	}
}
