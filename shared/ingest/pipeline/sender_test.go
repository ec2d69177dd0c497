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
