package enrich_test

import (
	"net/netip"
	"testing"

	"github.com/analytics-platform/analytics/shared/enrich"
	"github.com/analytics-platform/analytics/shared/privacy"
)

func load(t *testing.T) *enrich.Enricher {
	t.Helper()
	e, err := enrich.Load()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestReadAgent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header string
		want   enrich.Agent
	}{
		"Chrome on Windows": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"Safari on iPhone":  {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", enrich.Agent{Browser: "Safari", BrowserVersion: "18", OS: "iOS", OSVersion: "18", Device: enrich.Mobile}},
		"Firefox on Linux":  {"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", enrich.Agent{Browser: "Firefox", BrowserVersion: "133", OS: "Linux", OSVersion: "", Device: enrich.Desktop}},
		"Edge on macOS":     {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", enrich.Agent{Browser: "Edge", BrowserVersion: "131", OS: "macOS", OSVersion: "10", Device: enrich.Desktop}},
		"iPad":              {"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1", enrich.Agent{Browser: "Safari", BrowserVersion: "17", OS: "iOS", OSVersion: "17", Device: enrich.Tablet}},
		"a bot":             {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", enrich.Agent{Browser: "", Bot: true}},
		"a tool":            {"curl/8.5.0", enrich.Agent{Bot: true}},
		"nothing":           {"", enrich.Agent{}},
		"any text at all":   {"jane@example.com likes/5 apples", enrich.Agent{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := enrich.ReadAgent(test.header)
			if test.want.Bot {
				if !got.Bot {
					t.Errorf("%+v is not taken for a program", got)
				}
				return
			}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	e := load(t)
	for name, test := range map[string]struct {
		host            string
		campaign        privacy.Campaign
		source, channel string
	}{
		"nobody":                     {"", privacy.Campaign{}, "Direct / None", "Direct"},
		"a search engine":            {"google.com", privacy.Campaign{}, "Google", "Organic Search"},
		"in another country":         {"google.co.uk", privacy.Campaign{}, "Google", "Organic Search"},
		"below its domain":           {"images.google.de", privacy.Campaign{}, "Google", "Organic Search"},
		"its mail is no search":      {"mail.google.com", privacy.Campaign{}, "Gmail", "Email"},
		"a name that only begins so": {"google.example.com", privacy.Campaign{}, "google.example.com", "Referral"},
		"a network":                  {"t.co", privacy.Campaign{}, "X", "Organic Social"},
		"an assistant":               {"chatgpt.com", privacy.Campaign{}, "ChatGPT", "AI Assistants"},
		"a site":                     {"blog.example.org", privacy.Campaign{}, "blog.example.org", "Referral"},
		"a campaign before all":      {"google.com", privacy.Campaign{Source: "newsletter", Medium: "email"}, "newsletter", "Email"},
		"a known name in a campaign": {"", privacy.Campaign{Source: "google", Medium: "cpc"}, "Google", "Paid Search"},
		"paid social":                {"", privacy.Campaign{Source: "facebook", Medium: "paid"}, "Facebook", "Paid Social"},
		"ref":                        {"", privacy.Campaign{Ref: "producthunt.com"}, "Product Hunt", "Organic Social"},
		"display":                    {"", privacy.Campaign{Source: "adnet", Medium: "banner"}, "adnet", "Display"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, channel := e.Source(test.host, test.campaign)
			if source != test.source || channel != test.channel {
				t.Errorf("got %q by %q, want %q by %q", source, channel, test.source, test.channel)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	e := load(t)
	if !e.KnowsPlaces() {
		t.Fatal("the database of countries is missing: run `make build`")
	}
	for address, want := range map[string]string{
		"193.0.6.139":     "NL", // RIPE NCC
		"2001:67c:2e8::1": "NL",
		"133.11.0.1":      "JP", // University of Tokyo
		"127.0.0.1":       "",
		"10.1.2.3":        "",
	} {
		if got := e.Place(netip.MustParseAddr(address)).Country; got != want {
			t.Errorf("the country of %s is %q, want %q", address, got, want)
		}
	}
	if got := e.Place(netip.Addr{}); got != (enrich.Place{}) {
		t.Errorf("no address is in %+v", got)
	}
}

func FuzzReadAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
	f.Fuzz(func(t *testing.T, header string) {
		switch a := enrich.ReadAgent(header); a.Device {
		case "", enrich.Desktop, enrich.Mobile, enrich.Tablet:
		default:
			t.Fatalf("%q has the device %q", header, a.Device)
		}
	})
}
