package demo

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// profile describes the traffic of a site.
type profile struct {
	domain, name, timezone string
	share                  float64  // of the events of all sites
	weekend                float64  // visits on a Saturday or Sunday, relative to a weekday
	pages                  []string // most visited first
	goal, goalPage         string
	goalRate               float64 // goals per visit
	price                  float64 // mean value of a goal; 0 for none
}

func profiles() []profile {
	return []profile{
		{
			domain: "shop.example", name: "Example Shop", timezone: "Europe/Paris", share: 0.55, weekend: 1.25,
			pages: []string{"/", "/collections/new", "/products/linen-shirt", "/products/wool-coat", "/products/canvas-bag",
				"/collections/sale", "/cart", "/checkout", "/products/silk-scarf", "/about", "/products/leather-belt",
				"/products/denim-jacket", "/shipping", "/returns", "/stores", "/gift-cards", "/account", "/journal"},
			goal: "Purchase", goalPage: "/checkout/thanks", goalRate: 0.028, price: 74,
		},
		{
			domain: "docs.example", name: "Example Docs", timezone: "America/New_York", share: 0.3, weekend: 0.35,
			pages: []string{"/", "/getting-started", "/install", "/guides/configuration", "/api/reference", "/guides/deployment",
				"/api/events", "/guides/testing", "/faq", "/changelog", "/guides/security", "/api/errors", "/guides/migration",
				"/examples", "/guides/performance", "/glossary"},
			goal: "Copied install command", goalPage: "/install", goalRate: 0.09,
		},
		{
			domain: "blog.example", name: "Example Blog", timezone: "Asia/Kolkata", share: 0.15, weekend: 0.8,
			pages: []string{"/", "/2026/why-we-moved-to-functions", "/2026/measuring-what-matters", "/2025/zero-to-postgres",
				"/2026/a-month-without-cookies", "/tags/engineering", "/2025/small-teams", "/about", "/2026/queues-explained",
				"/2025/time-zones-are-hard", "/newsletter", "/tags/privacy"},
			goal: "Newsletter signup", goalPage: "/newsletter", goalRate: 0.035,
		},
	}
}

// choice is a value and the relative frequency with which it is picked.
type choice[T any] struct {
	weight float64
	value  T
}

func pick[T any](r *rand.Rand, choices []choice[T]) T {
	var sum float64
	for _, c := range choices {
		sum += c.weight
	}
	at := r.Float64() * sum
	for _, c := range choices {
		if at -= c.weight; at < 0 {
			return c.value
		}
	}
	return choices[len(choices)-1].value
}

type origin struct {
	referrer, source, channel, medium, campaign string
}

func origins() []choice[origin] {
	return []choice[origin]{
		{34, origin{"", enrich.Direct, enrich.ChannelDirect, "", ""}},
		{27, origin{"google.com", "Google", enrich.ChannelOrganicSearch, "", ""}},
		{4, origin{"bing.com", "Bing", enrich.ChannelOrganicSearch, "", ""}},
		{4, origin{"duckduckgo.com", "DuckDuckGo", enrich.ChannelOrganicSearch, "", ""}},
		{5, origin{"google.com", "Google", enrich.ChannelPaidSearch, "cpc", "brand"}},
		{6, origin{"instagram.com", "Instagram", enrich.ChannelOrganicSocial, "", ""}},
		{3, origin{"facebook.com", "Facebook", enrich.ChannelPaidSocial, "paid_social", "autumn-sale"}},
		{4, origin{"news.ycombinator.com/item", "Hacker News", enrich.ChannelOrganicSocial, "", ""}},
		{3, origin{"linkedin.com/feed", "LinkedIn", enrich.ChannelOrganicSocial, "", ""}},
		{5, origin{"", "newsletter", enrich.ChannelEmail, "email", "weekly-digest"}},
		{3, origin{"chatgpt.com", "ChatGPT", enrich.ChannelAI, "", ""}},
		{1, origin{"perplexity.ai", "Perplexity", enrich.ChannelAI, "", ""}},
		{2, origin{"github.com", "GitHub", enrich.ChannelOrganicSocial, "", ""}},
		{1, origin{"partner.example/reviews", "partner.example", enrich.ChannelReferral, "", ""}},
	}
}

type device struct {
	browser, browserVersion, os, osVersion, device, screen string
}

func devices() []choice[device] {
	return []choice[device]{
		{26, device{"Chrome", "142", "Windows", "10", enrich.Desktop, "1920x1080"}},
		{13, device{"Chrome", "142", "macOS", "10", enrich.Desktop, "1512x982"}},
		{9, device{"Safari", "26", "macOS", "10", enrich.Desktop, "1440x900"}},
		{22, device{"Safari", "26", "iOS", "26", enrich.Mobile, "390x844"}},
		{15, device{"Chrome", "142", "Android", "16", enrich.Mobile, "412x915"}},
		{6, device{"Firefox", "145", "Windows", "10", enrich.Desktop, "1920x1080"}},
		{3, device{"Firefox", "145", "Linux", "", enrich.Desktop, "2560x1440"}},
		{4, device{"Edge", "142", "Windows", "10", enrich.Desktop, "1536x864"}},
		{2, device{"Safari", "26", "iOS", "26", enrich.Tablet, "820x1180"}},
	}
}

type place struct{ country, language string }

func places() []choice[place] {
	return []choice[place]{
		{24, place{"US", "en-US"}}, {16, place{"FR", "fr"}}, {12, place{"DE", "de"}}, {10, place{"GB", "en-GB"}},
		{9, place{"IN", "en-IN"}}, {5, place{"NL", "nl"}}, {4, place{"CA", "en-CA"}}, {4, place{"ES", "es"}},
		{3, place{"BR", "pt-BR"}}, {3, place{"JP", "ja"}}, {2, place{"AU", "en-AU"}}, {2, place{"SE", "sv"}},
		{2, place{"IT", "it"}}, {2, place{"PL", "pl"}}, {1, place{"CH", "de-CH"}}, {1, place{"", "en"}},
	}
}

// byHour returns the visits that begin in each local hour, relative to the busiest hour.
func byHour() [24]float64 {
	return [24]float64{.18, .12, .08, .06, .06, .1, .22, .42, .64, .82, .94, 1, .92, .9, .95, .97, .93, .88, .84, .86, .88, .78, .55, .32}
}

// eventsPerVisit is the average of traffic; a test checks it.
const eventsPerVisit = 2.5

// traffic yields about total events of the sites over the days before now, day by day, with
// the events of a visit together. It is deterministic.
func traffic(r *rand.Rand, sites []site, days, total int, now time.Time) iter.Seq[event.Event] {
	return func(yield func(event.Event) bool) {
		var weight float64
		for _, s := range sites {
			for back := range days {
				weight += s.share * s.weight(back, days, now)
			}
		}
		visitsPerWeight := float64(total) / eventsPerVisit / weight
		for back := days - 1; back >= 0; back-- {
			for _, s := range sites {
				visits := s.share * s.weight(back, days, now) * visitsPerWeight * (0.93 + 0.14*r.Float64())
				for range int(math.Round(visits)) {
					for _, e := range s.visit(r, back, now) {
						if !yield(e) {
							return
						}
					}
				}
			}
		}
	}
}

// site is a created site with its profile.
type site struct {
	profile
	id       int32
	location *time.Location
}

// midnight returns the start of the local day that is back days before now.
func (s *site) midnight(back int, now time.Time) time.Time {
	y, m, d := now.In(s.location).Date()
	return time.Date(y, m, d-back, 0, 0, 0, 0, s.location)
}

// weight returns the relative traffic of a day. It grows slowly, follows the week, and is
// reduced today to the part of the day that has passed.
func (s *site) weight(back, days int, now time.Time) float64 {
	day := s.midnight(back, now)
	w := 1 + 0.35*float64(days-back)/float64(days)
	if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		w *= s.weekend
	}
	if back == 0 {
		var passed, all float64
		for hour, rate := range byHour() {
			all += rate
			passed += rate * min(1, max(0, now.Sub(day).Hours()-float64(hour)))
		}
		w *= passed / all
	}
	return w
}

// visit returns the events of a visit that starts on a day.
func (s *site) visit(r *rand.Rand, back int, now time.Time) []event.Event {
	day := s.midnight(back, now)
	at := day.Add(s.clock(r)).Truncate(time.Millisecond)
	for back == 0 && at.After(now) {
		at = day.Add(time.Duration(r.Float64() * float64(now.Sub(day)))).Truncate(time.Millisecond)
	}
	from, with, in := pick(r, origins()), pick(r, devices()), pick(r, places())
	e := event.Event{
		Site: s.id, Visitor: r.Int64(), Type: event.View, Hostname: s.domain,
		Attributes: event.Attributes{
			Referrer: from.referrer, Source: from.source, Channel: from.channel, UTMMedium: from.medium, UTMCampaign: from.campaign,
			Country: in.country, Language: in.language, Browser: with.browser, BrowserVersion: with.browserVersion,
			OS: with.os, OSVersion: with.osVersion, Device: with.device, Screen: with.screen,
		},
	}
	if from.campaign != "" {
		e.UTMSource = from.source
	}
	var events []event.Event
	add := func(e event.Event) {
		local := at.In(s.location)
		_, offset := local.Zone()
		if at.After(now) || event.DayOf(local) != event.DayOf(day) {
			return // the end of the day cuts the visit off
		}
		e.ID, e.Time, e.Day, e.UTCOffset = newID(r, at), at.UTC(), event.DayOf(local), int16(offset/60)
		events = append(events, e)
	}
	for {
		e.Page = s.pages[zipf(r, len(s.pages))]
		add(e)
		if r.Float64() < 0.42 || len(events) > 25 {
			break
		}
		at = at.Add(time.Duration((4 + r.ExpFloat64()*48) * float64(time.Second))).Truncate(time.Millisecond)
	}
	if r.Float64() < s.goalRate {
		at = at.Add(time.Duration((6 + r.ExpFloat64()*30) * float64(time.Second))).Truncate(time.Millisecond)
		e.Type, e.Name, e.Page = event.Conversion, s.goal, s.goalPage
		if s.price > 0 {
			e.Amount, e.Currency = fmt.Sprintf("%.2f", s.price*(0.4+r.ExpFloat64())), "EUR"
		}
		add(e)
	}
	return events
}

// clock draws the time of day at which a visit starts.
func (s *site) clock(r *rand.Rand) time.Duration {
	rates := byHour()
	hours := make([]choice[int], len(rates))
	for hour, rate := range rates {
		hours[hour] = choice[int]{rate, hour}
	}
	return time.Duration(pick(r, hours))*time.Hour + time.Duration(r.Int64N(int64(time.Hour)))
}

// zipf draws an index below n from a Zipf distribution: 0 is the most frequent.
func zipf(r *rand.Rand, n int) int {
	var sum float64
	for i := range n {
		sum += 1 / float64(i+1)
	}
	at := r.Float64() * sum
	for i := range n {
		if at -= 1 / float64(i+1); at < 0 {
			return i
		}
	}
	return n - 1
}

// newID returns a UUIDv7 with a time.
func newID(r *rand.Rand, at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|7<<12|r.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], 1<<63|r.Uint64()>>2)
	return id
}
