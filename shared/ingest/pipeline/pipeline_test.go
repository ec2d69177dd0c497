package pipeline_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/sitename"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/privacy"
)

const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"

var (
	now     = time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC)
	address = netip.MustParseAddr("193.0.6.139")
	newID   = uuid.MustParse("019ca944-1fa0-7c3a-9f00-3d2b1a0c9e88")
)

// directory has the site example.com, and salts.
type directory struct {
	site  pipeline.Site
	salts map[event.Day]*privacy.Salt
}

// site returns a directory without salts.
func site(location *time.Location) directory {
	return directory{pipeline.Site{ID: 4, PublicID: "site_4", Domain: "example.com", Location: location}, map[event.Day]*privacy.Salt{}}
}

// open adds the salts of the days that are open at a time.
func (d directory) open(at time.Time) directory {
	for day, last := privacy.SaltDays(at); day <= last; day++ {
		d.salts[day] = &privacy.Salt{byte(day)}
	}
	return d
}

func (d directory) Site(name string) (pipeline.Site, bool) {
	names := sitename.Lookup(name)
	return d.site, slices.Contains(names, "example.com") || slices.Contains(names, "s_abc")
}

func (d directory) Salt(day event.Day) (*privacy.Salt, bool) {
	salt, ok := d.salts[day]
	return salt, ok
}

// setup returns a pipeline, and a directory whose site is in Kolkata, where it is 04:00 on
// 2 March.
func setup(t *testing.T) (*pipeline.Pipeline, directory, pipeline.Request) {
	t.Helper()
	enricher, err := enrich.Load(enrich.Files{})
	if err != nil {
		t.Fatal(err)
	}
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline.Pipeline{Enricher: enricher, SubjectKey: []byte("secret"), NewID: func() uuid.UUID { return newID }}
	return p, site(kolkata).open(now), pipeline.Request{Address: address, UserAgent: agent, Arrived: now}
}

func TestRun(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	got, err := p.Run(d, r, event.Input{
		Site: "s_ABC", Type: "view", URL: "https://www.example.com/p?utm_source=google&utm_medium=cpc&secret=1#x",
		Referrer: "https://www.google.com/search?q=private", Subject: "jane@example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	salt, _ := d.Salt(event.DayOf(now) + 1)
	want := pipeline.Result{PublicID: "site_4", Event: event.Event{
		ID: newID, Site: 4, Time: now, Day: event.DayOf(now) + 1, UTCOffset: 330,
		Visitor: privacy.Visitor(salt, 4, address, agent), Type: event.View, Hostname: "example.com", Page: "/p",
		Subject: privacy.Subject([]byte("secret"), 4, "jane@example.com"),
		Attributes: event.Attributes{
			Referrer: "google.com/search", Source: "Google", Channel: "Paid Search", UTMSource: "google", UTMMedium: "cpc",
			Country: "NL", Browser: "Firefox", BrowserVersion: "133", OS: "Linux", Device: enrich.Desktop,
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text := fmt.Sprintf("%+v", got.Event)
	for _, secret := range []string{"193.0.6", "Mozilla", "Gecko", "jane", "private", "secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("the event contains %q: %s", secret, text)
		}
	}
}

func TestInternalReferrer(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	for _, referrer := range []string{"https://www.example.com/a", "https://shop.example.com/", "android-app://x", "junk"} {
		got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "view", URL: "https://shop.example.com/b", Referrer: referrer})
		if err != nil {
			t.Fatal(err)
		}
		if got.Event.Source != enrich.Direct || got.Event.Referrer != "" {
			t.Errorf("referrer %s: got source %q, referrer %q", referrer, got.Event.Source, got.Event.Referrer)
		}
	}
}

func TestDropped(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	bot := r
	bot.UserAgent = "Googlebot/2.1 (+http://www.google.com/bot.html)"
	if got, err := p.Run(d, bot, event.Input{Site: "example.com", Type: "click"}); err != nil || got.Dropped != pipeline.BotUserAgent {
		t.Errorf("bot: dropped %q, error %v", got.Dropped, err)
	}
	props, err := event.Decode([]byte(`{"site":"example.com","type":"click","props":{"email":"x","plan":"pro"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Run(d, r, props)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"plan": "pro"}, got.Event.Props); diff != "" || !slices.Equal(got.Changes, []pipeline.Change{{Field: "props.email", Reason: pipeline.MaskedProperty}}) {
		t.Errorf("masked %v; remaining: %s", got.Changes, diff)
	}
}

// TestLastMoment checks that an event is accepted until the end of the day after its own,
// UTC, in any time zone, and not later.
func TestLastMoment(t *testing.T) {
	t.Parallel()
	p, _, r := setup(t)
	for _, zone := range []string{"UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			location, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			day := event.DayOf(now)
			r, closes := r, (day + 2).Date()
			for _, moment := range []time.Time{day.Start(location), (day + 1).Start(location).Add(-time.Millisecond)} {
				in := event.Input{Site: "example.com", Type: "click", Timestamp: moment.Format(time.RFC3339Nano)}

				r.Arrived = closes.Add(-time.Millisecond)
				got, err := p.Run(site(location).open(r.Arrived), r, in)
				if err != nil || got.Event.Day != day || !got.Event.Time.Equal(moment) || got.Skewed {
					t.Errorf("at the last moment: %+v, %v", got, err)
				}
				r.Arrived = closes
				_, err = p.Run(site(location).open(r.Arrived), r, in)
				if bad, ok := errors.AsType[*validation.Error](err); !ok || bad.Field != "timestamp" || bad.Code != validation.CodeOutOfRange {
					t.Errorf("a moment too late: got %v, want a timestamp error", err)
				}
			}
		})
	}
}

// TestTimezoneChange checks that an event gets the day in the time zone in force at its
// time, even if it arrives later.
func TestTimezoneChange(t *testing.T) {
	t.Parallel()
	p, _, r := setup(t)
	kathmandu, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	midnight := event.DayOf(now).Start(kathmandu)
	d := site(time.UTC).open(now)
	d.site.Previous, d.site.Since = kathmandu, midnight
	for _, test := range []struct {
		at     time.Time
		day    event.Day
		offset int16
	}{
		{midnight.Add(-time.Millisecond), event.DayOf(now) - 1, 345},
		{midnight, event.DayOf(now) - 1, 0}, // the day continues in UTC
		{now, event.DayOf(now), 0},
	} {
		got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "click", Timestamp: test.at.Format(time.RFC3339Nano)})
		if err != nil || got.Event.Day != test.day || got.Event.UTCOffset != test.offset {
			t.Errorf("at %s: day %s, offset %d (%v); want %s, %d", test.at, got.Event.Day, got.Event.UTCOffset, err, test.day, test.offset)
		}
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	first, _ := privacy.SaltDays(now)
	for name, test := range map[string]struct {
		in    event.Input
		field string
	}{
		"unknown site":     {event.Input{Site: "other.com", Type: "click"}, "site"},
		"relative address": {event.Input{Site: "example.com", Type: "view", URL: "/pricing"}, "url"},
		"closed day":       {event.Input{Site: "example.com", Type: "click", Timestamp: first.Date().Add(-24 * time.Hour).Format(time.RFC3339)}, "timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := p.Run(d, r, test.in)
			var bad *validation.Error
			if !errors.As(err, &bad) || bad.Field != test.field {
				t.Errorf("got %v, want an error of field %s", err, test.field)
			}
		})
	}
	t.Run("subject without a key", func(t *testing.T) {
		t.Parallel()
		without := *p
		without.SubjectKey = nil
		got, err := without.Run(d, r, event.Input{Site: "example.com", Type: "click", Subject: "u"})
		if err != nil || got.Event.Subject != uuid.Nil || len(got.Changes) != 1 || got.Changes[0].Field != "subject" || got.Changes[0].Reason != pipeline.Omitted {
			t.Errorf("got %+v, %v; want the event without its subject", got, err)
		}
	})
	t.Run("missing salt of an open day", func(t *testing.T) {
		t.Parallel()
		_, err := p.Run(site(time.UTC), r, event.Input{Site: "example.com", Type: "click"})
		if !errors.Is(err, pipeline.ErrNoSalt) {
			t.Errorf("got %v, want ErrNoSalt", err)
		}
	})
}

// TestRules checks that a site's rules drop the events they exclude, and no others.
func TestRules(t *testing.T) {
	t.Parallel()
	view := event.Input{Site: "example.com", Type: "view", URL: "https://www.example.com/admin/x", Props: map[string]jsontext.Value{"plan": jsontext.Value(`"pro"`), "theme": jsontext.Value(`"dark"`)}}
	agreed := view
	agreed.Consent = true
	for name, test := range map[string]struct {
		rules   rules.Rules
		refused bool
		input   event.Input
		want    pipeline.Reason
	}{
		"no rules":                     {rules.Rules{}, false, view, ""},
		"other host":                   {rules.Rules{Hostnames: []string{"example.org"}}, false, view, pipeline.ExcludedHostname},
		"own host":                     {rules.Rules{Hostnames: []string{"www.example.com"}}, false, view, ""},
		"excluded path":                {rules.Rules{ExcludedPaths: []string{"/admin/**"}}, false, view, pipeline.ExcludedPath},
		"other path":                   {rules.Rules{ExcludedPaths: []string{"/admin"}}, false, view, ""},
		"excluded address":             {rules.Rules{ExcludedAddresses: []string{"193.0.6.0/24"}}, false, view, pipeline.ExcludedAddress},
		"excluded country":             {rules.Rules{ExcludedCountries: []string{"nl"}}, false, view, pipeline.ExcludedCountry},
		"refused":                      {rules.Rules{}, true, view, pipeline.Consent},
		"refused before excluded path": {rules.Rules{ExcludedPaths: []string{"**"}}, true, view, pipeline.Consent},
		"consent missing":              {rules.Rules{Consent: rules.Required}, false, view, pipeline.Consent},
		"consent given":                {rules.Rules{Consent: rules.Required}, false, agreed, ""},
		"consent given but refused":    {rules.Rules{Consent: rules.Required}, true, agreed, pipeline.Consent},
		"anonymous":                    {rules.Rules{Consent: rules.Anonymous}, true, view, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d, r := setup(t)
			d.site.Rules = filter(t, test.rules)
			r.Refused = test.refused
			got, err := p.Run(d, r, test.input)
			if err != nil || got.Dropped != test.want {
				t.Errorf("dropped for %q, %v; want %q", got.Dropped, err, test.want)
			}
			if got.Event.Site != 4 || got.Event.Day != event.DayOf(now)+1 {
				t.Errorf("counted for site %d, day %s", got.Event.Site, got.Event.Day)
			}
		})
	}
}

// TestInvalidAttribution checks that an invalid event counts for its site, and for the day
// of its arrival.
func TestInvalidAttribution(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]event.Input{
		"no type":         {Site: "example.com"},
		"relative URL":    {Site: "s_ABC", Type: "view", URL: "/p"},
		"long closed day": {Site: "example.com", Type: "click", Timestamp: "1999-01-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d, r := setup(t)
			got, err := p.Run(d, r, in)
			if err == nil || got.PublicID != "site_4" || got.Event.Site != 4 || got.Event.Day != event.DayOf(now)+1 {
				t.Errorf("counted for %q, site %d, day %s (%v)", got.PublicID, got.Event.Site, got.Event.Day, err)
			}
		})
	}
}

func filter(t *testing.T, r rules.Rules) *rules.Filter {
	t.Helper()
	read, err := rules.Normalize(r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := read.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAllowedProps(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{Props: &[]string{"plan"}})
	got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "click", Props: map[string]jsontext.Value{"plan": jsontext.Value(`"pro"`), "theme": jsontext.Value(`"dark"`)}})
	if diff := cmp.Diff(map[string]string{"plan": "pro"}, got.Event.Props); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestAnonymous checks that an event of a visitor who asks not to be tracked holds nothing
// about the visitor.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{Consent: rules.Anonymous})
	r.Refused = true
	in := event.Input{
		Site: "example.com", Type: "view", URL: "https://www.example.com/p?utm_source=google", Referrer: "https://www.google.com/", Title: "t", Tag: "b",
		Subject: "jane", Language: "fr", Screen: "1x1", Props: map[string]jsontext.Value{"plan": jsontext.Value(`"pro"`)}, ID: newID.String(),
	}
	got, err := p.Run(d, r, in)
	if err != nil {
		t.Fatal(err)
	}
	want := got.Event
	want.Attributes, want.Title, want.Tag, want.Props, want.Subject = event.Attributes{}, "", "", nil, uuid.Nil
	if diff := cmp.Diff(want, got.Event); diff != "" || want.Page != "/p" {
		t.Error(diff)
	}
	again, err := p.Run(d, r, in)
	if err != nil || again.Event.Visitor != got.Event.Visitor {
		t.Errorf("a retry has another visitor (%v)", err)
	}
	in.ID = ""
	p.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	if other, err := p.Run(d, r, in); err != nil || other.Event.Visitor == got.Event.Visitor {
		t.Errorf("two events have the same visitor (%v)", err)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	p, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{Sample: 10})
	sampled := 0
	for i := range 1000 {
		r.Address = netip.AddrFrom4([4]byte{193, 0, byte(i >> 8), byte(i)})
		got, err := p.Run(d, r, event.Input{Site: "example.com", Type: "click"})
		switch {
		case err != nil:
			t.Fatal(err)
		case got.Dropped == "":
			sampled++
		case got.Dropped != pipeline.NotSampled:
			t.Fatalf("dropped for %q", got.Dropped)
		}
	}
	if sampled < 60 || sampled > 140 {
		t.Errorf("%d of 1000 visitors are in a sample of a tenth", sampled)
	}
}

// TestMasked checks that every text of an event is masked, by default, and unchanged if the site
// wants that.
func TestMasked(t *testing.T) {
	t.Parallel()
	const card, token = "4111111111111111", "reset_token=x"
	in := event.Input{
		Site: "example.com", Type: "funnel_step", Funnel: &event.Funnel{ID: "of jane@example.com", Step: 1},
		URL:      "https://www.example.com/u/jane%40example.com?ref=a@b.example&utm_source=b@b.example&utm_medium=" + card + "&utm_campaign=reset_token%3Dx&utm_term=d@b.example&utm_content=e@b.example",
		Referrer: "https://other.example/jane@example.com", Title: "Pay with " + card, Name: "signup jane@example.com", Tag: "jane@example.com",
		Props: map[string]jsontext.Value{"url": jsontext.Value(`"/?` + token + `&card=` + card + `"`), "jane@example.com": jsontext.Value(`"x"`), "plan": jsontext.Value(`"pro"`)},
	}
	p, d, r := setup(t)
	got, err := p.Run(d, r, in)
	if err != nil {
		t.Fatal(err)
	}
	wantMasked := []pipeline.Change{
		{Field: "props.[email]", Reason: pipeline.MaskedProperty},
		{Field: "props.url", Reason: pipeline.MaskedToken}, {Field: "props.url", Reason: pipeline.MaskedCard},
		{Field: "url", Reason: pipeline.MaskedEmail},
		{Field: "referrer", Reason: pipeline.MaskedEmail}, {Field: "title", Reason: pipeline.MaskedCard}, {Field: "name", Reason: pipeline.MaskedEmail},
		{Field: "tag", Reason: pipeline.MaskedEmail}, {Field: "funnel.id", Reason: pipeline.MaskedEmail},
		{Field: "url", Reason: pipeline.MaskedCard}, {Field: "url", Reason: pipeline.MaskedToken},
	}
	if diff := cmp.Diff(wantMasked, got.Changes); diff != "" {
		t.Error(diff)
	}
	e := got.Event
	want := map[string]string{
		"page": "/u/[email]", "referrer": "other.example/[email]", "title": "Pay with [card]", "name": "signup [email]", "tag": "[email]", "funnel": "of [email]",
		"source": "[email]", "utm_source": "[email]", "utm_medium": "[card]", "utm_campaign": "reset_token=[token]", "utm_term": "[email]", "utm_content": "[email]",
		"url": "/?reset_token=[token]&card=[card]", "plan": "pro",
	}
	texts := map[string]string{
		"page": e.Page, "referrer": e.Referrer, "title": e.Title, "name": e.Name, "tag": e.Tag, "funnel": e.Funnel, "source": e.Source,
		"utm_source": e.UTMSource, "utm_medium": e.UTMMedium, "utm_campaign": e.UTMCampaign, "utm_term": e.UTMTerm, "utm_content": e.UTMContent,
	}
	for key, value := range e.Props {
		texts[key] = value
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}

	off := false
	d.site.Rules = filter(t, rules.Rules{Mask: &off})
	got, err = p.Run(d, r, in)
	if err != nil || len(got.Changes) > 0 || got.Event.Page != "/u/jane%40example.com" || got.Event.Title != in.Title || len(got.Event.Props) != 3 {
		t.Errorf("without masks: %+v (%v)", got, err)
	}
}
