package enrich_test

import (
	"os"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/privacy"
)

// TestGoogleAnalyticsSources checks the channels of the sources that Google Analytics lists:
// each as utm_source, also of an advertisement, and each host as a referrer.
func TestGoogleAnalyticsSources(t *testing.T) {
	t.Parallel()
	e := load(t)
	channels := map[string][2]string{
		"search":   {enrich.ChannelOrganicSearch, enrich.ChannelPaidSearch},
		"shopping": {enrich.ChannelShopping, enrich.ChannelPaidShopping},
		"video":    {enrich.ChannelOrganicVideo, enrich.ChannelPaidVideo},
		"social":   {enrich.ChannelOrganicSocial, enrich.ChannelPaidSocial},
		// Where we differ.
		"webmail": {enrich.ChannelEmail, enrich.ChannelPaidOther},
		"news":    {enrich.ChannelReferral, enrich.ChannelPaidOther},
	}
	differences := map[string]string{
		"email.seznam.cz": "webmail", "mail.rambler.ru": "webmail", "mail.yandex.ru": "webmail", "cnn": "news",
	}
	raw, err := os.ReadFile("testdata/ga4-sources.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed, names := map[string]bool{}, map[string]string{}
	for line := range strings.Lines(string(raw)) {
		category, sources, ok := strings.Cut(line, ": ")
		if _, known := channels[category]; !ok || !known {
			continue // a comment
		}
		for source := range strings.SplitSeq(strings.TrimSpace(sources), ", ") {
			listed[source] = true
			want := channels[category]
			if other, ok := differences[source]; ok {
				want = channels[other]
			}
			name, channel := e.Source("", privacy.Campaign{Source: source})
			if channel != want[0] {
				t.Errorf("utm_source=%s: the channel is %q, want %q", source, channel, want[0])
			}
			if _, channel := e.Source("", privacy.Campaign{Source: source, Medium: "cpc"}); channel != want[1] {
				t.Errorf("utm_source=%s&utm_medium=cpc: the channel is %q, want %q", source, channel, want[1])
			}
			names[source] = name
			if !strings.Contains(source, ".") {
				continue
			}
			if referred, channel := e.Source(source, privacy.Campaign{}); channel != want[0] || referred != name {
				t.Errorf("%s: the source is %q by %q, want %q by %q", source, referred, channel, name, want[0])
			}
		}
	}
	for source, name := range names {
		if of := names[source+".com"]; of != "" && of != name {
			t.Errorf("%s is %q, and %[1]s.com %q", source, name, of)
		}
	}
	if len(listed) < 800 || len(differences) > len(listed)/100 {
		t.Errorf("%d sources are listed, and %d differ", len(listed), len(differences))
	}
}

// TestListAddsToOwn checks that the list of referrers only has what our own sources lack, so
// that no source has two names. If it fails, run `make data`.
func TestListAddsToOwn(t *testing.T) {
	t.Parallel()
	twice, err := enrich.ListedTwice()
	if err != nil || len(twice) > 0 {
		t.Errorf("%v of the list are in sources.json too, %v", twice, err)
	}
}

// BenchmarkSource measures what most visitors come by.
func BenchmarkSource(b *testing.B) {
	e := load(b)
	for name, test := range map[string]struct {
		referrer string
		campaign privacy.Campaign
	}{
		"direct":           {"", privacy.Campaign{}},
		"known referrer":   {"l.facebook.com", privacy.Campaign{}},
		"country":          {"google.co.uk", privacy.Campaign{}},
		"unknown referrer": {"blog.news.example.org", privacy.Campaign{}},
		"known campaign":   {"", privacy.Campaign{Source: "google", Medium: "cpc", Name: "autumn"}},
		"unknown campaign": {"google.com", privacy.Campaign{Source: "newsletter", Medium: "email", Name: "autumn"}},
		"click":            {"google.com", privacy.Campaign{ClickID: "gclid"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Source(test.referrer, test.campaign)
			}
		})
	}
}
