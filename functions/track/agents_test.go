package track_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// TestPrograms checks in every format that a program of an unknown sender is not counted, and
// that one of the site is: a server with a write key, and an app that the rules name.
func TestPrograms(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	_, key := c.writeKey(t, 1)
	if _, err := c.db.Exec(t.Context(), `UPDATE sites SET rules = '{"agents":["ShopApp/"]}'`); err != nil {
		t.Fatal(err)
	}
	c.post(t, `{"site":"unknown.example","type":"click"}`) // so that the rules are read
	requests := claims()
	for _, test := range []struct {
		sender  string
		headers []string
		counted int
	}{
		{"a program", []string{"User-Agent", "Dart/3.3 (dart:io)"}, 0},
		{"a program without a user agent", []string{"User-Agent", ""}, 0},
		{"a server of the site", []string{"User-Agent", "Dart/3.3 (dart:io)", "Authorization", "Bearer " + key}, len(requests)},
		{"an app of the site", []string{"User-Agent", "ShopApp/2.1 CFNetwork/1410.1 Darwin/22.6.0"}, len(requests)},
	} {
		before := len(c.queued(t))
		for name, request := range requests {
			if response, answer := c.send(t, request.method, request.path, request.body, test.headers...); response.StatusCode > 202 {
				t.Errorf("%s, %s: %d %s", test.sender, name, response.StatusCode, answer)
			}
		}
		if n := len(c.queued(t)) - before; n != test.counted {
			t.Errorf("of %s, %d events are queued, want %d", test.sender, n, test.counted)
		}
	}
}

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
