package pipeline_test

import (
	"errors"
	"fmt"
	"net/netip"
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
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/privacy"
)

const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"

var (
	now     = time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC)
	address = netip.MustParseAddr("193.0.6.139")
	newID   = uuid.MustParse("019ca944-1fa0-7c3a-9f00-3d2b1a0c9e88")
)

// directory has the site example.com, and salts of the days that are open.
type directory struct {
	site  pipeline.Site
	salts map[event.Day]*privacy.Salt
}

// site is a directory without salts.
func site(location *time.Location) directory {
	return directory{pipeline.Site{ID: 4, Domain: "example.com", Location: location}, map[event.Day]*privacy.Salt{}}
}

// open is the directory with the salts of the days that are open at a time.
func (d directory) open(at time.Time) directory {
	for day, last := privacy.SaltDays(at); day <= last; day++ {
		d.salts[day] = &privacy.Salt{byte(day)}
	}
	return d
}

func (d directory) Site(name string) (pipeline.Site, bool) {
	return d.site, name == "example.com" || name == "s_abc"
}

func (d directory) Salt(day event.Day) (*privacy.Salt, bool) {
	salt, ok := d.salts[day]
	return salt, ok
}

// setup has the site in Kolkata, where it is 04:00 of 2 March.
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
	c := &pipeline.Pipeline{Enricher: enricher, SubjectKey: []byte("secret"), NewID: func() uuid.UUID { return newID }}
	return c, site(kolkata).open(now), pipeline.Request{Address: address, UserAgent: agent, Arrived: now}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	got, err := c.Run(d, r, event.Input{
		Site: "s_ABC", Type: "view", URL: "https://www.example.com/p?utm_source=google&utm_medium=cpc&secret=1#x",
		Referrer: "https://www.google.com/search?q=private", Subject: "jane@example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	salt, _ := d.Salt(event.DayOf(now) + 1)
	want := pipeline.Result{Domain: "example.com", Event: event.Event{
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
			t.Errorf("the event holds %q: %s", secret, text)
		}
	}
}

func TestOwnReferrerIsNone(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	for _, referrer := range []string{"https://www.example.com/a", "https://shop.example.com/", "android-app://x", "junk"} {
		got, err := c.Run(d, r, event.Input{Site: "example.com", Type: "view", URL: "https://shop.example.com/b", Referrer: referrer})
		if err != nil {
			t.Fatal(err)
		}
		if got.Event.Source != enrich.Direct || got.Event.Referrer != "" {
			t.Errorf("%s gives the source %q, referrer %q", referrer, got.Event.Source, got.Event.Referrer)
		}
	}
}

func TestLeftOut(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	bot := r
	bot.UserAgent = "Googlebot/2.1 (+http://www.google.com/bot.html)"
	if got, err := c.Run(d, bot, event.Input{Site: "example.com", Type: "click"}); err != nil || got.Dropped != pipeline.BotUserAgent {
		t.Errorf("a bot: dropped %q, error %v", got.Dropped, err)
	}
	props, err := event.Decode([]byte(`{"site":"example.com","type":"click","props":{"email":"x","plan":"pro"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Run(d, r, props)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"plan": "pro"}, got.Event.Props); diff != "" || len(got.PersonalProps) != 1 {
		t.Errorf("personal properties: left out %v, kept %s", got.PersonalProps, diff)
	}
}

// TestTheLastMoment: an event is taken until the end of the day after its own, UTC,
// wherever the site is, and then never again.
func TestTheLastMoment(t *testing.T) {
	t.Parallel()
	c, _, r := setup(t)
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
				got, err := c.Run(site(location).open(r.Arrived), r, in)
				if err != nil || got.Event.Day != day || !got.Event.Time.Equal(moment) || got.Skewed {
					t.Errorf("at the last moment: %+v, %v", got, err)
				}
				r.Arrived = closes
				_, err = c.Run(site(location).open(r.Arrived), r, in)
				if bad, ok := errors.AsType[*validation.Error](err); !ok || bad.Field != "timestamp" || bad.Code != validation.CodeOutOfRange {
					t.Errorf("a moment too late: %v", err)
				}
			}
		})
	}
}

// TestATimezoneThatChanges: an event gets the day of the zone that was in force at
// its time, however late it comes.
func TestATimezoneThatChanges(t *testing.T) {
	t.Parallel()
	c, _, r := setup(t)
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
		{midnight, event.DayOf(now) - 1, 0}, // that day goes on in UTC
		{now, event.DayOf(now), 0},
	} {
		got, err := c.Run(d, r, event.Input{Site: "example.com", Type: "click", Timestamp: test.at.Format(time.RFC3339Nano)})
		if err != nil || got.Event.Day != test.day || got.Event.UTCOffset != test.offset {
			t.Errorf("at %s: day %s, offset %d (%v); want %s, %d", test.at, got.Event.Day, got.Event.UTCOffset, err, test.day, test.offset)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	first, _ := privacy.SaltDays(now)
	for name, test := range map[string]struct {
		in    event.Input
		field string
	}{
		"unknown site":       {event.Input{Site: "other.com", Type: "click"}, "site"},
		"relative address":   {event.Input{Site: "example.com", Type: "view", URL: "/pricing"}, "url"},
		"a day that is over": {event.Input{Site: "example.com", Type: "click", Timestamp: first.Date().Add(-24 * time.Hour).Format(time.RFC3339)}, "timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Run(d, r, test.in)
			var bad *validation.Error
			if !errors.As(err, &bad) || bad.Field != test.field {
				t.Errorf("got %v, want an error of %s", err, test.field)
			}
		})
	}
	t.Run("a subject without a key", func(t *testing.T) {
		t.Parallel()
		without := *c
		without.SubjectKey = nil
		_, err := without.Run(d, r, event.Input{Site: "example.com", Type: "click", Subject: "u"})
		var bad *validation.Error
		if !errors.As(err, &bad) || bad.Field != "subject" {
			t.Errorf("got %v, want an error of subject", err)
		}
	})
	t.Run("an open day whose salt is not at hand", func(t *testing.T) {
		t.Parallel()
		_, err := c.Run(site(time.UTC), r, event.Input{Site: "example.com", Type: "click"})
		if !errors.Is(err, pipeline.ErrNoSalt) {
			t.Errorf("got %v, want ErrNoSalt", err)
		}
	})
}

// TestRules: what the owner of a site leaves out is left out, and everybody else is let in.
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
		"no rules":                        {rules.Rules{}, false, view, ""},
		"another host":                    {rules.Rules{Hostnames: []string{"example.org"}}, false, view, pipeline.ExcludedHostname},
		"its host":                        {rules.Rules{Hostnames: []string{"www.example.com"}}, false, view, ""},
		"a page":                          {rules.Rules{ExcludedPaths: []string{"/admin/**"}}, false, view, pipeline.ExcludedPath},
		"another page":                    {rules.Rules{ExcludedPaths: []string{"/admin"}}, false, view, ""},
		"an address":                      {rules.Rules{ExcludedAddresses: []string{"193.0.6.0/24"}}, false, view, pipeline.ExcludedAddress},
		"a country":                       {rules.Rules{ExcludedCountries: []string{"nl"}}, false, view, pipeline.ExcludedCountry},
		"who asks not to be tracked":      {rules.Rules{}, true, view, pipeline.Consent},
		"and is not, whatever page it is": {rules.Rules{ExcludedPaths: []string{"**"}}, true, view, pipeline.Consent},
		"who has not agreed":              {rules.Rules{Consent: rules.Required}, false, view, pipeline.Consent},
		"who has":                         {rules.Rules{Consent: rules.Required}, false, agreed, ""},
		"who has, and asks not to be":     {rules.Rules{Consent: rules.Required}, true, agreed, pipeline.Consent},
		"nobody knows who":                {rules.Rules{Consent: rules.Anonymous}, true, view, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d, r := setup(t)
			d.site.Rules = filter(t, test.rules)
			r.Refused = test.refused
			got, err := c.Run(d, r, test.input)
			if err != nil || got.Dropped != test.want {
				t.Errorf("dropped for %q, %v; want %q", got.Dropped, err, test.want)
			}
			if got.Event.Site != 4 || got.Event.Day != event.DayOf(now)+1 {
				t.Errorf("it can't be counted for site %d and day %s", got.Event.Site, got.Event.Day)
			}
		})
	}
}

// TestWhatIsWrongIsCounted: for its site, and for the day on which it arrived whatever day
// it says that it is of.
func TestWhatIsWrongIsCounted(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]event.Input{
		"no type":           {Site: "example.com"},
		"no address":        {Site: "s_ABC", Type: "view", URL: "/p"},
		"of a day long ago": {Site: "example.com", Type: "click", Timestamp: "1999-01-01T00:00:00Z"},
		"a subject, no key": {Site: "example.com", Type: "click", Subject: "jane"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d, r := setup(t)
			c.SubjectKey = nil
			got, err := c.Run(d, r, in)
			if err == nil || got.Domain != "example.com" || got.Event.Site != 4 || got.Event.Day != event.DayOf(now)+1 {
				t.Errorf("counted for %q, site %d, day %s (%v)", got.Domain, got.Event.Site, got.Event.Day, err)
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

func TestPropertiesThatAreKept(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{Props: &[]string{"plan"}})
	got, err := c.Run(d, r, event.Input{Site: "example.com", Type: "click", Props: map[string]jsontext.Value{"plan": jsontext.Value(`"pro"`), "theme": jsontext.Value(`"dark"`)}})
	if diff := cmp.Diff(map[string]string{"plan": "pro"}, got.Event.Props); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestAnonymous: an event of a visitor who asks not to be tracked holds only what happened where.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{Consent: rules.Anonymous})
	r.Refused = true
	in := event.Input{
		Site: "example.com", Type: "view", URL: "https://www.example.com/p?utm_source=google", Referrer: "https://www.google.com/", Title: "t", Tag: "b",
		Subject: "jane", Language: "fr", Screen: "1x1", Props: map[string]jsontext.Value{"plan": jsontext.Value(`"pro"`)}, ID: newID.String(),
	}
	got, err := c.Run(d, r, in)
	if err != nil {
		t.Fatal(err)
	}
	want := got.Event
	want.Attributes, want.Title, want.Tag, want.Props, want.Subject = event.Attributes{}, "", "", nil, uuid.Nil
	if diff := cmp.Diff(want, got.Event); diff != "" || want.Page != "/p" {
		t.Error(diff)
	}
	again, err := c.Run(d, r, in)
	if err != nil || again.Event.Visitor != got.Event.Visitor {
		t.Errorf("a retry is of another visitor (%v)", err)
	}
	in.ID = ""
	c.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	if other, err := c.Run(d, r, in); err != nil || other.Event.Visitor == got.Event.Visitor {
		t.Errorf("two events are known to be of one visitor (%v)", err)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	c, d, r := setup(t)
	d.site.Rules = filter(t, rules.Rules{Sample: 10})
	kept := 0
	for i := range 1000 {
		r.Address = netip.AddrFrom4([4]byte{193, 0, byte(i >> 8), byte(i)})
		got, err := c.Run(d, r, event.Input{Site: "example.com", Type: "click"})
		switch {
		case err != nil:
			t.Fatal(err)
		case got.Dropped == "":
			kept++
		case got.Dropped != pipeline.NotSampled:
			t.Fatalf("dropped for %q", got.Dropped)
		}
	}
	if kept < 60 || kept > 140 {
		t.Errorf("%d of 1000 visitors are in a sample of a tenth", kept)
	}
}
