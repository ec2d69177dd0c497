package privacy_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header http.Header
		want   bool
	}{
		"no header":            {http.Header{}, false},
		"DNT":                  {http.Header{"Dnt": {"1"}}, true},
		"DNT: 0":               {http.Header{"Dnt": {"0"}}, false},
		"GPC":                  {http.Header{"Sec-Gpc": {"1"}}, true},
		"unknown value of GPC": {http.Header{"Sec-Gpc": {"true"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := privacy.Refused(test.header); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	const gateway = "10.0.0.1:80"
	for name, test := range map[string]struct {
		peer   string
		hops   int
		header string
		values []string
		want   string
	}{
		"peer":                              {"203.0.113.7:4711", 0, "X-Forwarded-For", nil, "203.0.113.7"},
		"header without a trusted proxy":    {"203.0.113.7:4711", 0, "X-Forwarded-For", []string{"198.51.100.1"}, "203.0.113.7"},
		"one proxy":                         {gateway, 1, "X-Forwarded-For", []string{"203.0.113.7"}, "203.0.113.7"},
		"one proxy, forged entry before it": {gateway, 1, "X-Forwarded-For", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"two proxies":                       {gateway, 2, "X-Forwarded-For", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"two proxies in two headers":        {gateway, 2, "X-Forwarded-For", []string{"203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		"port, as OpenFaaS sends":           {gateway, 1, "X-Forwarded-For", []string{"203.0.113.7:5000"}, "203.0.113.7"},
		"fewer entries than proxies":        {gateway, 3, "X-Forwarded-For", []string{"203.0.113.7"}, "10.0.0.1"},
		"proxy without a header":            {gateway, 1, "X-Forwarded-For", nil, "10.0.0.1"},
		"three proxies in two headers":      {gateway, 3, "X-Forwarded-For", []string{"198.51.100.1, 203.0.113.7", "10.0.0.3,10.0.0.2"}, "203.0.113.7"},
		"trailing comma":                    {gateway, 1, "X-Forwarded-For", []string{"203.0.113.7,"}, "10.0.0.1"},
		"empty header":                      {gateway, 2, "X-Forwarded-For", []string{"203.0.113.7", ""}, "203.0.113.7"},
		"unspecified address":               {gateway, 1, "X-Forwarded-For", []string{"0.0.0.0"}, "10.0.0.1"},
		"entry without an address":          {gateway, 1, "X-Forwarded-For", []string{"unknown"}, "10.0.0.1"},
		"IPv6":                              {"[2001:db8::1]:80", 0, "X-Forwarded-For", nil, "2001:db8::1"},
		"IPv6 without brackets":             {gateway, 1, "X-Forwarded-For", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 in brackets":                  {gateway, 1, "X-Forwarded-For", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6 in brackets with a port":      {gateway, 1, "X-Forwarded-For", []string{"[2001:db8::1]:5000"}, "2001:db8::1"},
		"IPv4 in IPv6":                      {"[::ffff:203.0.113.7]:80", 0, "X-Forwarded-For", nil, "203.0.113.7"},
		"no address":                        {"@", 0, "X-Forwarded-For", nil, "invalid IP"},
		"Forwarded":                         {gateway, 1, "Forwarded", []string{"for=198.51.100.1, for=203.0.113.7;proto=https;by=10.0.0.1"}, "203.0.113.7"},
		"Forwarded, IPv6 with a port":       {gateway, 1, "forwarded", []string{`for="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17"},
		"Forwarded, two proxies":            {gateway, 2, "Forwarded", []string{`For="198.51.100.1", for=203.0.113.7, for=10.0.0.2`}, "203.0.113.7"},
		"Forwarded, obfuscated name":        {gateway, 1, "Forwarded", []string{"for=_hidden"}, "10.0.0.1"},
		"Cloudflare":                        {gateway, 1, "CF-Connecting-IP", []string{"203.0.113.7"}, "203.0.113.7"},
		"Cloudflare, IPv6":                  {gateway, 1, "cf-connecting-ip", []string{"2001:db8::1"}, "2001:db8::1"},
		"Cloudflare, no trusted proxy":      {gateway, 0, "CF-Connecting-IP", []string{"203.0.113.7"}, "10.0.0.1"},
		"header missing":                    {gateway, 1, "CF-Connecting-IP", nil, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxies, err := privacy.TrustProxies(test.hops, test.header)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{"X-Other": {"192.0.2.99"}}
			for _, value := range test.values {
				h.Add(test.header, value)
			}
			if got := proxies.ClientAddress(test.peer, h); got.String() != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if _, err := privacy.TrustProxies(-1, "X-Forwarded-For"); err == nil {
		t.Error("a negative number of proxies is accepted")
	}
	if _, err := privacy.TrustProxies(1, "not a header"); err == nil {
		t.Error("an invalid header name is accepted")
	}
	if _, err := privacy.TrustProxies(1, ""); err == nil {
		t.Error("an empty header name is accepted")
	}
}

func FuzzClientAddress(f *testing.F) {
	f.Add("10.0.0.1:80", "X-Forwarded-For", "198.51.100.1, 203.0.113.7:90", 1)
	f.Add("[::1]:80", "Forwarded", `for="[2001:db8::1]:4711";by=x, for=unknown`, 2)
	f.Add("@", "CF-Connecting-IP", "fe80::1%eth0", 1)
	f.Fuzz(func(t *testing.T, peer, header, value string, hops int) {
		proxies, err := privacy.TrustProxies(hops, header)
		if err != nil {
			return
		}
		h := http.Header{}
		h.Set(header, value)
		a := proxies.ClientAddress(peer, h)
		if a.Zone() != "" || a.Is4In6() {
			t.Errorf("%s is not normalized", a)
		}
		if own, _ := privacy.ParseAddress(peer); hops == 0 && a != own {
			t.Errorf("%s was trusted without a trusted proxy", a)
		}
	})
}

func TestVisitor(t *testing.T) {
	t.Parallel()
	salt, other := &privacy.Salt{1}, &privacy.Salt{2}
	address := netip.MustParseAddr("203.0.113.7")
	base := privacy.Visitor(salt, 1, address, "agent")
	if base != privacy.Visitor(salt, 1, address, "agent") {
		t.Error("the same visitor has two pseudonyms")
	}
	for name, differs := range map[string]int64{
		"salt":    privacy.Visitor(other, 1, address, "agent"),
		"site":    privacy.Visitor(salt, 2, address, "agent"),
		"address": privacy.Visitor(salt, 1, netip.MustParseAddr("203.0.113.8"), "agent"),
		"agent":   privacy.Visitor(salt, 1, address, "agent 2"),
	} {
		if differs == base {
			t.Errorf("the visitor does not depend on the %s", name)
		}
	}
	if privacy.Subject([]byte("k"), 1, "a") == privacy.Subject([]byte("k"), 2, "a") {
		t.Error("a subject has the same hash on two sites")
	}
}

// TestSaltDays checks that the local day of every time zone always has a salt, and that the
// previous day has one until SaltGrace after its end.
func TestSaltDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "now"), 0)
		zone := time.FixedZone("", rapid.IntRange(-12*4, 14*4).Draw(t, "quarters")*15*60)
		first, last := privacy.SaltDays(now)
		today := event.DayOf(now.In(zone))
		if today < first || today > last {
			t.Fatalf("%s in zone %s has no salt: got %s to %s", today, zone, first, last)
		}
		if ended := event.DayOf(now.Add(-privacy.SaltGrace).In(zone)); ended < first {
			t.Fatalf("%s, which ended less than SaltGrace ago, has no salt", ended)
		}
		if last-first > 4 {
			t.Fatalf("%d days have a salt, want at most 5", last-first+1)
		}
	})
}

func TestReadPage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		raw  string
		want privacy.Page
		ok   bool
	}{
		"plain":          {"https://example.com/a/b", privacy.Page{Hostname: "example.com", Path: "/a/b"}, true},
		"no path":        {"https://www.Example.com", privacy.Page{Hostname: "example.com", Path: "/"}, true},
		"port":           {"http://localhost:8080/x", privacy.Page{Hostname: "localhost", Path: "/x"}, true},
		"secrets":        {"https://a.com/reset?token=s3cret&email=jane#id", privacy.Page{Hostname: "a.com", Path: "/reset"}, true},
		"credentials":    {"https://jane:pw@a.com/", privacy.Page{Hostname: "a.com", Path: "/"}, true},
		"campaign":       {"https://a.com/?utm_source=s&utm_medium=m&utm_campaign=c&utm_term=t&utm_content=n&x=y", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{Source: "s", Medium: "m", Name: "c", Term: "t", Content: "n"}}, true},
		"ref":            {"https://a.com/?ref=hn", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{Ref: "hn"}}, true},
		"source for ref": {"https://a.com/?source=hn", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{Ref: "hn"}}, true},
		"repeated":       {"https://a.com/?utm_source=&utm_source=b&utm_source=c", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{Source: "b"}}, true},
		"escaped":        {"https://a.com/?utm_campaign=spring+sale%21&utm_term=%zz", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{Name: "spring sale!", Term: "%zz"}}, true},
		"percent sign":   {"https://a.com/?utm_campaign=100%&utm%5Fterm=50%+off%21%2", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{Name: "100%", Term: "50% off!%2"}}, true},
		"app":            {"app://localhost/login?utm_source=x#y", privacy.Page{Hostname: "localhost", Path: "/login", Campaign: privacy.Campaign{Source: "x"}}, true},
		"no host":        {"data:text/html,x", privacy.Page{}, false},
		"file":           {"file:///home/jane/page.html", privacy.Page{}, false},
		"click ids":      {"https://a.com/?fbclid=1&msclkid=2&gclid=&x", privacy.Page{Hostname: "a.com", Path: "/", Campaign: privacy.Campaign{ClickID: "msclkid"}}, true},
		"escaped path":   {"https://a.com/caf%C3%A9%20x", privacy.Page{Hostname: "a.com", Path: "/café x"}, true},
		"relative":       {"/pricing", privacy.Page{}, false},
		"other scheme":   {"javascript:alert(1)", privacy.Page{}, false},
		"invalid":        {"http://[", privacy.Page{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := privacy.ReadPage(test.raw)
			if got != test.want || ok != test.ok {
				t.Errorf("got %+v, %t; want %+v, %t", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestPersonal(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"email": true, "E-Mail": true, "user_email": true, "phoneNumber": true, "credit card": true, "ip": true,
		"plan": false, "theme": false, "emails_sent": false, "company": false, "zip": false,
	} {
		if got := privacy.Personal(key); got != want {
			t.Errorf("Personal(%q) = %t", key, got)
		}
	}
}

// TestVisitorHMAC compares Visitor with the standard library's HMAC, for user agents that
// fit its buffer and for longer ones.
func TestVisitorHMAC(t *testing.T) {
	t.Parallel()
	salt, address := &privacy.Salt{}, netip.MustParseAddr("2001:db8::7")
	for i := range salt {
		salt[i] = byte(7 * i)
	}
	for length := range 700 {
		agent := strings.Repeat("a", length)
		hash := hmac.New(sha256.New, salt[:])
		as16 := address.As16()
		_, _ = hash.Write(slices.Concat([]byte{0, 0, 1, 2}, as16[:], []byte(agent)))
		if got, want := privacy.Visitor(salt, 258, address, agent), int64(binary.BigEndian.Uint64(hash.Sum(nil))); got != want {
			t.Fatalf("user agent of %d bytes: got %d, want %d", length, got, want)
		}
	}
}

func TestSender(t *testing.T) {
	t.Parallel()
	salt := &privacy.Salt{1}
	sender := func(address string) uint64 { return privacy.Sender(salt, netip.MustParseAddr(address)) }
	if sender("2001:db8::1") != sender("2001:db8::ffff:2") || sender("2001:db8::1") == sender("2001:db8:0:1::1") {
		t.Error("an IPv6 sender is not a /64 network")
	}
	if sender("192.0.2.1") == sender("192.0.2.2") || sender("192.0.2.1") == privacy.Sender(&privacy.Salt{2}, netip.MustParseAddr("192.0.2.1")) {
		t.Error("two senders have the same key")
	}
}

func FuzzReadPage(f *testing.F) {
	f.Add("https://example.com/a?utm_source=x")
	f.Fuzz(func(t *testing.T, raw string) {
		if page, ok := privacy.ReadPage(raw); ok && (page.Hostname == "" && page.Path == "" || len(page.Campaign.Source) > privacy.MaxCampaign) {
			t.Fatalf("ReadPage(%q) = %+v", raw, page)
		}
		privacy.ReadReferrer(raw)
	})
}
