//go:build countries

package enrich_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
)

// readPackage decodes a JSON file of an npm package. These tests have the build tag of the
// country database, since `make` installs both from npm.
func readPackage(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile("../../../node_modules/" + path)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("run `npm ci`: %v", err)
	}
}

// TestRealVisitors reads the user agents of real visitors. Nearly all must be recognized,
// with the right device, and not taken for programs.
func TestRealVisitors(t *testing.T) {
	t.Parallel()
	e := load(t)
	var visitors []struct {
		UserAgent string  `json:"userAgent"`
		Device    string  `json:"deviceCategory"`
		Weight    float64 `json:"weight"`
	}
	readPackage(t, "user-agents/dist/user-agents.json", &visitors)
	devices := map[string]string{"desktop": enrich.Desktop, "mobile": enrich.Mobile, "tablet": enrich.Tablet}
	var all, programs, unknown, otherDevice float64
	for _, v := range visitors {
		all += v.Weight
		a := e.Agent(v.UserAgent, enrich.Hints{}, netip.Addr{})
		if a.Bot != "" {
			programs += v.Weight
			t.Logf("%s: %s", a.Bot, v.UserAgent)
		}
		if a.Browser == "" || a.BrowserVersion == "" || a.OS == "" {
			unknown += v.Weight
			t.Logf("%+v: %s", a, v.UserAgent)
		}
		if a.Device != devices[v.Device] {
			otherDevice += v.Weight
			t.Logf("%s is %s: %s", v.Device, a.Device, v.UserAgent)
		}
	}
	if len(visitors) < 500 || programs > 0 || unknown > 0.001*all || otherDevice > 0.02*all {
		t.Errorf("of %d user agents, %.2f %% are taken for programs, %.2f %% are unknown and %.2f %% have the wrong device",
			len(visitors), 100*programs/all, 100*unknown/all, 100*otherDevice/all)
	}
}

// TestRealPrograms reads the user agents of real programs.
func TestRealPrograms(t *testing.T) {
	t.Parallel()
	e := load(t)
	var programs []struct {
		Pattern   string   `json:"pattern"`
		Instances []string `json:"instances"`
	}
	readPackage(t, "crawler-user-agents/crawler-user-agents.json", &programs)
	all, missed := 0, 0
	for _, p := range programs {
		for _, header := range p.Instances {
			all++
			if e.Agent(header, enrich.Hints{}, netip.Addr{}).Bot == "" {
				missed++
				t.Logf("%s: %s", p.Pattern, header)
			}
		}
	}
	if all < 2000 || missed > all/200 {
		t.Errorf("%d of %d programs are taken for visitors", missed, all)
	}
}
