package pipeline_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/writekey"
	"github.com/analytics-platform/analytics/shared/privacy"
)

// TestSender checks that only a server with a write key of the site, or at a listed address,
// can send for another visitor, and that a stranger who tries is the visitor themselves.
func TestSender(t *testing.T) {
	t.Parallel()
	victim, forwarded := netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("198.51.100.10")
	const victimAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
	ignored := []pipeline.Change{{Field: "address", Reason: pipeline.UnprovenSender}, {Field: "user_agent", Reason: pipeline.UnprovenSender}}
	visitor := pipeline.Visitor{Address: victim, UserAgent: victimAgent, Forwarded: forwarded}
	for name, test := range map[string]struct {
		key     *writekey.Key
		senders []string
		visitor pipeline.Visitor
		address netip.Addr // of the event's visitor
		agent   string
		changes []pipeline.Change
	}{
		"stranger":                {nil, nil, visitor, address, agent, ignored},
		"stranger forwards":       {nil, nil, pipeline.Visitor{Forwarded: victim}, address, agent, nil},
		"stranger names themself": {nil, nil, pipeline.Visitor{Address: address, UserAgent: agent}, address, agent, nil},
		"not a listed address":    {nil, []string{"193.0.7.0/24"}, visitor, address, agent, ignored},
		"write key":               {&writekey.Key{Sites: []int32{4}}, nil, visitor, victim, victimAgent, nil},
		"write key of all sites":  {&writekey.Key{}, nil, visitor, victim, victimAgent, nil},
		"write key, no visitor":   {&writekey.Key{}, nil, pipeline.Visitor{}, address, agent, nil},
		"write key, forwarded":    {&writekey.Key{}, nil, pipeline.Visitor{Forwarded: forwarded}, forwarded, agent, nil},
		"listed address":          {nil, []string{"193.0.6.0/24"}, visitor, victim, victimAgent, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d, r := setup(t)
			d.site.Rules = filter(t, rules.Rules{Senders: test.senders})
			r.Key, r.For = test.key, test.visitor
			got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "click"})
			if err != nil {
				t.Fatal(err)
			}
			salt, _ := d.Salt(got.Event.Day)
			if got.Event.Visitor != privacy.Visitor(salt, 4, test.address, test.agent) {
				t.Error("the event is of another visitor")
			}
			if diff := cmp.Diff(test.changes, got.Changes); diff != "" {
				t.Error(diff)
			}
			if trusted := test.key != nil || test.address != address; got.Trusted != trusted {
				t.Errorf("trusted %t, want %t", got.Trusted, trusted)
			}
		})
	}
}

// TestExcludedSender checks that nobody passes excluded addresses by naming another one, and
// that those of visitors are excluded for whom a server sends.
func TestExcludedSender(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{ExcludedAddresses: []string{address.String()}})
	in := event.Input{Site: "example.com", Type: "click"}
	other := netip.MustParseAddr("198.51.100.9")

	r.For = pipeline.Visitor{Address: other, Forwarded: other}
	if got, err := p.Run(d, r, in); err != nil || got.Dropped != pipeline.ExcludedAddress {
		t.Errorf("an excluded stranger: dropped for %q, %v", got.Dropped, err)
	}
	r.Key = &writekey.Key{}
	if got, err := p.Run(d, r, in); err != nil || got.Dropped != "" {
		t.Errorf("a server sends for a visitor: dropped for %q, %v", got.Dropped, err)
	}
	r.Address, r.For = other, pipeline.Visitor{Address: address}
	if got, err := p.Run(d, r, in); err != nil || got.Dropped != pipeline.ExcludedAddress {
		t.Errorf("a server sends for an excluded visitor: dropped for %q, %v", got.Dropped, err)
	}
}

func TestKeyOfOtherSite(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	r.Key = &writekey.Key{Sites: []int32{5}}
	got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "click"})
	if !errors.Is(err, pipeline.ErrOtherSite) || got.Event.Site != 4 {
		t.Errorf("got %v for site %d, want ErrOtherSite for site 4", err, got.Event.Site)
	}
}

// TestOwnPrograms checks that a program is counted if it is the site's own: a server with a write
// key may send any user agent that is not a known program's, and the rule agents lists others.
func TestOwnPrograms(t *testing.T) {
	t.Parallel()
	own := []string{"ShopApp/", "okhttp/"}
	for name, test := range map[string]struct {
		agent  string
		key    *writekey.Key
		agents []string
		want   pipeline.Reason
	}{
		"stranger":                       {"Dart/3.3 (dart:io)", nil, nil, pipeline.BotUnknown},
		"stranger without agent":         {"", nil, nil, pipeline.BotUnknown},
		"write key":                      {"ShopServer/1.0", &writekey.Key{}, nil, ""},
		"write key, no agent":            {"", &writekey.Key{}, nil, ""},
		"write key, forwards a crawler":  {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", &writekey.Key{}, nil, pipeline.BotUserAgent},
		"write key, library":             {"okhttp/4.12.0", &writekey.Key{}, nil, pipeline.BotUserAgent},
		"write key, listed library":      {"okhttp/4.12.0", &writekey.Key{}, own, ""},
		"native app":                     {"ShopApp/2.1 CFNetwork/1410.1 Darwin/22.6.0", nil, own, ""},
		"native app's library":           {"okhttp/4.12.0", nil, own, ""},
		"another app":                    {"OtherApp/1.0", nil, own, pipeline.BotUnknown},
		"the app's name, not in front":   {"Fake ShopApp/1.0", nil, own, pipeline.BotUnknown},
		"a crawler beside a listed name": {"Googlebot/2.1", nil, own, pipeline.BotUserAgent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d, r := setup(t)
			d.site.Rules = filter(t, rules.Rules{Agents: test.agents})
			r.UserAgent, r.Key = test.agent, test.key
			got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "click"})
			if err != nil || got.Dropped != test.want {
				t.Errorf("dropped for %q, %v; want %q", got.Dropped, err, test.want)
			}
		})
	}
}
