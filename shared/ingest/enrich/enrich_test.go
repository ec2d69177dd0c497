package enrich_test

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/privacy"
)

func load(tb testing.TB) *enrich.Enricher {
	tb.Helper()
	e, err := enrich.Load(enrich.Files{})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestAgent(t *testing.T) {
	t.Parallel()
	e := load(t)
	for name, test := range map[string]struct {
		header string
		hints  enrich.Hints
		want   enrich.Agent
	}{
		"Chrome on Windows":   {chrome, enrich.Hints{}, enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"Windows 11 by hints": {chrome, enrich.Hints{Platform: "Windows", PlatformVersion: "15.0.0"}, enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "Windows", OSVersion: "11", Device: enrich.Desktop}},
		"Brave by hints":      {chrome, enrich.Hints{Brands: `"Chromium";v="131", "Brave";v="131"`}, enrich.Agent{Browser: "Brave", BrowserVersion: "131", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"Safari on iPhone":    {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", enrich.Hints{}, enrich.Agent{Browser: "Safari", BrowserVersion: "18", OS: "iOS", OSVersion: "18", Device: enrich.Mobile}},
		"Chrome on iPhone":    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", enrich.Hints{}, enrich.Agent{Browser: "Chrome", BrowserVersion: "126", OS: "iOS", OSVersion: "17", Device: enrich.Mobile}},
		"Firefox on iPhone":   {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15", enrich.Hints{}, enrich.Agent{Browser: "Firefox", BrowserVersion: "127", OS: "iOS", OSVersion: "17", Device: enrich.Mobile}},
		"Firefox on Linux":    {"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", enrich.Hints{}, enrich.Agent{Browser: "Firefox", BrowserVersion: "133", OS: "Linux", Device: enrich.Desktop}},
		"Edge on macOS":       {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", enrich.Hints{}, enrich.Agent{Browser: "Edge", BrowserVersion: "131", OS: "macOS", OSVersion: "10", Device: enrich.Desktop}},
		"Opera on Windows":    {chrome + " OPR/116.0.0.0", enrich.Hints{}, enrich.Agent{Browser: "Opera", BrowserVersion: "116", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"Samsung Internet":    {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "Samsung Internet", BrowserVersion: "27", OS: "Android", OSVersion: "10", Device: enrich.Mobile}},
		"Chrome on a Pixel":   {"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "Android", OSVersion: "14", Device: enrich.Mobile}},
		"ChromeOS":            {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "ChromeOS", Device: enrich.Desktop}},
		"iPad":                {"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1", enrich.Hints{}, enrich.Agent{Browser: "Safari", BrowserVersion: "17", OS: "iOS", OSVersion: "17", Device: enrich.Tablet}},
		"Instagram on iPhone": {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F90 Instagram 334.0.4.32.98 (iPhone14,5; iOS 17_5_1; en_US)", enrich.Hints{}, enrich.Agent{Browser: "Instagram", BrowserVersion: "334", OS: "iOS", OSVersion: "17", Device: enrich.Mobile}},
		"Smart TV of LG":      {"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "Chrome", BrowserVersion: "94", OS: "webOS", Device: enrich.TV}},
		"PlayStation":         {"Mozilla/5.0 (PlayStation; PlayStation 5/6.50) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15", enrich.Hints{}, enrich.Agent{Browser: "PlayStation", BrowserVersion: "", OS: "PlayStation", Device: enrich.Console}},
		"DuckDuckGo by hints": {
			"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36",
			enrich.Hints{Brands: `"DuckDuckGo";v="138", "Chromium";v="137", "Not/A)Brand";v="24"`, Platform: "Android"},
			enrich.Agent{Browser: "DuckDuckGo", BrowserVersion: "138", OS: "Android", OSVersion: "10", Device: enrich.Mobile},
		},
		"brand without version":  {chrome, enrich.Hints{Brands: `"Opera"`}, enrich.Agent{Browser: "Opera", BrowserVersion: "131", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"Chrome's own brands":    {chrome, enrich.Hints{Brands: `"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`}, enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"broken brands":          {chrome, enrich.Hints{Brands: `Brave";v="131`}, enrich.Agent{Browser: "Chrome", BrowserVersion: "131", OS: "Windows", OSVersion: "10", Device: enrich.Desktop}},
		"app's own agent":        {"ShopApp/1.0", enrich.Hints{Brands: `"Android WebView";v="137", "Chromium";v="137"`}, enrich.Agent{}},
		"Facebook on iPhone":     {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22B83 [FBAN/FBIOS;FBAV/493.0.0.58.76;FBBV/1]", enrich.Hints{}, enrich.Agent{Browser: "Facebook", BrowserVersion: "493", OS: "iOS", OSVersion: "18", Device: enrich.Mobile}},
		"Facebook without a tag": {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22G100 Safari/604.1 MetaIAB Facebook", enrich.Hints{}, enrich.Agent{Browser: "Facebook", OS: "iOS", OSVersion: "18", Device: enrich.Mobile}},
		"app's view on iPhone":   {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", enrich.Hints{}, enrich.Agent{Browser: "Safari", OS: "iOS", OSVersion: "17", Device: enrich.Mobile}},
		"Brave on iPhone":        {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.4 Mobile/15E148 Safari/604.1 Brave", enrich.Hints{}, enrich.Agent{Browser: "Brave", BrowserVersion: "26", OS: "iOS", OSVersion: "18", Device: enrich.Mobile}},
		"Snapchat on Android":    {"Mozilla/5.0 (Linux; Android 12; Pixel 6 Pro Build/SQ3A.220605.009.A1; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/102.0.5005.125 Mobile Safari/537.36Snapchat11.83.0.31 (Pixel 6 Pro; Android 12#8643238#32; gzip; )", enrich.Hints{}, enrich.Agent{Browser: "Snapchat", BrowserVersion: "11", OS: "Android", OSVersion: "12", Device: enrich.Mobile}},
		"Opera Mini":             {"Opera/9.80 (Android; Opera Mini/36.2.2254/191.256; U; en) Presto/2.12.423 Version/12.16", enrich.Hints{}, enrich.Agent{Browser: "Opera Mini", BrowserVersion: "36", OS: "Android", Device: enrich.Mobile}},
		"Opera with Presto":      {"Opera/9.80 (Windows NT 6.1; WOW64; U; de) Presto/2.12.388 Version/12.18", enrich.Hints{}, enrich.Agent{Browser: "Opera", BrowserVersion: "12", OS: "Windows", OSVersion: "7", Device: enrich.Desktop}},
		"Opera before 9.80":      {"Opera/9.64 (Windows NT 6.1; U; en) Presto/2.1.1", enrich.Hints{}, enrich.Agent{Browser: "Opera", BrowserVersion: "9", OS: "Windows", OSVersion: "7", Device: enrich.Desktop}},
		"Opera as IE":            {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; en) Opera 11.64", enrich.Hints{}, enrich.Agent{Browser: "Opera", BrowserVersion: "11", OS: "Windows", OSVersion: "7", Device: enrich.Desktop}},
		"Fire TV":                {"Mozilla/5.0 (Linux; Android 9; AFTKA) AppleWebKit/537.36 (KHTML, like Gecko) Silk/120.4.1 like Chrome/120.0.6099.230 Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "Amazon Silk", BrowserVersion: "120", OS: "Android", OSVersion: "9", Device: enrich.TV}},
		"phone with a TV tuner":  {"Mozilla/5.0 (Linux; Android 8.1.0; KAZAM TV 45) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.116 Mobile Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "Chrome", BrowserVersion: "79", OS: "Android", OSVersion: "8", Device: enrich.Mobile}},
		"no system":              {"AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/118.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", enrich.Hints{}, enrich.Agent{Browser: "DuckDuckGo", BrowserVersion: "5"}},
		"empty":                  {"", enrich.Hints{}, enrich.Agent{Bot: enrich.BotUnknown}},
		"unrelated text":         {"jane@example.com likes/5 apples", enrich.Hints{}, enrich.Agent{Bot: enrich.BotUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := e.Agent(test.header, test.hints, netip.Addr{}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

func TestBot(t *testing.T) {
	t.Parallel()
	networks := filepath.Join(t.TempDir(), "networks")
	if err := os.WriteFile(networks, []byte("# a provider\n192.0.2.0/24\n2001:db8::/32 # another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := enrich.Load(enrich.Files{Datacenters: networks})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		header  string
		hints   enrich.Hints
		address string
		want    enrich.BotReason
	}{
		"person":              {chrome, enrich.Hints{}, "198.51.100.1", ""},
		"phone named Cubot":   {"Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", enrich.Hints{}, "198.51.100.1", ""},
		"Google's crawler":    {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", enrich.Hints{}, "198.51.100.1", enrich.BotUserAgent},
		"assistant's crawler": {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", enrich.Hints{}, "198.51.100.1", enrich.BotUserAgent},
		"command-line tool":   {"curl/8.5.0", enrich.Hints{}, "198.51.100.1", enrich.BotUserAgent},
		"library of PHP":      {"PHP/8.2", enrich.Hints{}, "198.51.100.1", enrich.BotUserAgent},
		"library of Dart":     {"Dart/3.3 (dart:io)", enrich.Hints{}, "198.51.100.1", enrich.BotUnknown},
		"library of Ruby":     {"Faraday v2.9.0", enrich.Hints{}, "198.51.100.1", enrich.BotUnknown},
		"unknown crawler":     {"Mozilla/5.0 (compatible; Example/1.0)", enrich.Hints{}, "198.51.100.1", enrich.BotUnknown},
		"native app":          {"ShopApp/1 CFNetwork/1410.1 Darwin/22.6.0", enrich.Hints{}, "198.51.100.1", enrich.BotUnknown},
		"no user agent":       {"", enrich.Hints{}, "198.51.100.1", enrich.BotUnknown},
		"unknown, datacenter": {"Dart/3.3 (dart:io)", enrich.Hints{}, "192.0.2.7", enrich.BotDatacenter},
		"Cypress":             {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Cypress/13.6.0 Chrome/114.0.5735.289 Electron/25.8.4 Safari/537.36", enrich.Hints{}, "198.51.100.1", enrich.BotHeadless},
		"dash":                {"-", enrich.Hints{}, "198.51.100.1", enrich.BotUserAgent},
		"attack":              {"${jndi:ldap://x}", enrich.Hints{}, "198.51.100.1", enrich.BotUserAgent},
		"headless":            {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36", enrich.Hints{}, "198.51.100.1", enrich.BotHeadless},
		"headless by brand":   {chrome, enrich.Hints{Brands: `"HeadlessChrome";v="131"`}, "198.51.100.1", enrich.BotHeadless},
		"prefetch":            {chrome, enrich.Hints{Purpose: "prefetch;prerender"}, "198.51.100.1", enrich.BotPrefetch},
		"datacenter":          {chrome, enrich.Hints{}, "::ffff:192.0.2.7", enrich.BotDatacenter},
		"datacenter, IPv6":    {chrome, enrich.Hints{}, "2001:db8::1", enrich.BotDatacenter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := e.Agent(test.header, test.hints, netip.MustParseAddr(test.address)).Bot; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestLibraries reads the agents of libraries with which servers and apps send events. None is a
// known program, since those of a server with a write key count.
func TestLibraries(t *testing.T) {
	t.Parallel()
	e := load(t)
	for _, header := range []string{
		"analytics-node-next/latest", "analytics-python/2.3.2", "analytics-ruby/2.5.0", "analytics-java/3.5.1", "analytics-go (version: 3.3.0)",
		"analytics-php/3.8.0", "analytics-android/4.11.3", "Mozilla/5.0 Umami/v20.19.0", "MatomoTrackerSDK/7.7.0",
	} {
		if got := e.Agent(header, enrich.Hints{}, netip.Addr{}).Bot; got != enrich.BotUnknown {
			t.Errorf("%s: got %q, want %q", header, got, enrich.BotUnknown)
		}
	}
}

// TestMonitors reads the agents of monitors that open pages in a real browser, and so run their
// scripts.
func TestMonitors(t *testing.T) {
	t.Parallel()
	e := load(t)
	for _, monitor := range []string{
		"CloudflareObservatory/1.0", "DynatraceSynthetic", "RuxitSynthetic/1.0 v1", "DatadogSynthetics", "Datadog/Synthetics", "PageSpeedPlus.com",
		"PTST/240101.120000", "Chrome-Lighthouse", "GTmetrix", "PingdomTMS/2020.2", "PingdomPageSpeed/1.0", "Site24x7", "StatusCake", "Checkly/1.0",
		"Catchpoint", "GomezAgent 3.0", "KTXN", "SpeedCurve", "DebugBear", "sitespeed.io", "Elastic/Synthetics", "CloudWatchSynthetics/arn:aws:synthetics:eu-west-1",
		"NewRelicSynthetics", "UptimeRobot/2.0", "ThousandEyes", "RapidSpike", "AlertSite", "DejaClick/2.9", "ObservePoint", "BetterUptime", "Percy/1.0",
	} {
		if got := e.Agent(chrome+" "+monitor, enrich.Hints{}, netip.Addr{}).Bot; got == "" {
			t.Errorf("%s is taken for a visitor", monitor)
		}
	}
}

func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("192.0.2.0/24\nnot a network\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		files enrich.Files
		want  string
	}{
		"invalid database": {enrich.Files{Places: path}, "is not a database in MaxMind's format"},
		"missing file":     {enrich.Files{Places: path + "x"}, "no such file"},
		"invalid networks": {enrich.Files{Datacenters: path}, "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := enrich.Load(test.files); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestOwnPlaces reads the operator's database before and after the file is replaced.
func TestOwnPlaces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "city.mmdb")
	writePlaces(t, path, mmdbtype.Map{
		"country":      mmdbtype.Map{"iso_code": mmdbtype.String("GB")},
		"subdivisions": mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String("ENG")}},
		"city":         mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("London")}},
	})
	e, err := enrich.Load(enrich.Files{Places: path})
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddr("81.2.69.142")
	if got, want := e.Place(address), (enrich.Place{Country: "GB", Region: "GB-ENG", City: "London"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	writePlaces(t, path, mmdbtype.Map{"country_code": mmdbtype.String("FR"), "city": mmdbtype.String("Saint-Denis")})
	if err := e.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got, want := e.Place(address), (enrich.Place{Country: "FR", City: "Saint-Denis"}); got != want {
		t.Errorf("after the change: got %+v, want %+v", got, want)
	}
}

func writePlaces(t *testing.T, path string, record mmdbtype.Map) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-City", RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("81.2.69.0/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(network, record); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := tree.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestClickIDs checks that every click id that package privacy retains has a source.
func TestClickIDs(t *testing.T) {
	t.Parallel()
	e := load(t)
	for _, id := range privacy.ClickIDs() {
		if source, _ := e.Source("", privacy.Campaign{ClickID: id}); source == enrich.Direct {
			t.Errorf("no source has the click id %s", id)
		}
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
		"direct":                       {"", privacy.Campaign{}, "Direct / None", "Direct"},
		"search engine":                {"google.com", privacy.Campaign{}, "Google", "Organic Search"},
		"search engine of a country":   {"google.co.uk", privacy.Campaign{}, "Google", "Organic Search"},
		"subdomain of a search engine": {"images.google.de", privacy.Campaign{}, "Google", "Organic Search"},
		"mail of a search engine":      {"mail.google.com", privacy.Campaign{}, "Gmail", "Email"},
		"host with the same prefix":    {"google.example.com", privacy.Campaign{}, "google.example.com", "Referral"},
		"social network":               {"t.co", privacy.Campaign{}, "X", "Organic Social"},
		"AI assistant":                 {"chatgpt.com", privacy.Campaign{}, "ChatGPT", "AI Assistants"},
		"unknown site":                 {"blog.example.org", privacy.Campaign{}, "blog.example.org", "Referral"},
		"campaign before referrer":     {"google.com", privacy.Campaign{Source: "newsletter", Medium: "email"}, "newsletter", "Email"},
		"known source in a campaign":   {"", privacy.Campaign{Source: "google", Medium: "cpc"}, "Google", "Paid Search"},
		"paid social":                  {"", privacy.Campaign{Source: "facebook", Medium: "paid"}, "Facebook", "Paid Social"},
		"ref":                          {"", privacy.Campaign{Ref: "producthunt.com"}, "Product Hunt", "Organic Social"},
		"paid click":                   {"google.com", privacy.Campaign{ClickID: "gclid"}, "Google", "Paid Search"},
		"click that may be unpaid":     {"l.facebook.com", privacy.Campaign{ClickID: "fbclid"}, "Facebook", "Organic Social"},
		"shop":                         {"amazon.de", privacy.Campaign{}, "Amazon", "Organic Shopping"},
		"referrers.json":               {"metager.de", privacy.Campaign{}, "Metager", "Organic Search"},
		"display":                      {"", privacy.Campaign{Source: "somebody", Medium: "banner"}, "somebody", "Display"},
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
	for address, want := range map[string]string{
		"193.0.6.139":     "NL", // RIPE NCC
		"2001:67c:2e8::1": "NL",
		"133.11.0.1":      "JP", // University of Tokyo
		"127.0.0.1":       "",
		"10.1.2.3":        "",
	} {
		if got := e.Place(netip.MustParseAddr(address)).Country; got != want {
			t.Errorf("country of %s: got %q, want %q", address, got, want)
		}
	}
	if got := e.Place(netip.Addr{}); got != (enrich.Place{}) {
		t.Errorf("zero address: got %+v, want no place", got)
	}
}

func FuzzAgent(f *testing.F) {
	e := load(f)
	f.Add(chrome, "", "", "")
	f.Add("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)", `"Brave"`, "Windows", "15.0")
	f.Fuzz(func(t *testing.T, header, brands, platform, version string) {
		hints := enrich.Hints{Brands: brands, Platform: platform, PlatformVersion: version}
		a := e.Agent(header, hints, netip.Addr{})
		switch a.Device {
		case "", enrich.Desktop, enrich.Mobile, enrich.Tablet, enrich.TV, enrich.Console:
		default:
			t.Fatalf("%q has the device %q", header, a.Device)
		}
		if len(a.BrowserVersion) > 5 || len(a.OSVersion) > 5 {
			t.Fatalf("%q has the versions %+v", header, a)
		}
	})
}

func FuzzSource(f *testing.F) {
	e := load(f)
	f.Add("google.co.uk", "", "", "")
	f.Add("", "newsletter", "email", "gclid")
	f.Fuzz(func(t *testing.T, host, source, medium, id string) {
		c := privacy.Campaign{Source: source, Medium: medium, ClickID: id}
		name, channel := e.Source(host, c)
		if channel == "" {
			t.Fatal("no channel")
		}
		c.Source, c.Medium = strings.ToLower(source), strings.ToLower(medium)
		if lower, other := e.Source(host, c); lower != name || other != channel {
			t.Fatalf("%q is by %q, and in lower case %q by %q", name, channel, lower, other)
		}
	})
}

func FuzzHints(f *testing.F) {
	f.Add(`"Chromium";v="131", "Brave";v="131"`, `"Windows"`, `"15.0.0"`, "prefetch;prerender")
	f.Fuzz(func(t *testing.T, brands, platform, version, purpose string) {
		h := http.Header{}
		for name, value := range map[string]string{
			"Sec-CH-UA": brands, "Sec-CH-UA-Platform": platform, "Sec-CH-UA-Platform-Version": version, "Sec-Purpose": purpose,
		} {
			h.Set(name, value)
		}
		hints := enrich.ReadHints(h)
		if strings.HasPrefix(hints.Platform, `"`) || strings.HasSuffix(hints.PlatformVersion, `"`) {
			t.Fatalf("%+v", hints)
		}
	})
}

func FuzzNetworks(f *testing.F) {
	f.Add("# a provider\n192.0.2.0/24\n2001:db8::/32 # another\n", "192.0.2.7")
	f.Add("0.0.0.0/0\n::ffff:1.2.3.4/128", "::1")
	f.Fuzz(func(t *testing.T, list, address string) {
		networks, err := enrich.ParseNetworks(list)
		if err != nil {
			return
		}
		of, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		within := false
		for line := range strings.Lines(list) {
			text, _, _ := strings.Cut(line, "#")
			if prefix, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
				within = within || prefix.Contains(of)
			}
		}
		if networks.Contains(of) != within {
			t.Fatalf("Contains(%s) = %t", of, !within)
		}
	})
}

func BenchmarkAgent(b *testing.B) {
	e := load(b)
	b.ReportAllocs()
	for b.Loop() {
		e.Agent(chrome, enrich.Hints{}, netip.Addr{})
	}
}

// BenchmarkLoad measures the share of a cold start.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b)
	}
}
