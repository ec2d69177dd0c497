package track_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// TestInAppBrowsers checks that people are counted who were once taken for programs: in the
// browsers of apps, and on devices with the name of a program.
func TestInAppBrowsers(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	const iPhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	const android = "Mozilla/5.0 (Linux; Android 16; CPH2723 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.135 Mobile Safari/537.36"
	agents := map[string]string{
		iPhone + "Mobile/22G100 Safari/604.1 MetaIAB Facebook":  "Facebook on iOS",
		iPhone + "Mobile/22G100 Safari/604.1 MetaIAB Instagram": "Instagram on iOS",
		iPhone + "Mobile/15E148":                                "Safari on iOS",
		android:                                                 "Chrome on Android",
		android + " Viber/23.1.0.3":                             "Viber on Android",
		"Mozilla/5.0 (Linux; U; Android 14; en-us; CPH2581) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/137.0.7151.89 Mobile Safari/537.36 HeyTapBrowser/45.11.3.1.1":                 "HeyTap Browser on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.6613.186 Electron/32.2.5 Safari/537.36 AppleSilicon Sonic Slack_SSB/4.41.105":          "Slack on macOS",
		"Mozilla/5.0 (Linux; Android 4.4.2; ViewSonic-VSD243 Build/KOT49H) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/30.0.0.0 Safari/537.36":                                        "Chrome on Android",
		"Mozilla/5.0 (Linux; U; Android 9; zh-cn; MI 8 Build/PKQ1.180729.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/70.0.3538.80 Mobile Safari/537.36 SogouMobileBrowser/6.2.0": "Sogou Browser on Android",
	}
	want := map[string]string{}
	for agent, names := range agents {
		page := fmt.Sprintf("/%d", len(want))
		c.post(t, `{"site":"example.com","type":"view","url":"https://example.com`+page+`"}`, "User-Agent", agent)
		want[page] = names
	}
	got := map[string]string{}
	for _, e := range c.queued(t) {
		got[e.Page] = e.Browser + " on " + e.OS
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counted: %s", diff)
	}
}
