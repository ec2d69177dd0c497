package enrich_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
)

// TestVisitors reads data/visitors.txt: none of these people may be taken for a program, and
// each has the browser, system and device of the heading.
func TestVisitors(t *testing.T) {
	t.Parallel()
	e := load(t)
	raw, err := os.ReadFile("data/visitors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want enrich.Agent
	count := map[enrich.Agent]int{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if heading, ok := strings.CutPrefix(line, "["); ok {
			want = ofHeading(strings.TrimSuffix(heading, "]"))
			continue
		}
		got := e.Agent(line, enrich.Hints{}, netip.Addr{})
		got.BrowserVersion, got.OSVersion = "", ""
		if got != want {
			t.Errorf("got %+v, want %+v: %s", got, want, line)
		}
		count[want]++
	}
	for _, app := range []string{"Facebook", "Instagram", "TikTok", "Snapchat", "LinkedIn", "Pinterest", "LINE", "WeChat", "Viber", "Google App"} {
		for _, system := range []string{"Android", "iOS"} {
			if n := count[enrich.Agent{Browser: app, OS: system, Device: enrich.Mobile}]; n < 10 {
				t.Errorf("%d agents of %s on %s, want at least 10", n, app, system)
			}
		}
	}
}

// ofHeading reads a heading such as "Facebook, iOS, Tablet".
func ofHeading(heading string) enrich.Agent {
	browser, rest, _ := strings.Cut(heading, ", ")
	system, device, named := strings.Cut(rest, ", ")
	switch {
	case named:
	case system == "Windows" || system == "macOS":
		device = enrich.Desktop
	case system != "":
		device = enrich.Mobile
	}
	return enrich.Agent{Browser: browser, OS: system, Device: device}
}
