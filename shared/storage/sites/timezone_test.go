package sites_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/storage/sites"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestUpdateTimezone(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	type zone struct{ Timezone, Previous, Since string }
	type step struct {
		now, chosen string
		want        zone
	}
	noon, pending := "2026-03-10T12:00:00Z", zone{"Asia/Tokyo", "Europe/Paris", "2026-03-10T23:00:00Z"}
	for domain, steps := range map[string][]step{
		"next-day.example": {{noon, "Asia/Tokyo", pending}},
		"unchanged.example": {
			{noon, "Europe/Paris", zone{"Europe/Paris", "", ""}},
			{noon, "Asia/Tokyo", pending}, {"2026-03-10T13:00:00Z", "Asia/Tokyo", pending}, {"2026-03-12T13:00:00Z", "Asia/Tokyo", pending},
		},
		"replaced.example": {
			{noon, "Asia/Tokyo", pending},
			{"2026-03-10T13:00:00Z", "America/New_York", zone{"America/New_York", "Europe/Paris", "2026-03-10T23:00:00Z"}},
		},
		"undone.example": {
			{noon, "Asia/Tokyo", pending}, {"2026-03-10T13:00:00Z", "Europe/Paris", zone{"Europe/Paris", "", ""}},
		},
		"too-late-to-undo.example": {
			{noon, "Asia/Tokyo", pending},
			{"2026-03-10T23:00:00Z", "Europe/Paris", zone{"Europe/Paris", "Asia/Tokyo", "2026-03-11T15:00:00Z"}},
		},
		"notice.example": {
			{"2026-03-10T22:54:59Z", "Asia/Tokyo", pending},
			{"2026-03-10T22:55:00Z", "UTC", zone{"UTC", "Europe/Paris", "2026-03-11T23:00:00Z"}},
		},
		"no-midnight.example": { // in Cairo 24 April 2026 begins at 01:00
			{noon, "Africa/Cairo", zone{"Africa/Cairo", "Europe/Paris", "2026-03-10T23:00:00Z"}},
			{"2026-04-23T12:00:00Z", "UTC", zone{"UTC", "Africa/Cairo", "2026-04-23T22:00:00Z"}},
		},
	} {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			site, err := sites.Create(t.Context(), db, sites.Draft{Domain: domain, Name: "before", Timezone: "Europe/Paris"})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				draft := sites.Draft{Domain: domain, Name: "after", Timezone: s.chosen}
				changed, err := sites.Update(t.Context(), db, site.ID, draft, at(s.now))
				if err != nil {
					t.Fatal(err)
				}
				stored, err := sites.Find(t.Context(), db, domain)
				if err != nil || !cmp.Equal(changed, stored) || stored.Name != "after" {
					t.Fatalf("Update returns %+v, stored is %+v (%v)", changed, stored, err)
				}
				got := zone{Timezone: stored.Timezone, Previous: stored.PreviousTimezone}
				if stored.TimezoneSince != nil {
					got.Since = stored.TimezoneSince.UTC().Format(time.RFC3339)
				}
				if diff := cmp.Diff(s.want, got); diff != "" {
					t.Errorf("%s chosen at %s: %s", s.chosen, s.now, diff)
				}
			}
		})
	}
}

func TestTimezoneAt(t *testing.T) {
	t.Parallel()
	since := at("2026-03-10T23:00:00Z")
	always := sites.Site{Timezone: "Europe/Paris"}
	changed := sites.Site{Timezone: "Asia/Tokyo", PreviousTimezone: "Europe/Paris", TimezoneSince: &since}
	for _, test := range []struct {
		site sites.Site
		at   time.Time
		want string
	}{
		{always, since, "Europe/Paris"}, {changed, since.Add(-1), "Europe/Paris"}, {changed, since, "Asia/Tokyo"},
	} {
		location, err := test.site.LocationAt(test.at)
		if err != nil || location.String() != test.want || test.site.TimezoneAt(test.at) != test.want {
			t.Errorf("at %s: got %s, %v; want %s", test.at, location, err, test.want)
		}
	}
}
