// Package pipeline turns one event as a client sent it, with what the request
// shows, into the event that is queued: checked, enriched, pseudonymous.
//
// It is pure: sites and salts are looked up in a Directory it is given, and time
// and ids come in. It is the last that sees the address, the user agent and the
// subject in the clear, and must never put them into an event or an error.
package pipeline

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/privacy"
)

// Site is what must be known of a site to take its events.
type Site struct {
	ID       int32
	Domain   string
	Location *time.Location // its time zone, from Since on
	Previous *time.Location // before; nil when Location always was in force
	Since    time.Time
	Rules    *rules.Filter // what its owner lets in
}

// LocationAt is the time zone that is in force at a time.
func (s *Site) LocationAt(at time.Time) *time.Location {
	if s.Previous != nil && at.Before(s.Since) {
		return s.Previous
	}
	return s.Location
}

// Directory knows the sites and the salts of the days that are open.
type Directory interface {
	// Site finds a site by its domain or its public id, in lower case.
	Site(name string) (Site, bool)
	// Salt is the salt of a local day.
	Salt(event.Day) (*privacy.Salt, bool)
}

// Request is what the request that carried an event shows of its sender.
type Request struct {
	Address   netip.Addr // of the client
	UserAgent string
	Refused   bool // it asks not to be tracked, see privacy.Refused
	Hints     enrich.Hints
	Arrived   time.Time
}

// Collector makes events. It is safe for concurrent use.
type Collector struct {
	Enricher   *enrich.Enricher
	SubjectKey []byte           // keys the hashes of subjects; without it subjects are refused
	NewID      func() uuid.UUID // makes a UUIDv7 for an event that brought none
}

// Reason says why an event that is not wrong was left out.
type Reason string

// The reasons for which an event is dropped.
const (
	Consent          Reason = "consent" // the visitor asked not to be tracked, or has not agreed where the site requires it
	ExcludedHostname Reason = "excluded_hostname"
	ExcludedPath     Reason = "excluded_path"
	ExcludedAddress  Reason = "excluded_address"
	ExcludedCountry  Reason = "excluded_country"
	NotSampled       Reason = "not_sampled" // the visitor is not in the site's sample

	BotUserAgent  = Reason(enrich.BotUserAgent) // the user agent is a program's
	BotHeadless   = Reason(enrich.BotHeadless)
	BotPrefetch   = Reason(enrich.BotPrefetch)
	BotDatacenter = Reason(enrich.BotDatacenter)
)

// Collected is what became of an event: queue Event, unless Dropped says why not. With an
// error, too, the Site and Day of Event are those of the site, if it is known.
type Collected struct {
	Event         event.Event
	Domain        string // of the site, if it is known
	Rate          int    // how many events the site takes in a minute; 0 is no limit
	Dropped       Reason
	Skewed        bool     // the client's clock was ahead; the time was set to arrival
	PersonalProps []string // properties that were left out since their keys name personal data
}

// Whose is what is known of an event of which nothing else is: its site, and the day on
// which it arrived there.
func Whose(d Directory, site string, arrived time.Time) (out Collected) {
	if site, ok := d.Site(strings.ToLower(site)); ok {
		out.Domain, out.Event.Site = site.Domain, site.ID
		out.Event.Day = event.DayOf(arrived.In(site.LocationAt(arrived)))
	}
	return out
}

// ErrNoSalt means that the salt of an open day is not known: the same request may
// succeed later.
var ErrNoSalt = errors.New("the salt of the day is not at hand")

// Collect makes an event of what a client sent. A wrong field is an
// *validation.Error.
func (c *Collector) Collect(d Directory, r Request, in event.Input) (out Collected, err error) {
	out = Whose(d, in.Site, r.Arrived)
	site, known := d.Site(strings.ToLower(in.Site))
	if known {
		consent := site.Rules.Consent()
		if r.Refused && consent != rules.Anonymous || consent == rules.Required && !in.Consent {
			out.Dropped = Consent
			return out, nil
		}
	}
	valid, err := in.Validate(r.Arrived)
	if err != nil {
		return out, err
	}
	if !known {
		return out, &validation.Error{Field: "site", Code: validation.CodeUnknownSite, Detail: "no such site: use the domain or the public id of a site that was added to this installation"}
	}
	// Until it is known that the event's own day is open, it counts for that of its arrival.
	valid.Event.Site, valid.Event.Day = site.ID, out.Event.Day
	out.Event, out.Skewed = valid.Event, valid.Skewed
	e := &out.Event

	var campaign privacy.Campaign
	if valid.URL != "" {
		page, ok := privacy.ReadPage(valid.URL)
		if !ok {
			return out, &validation.Error{Field: "url", Code: validation.CodeWrongValue, Detail: "must be an absolute http or https address, e.g. https://example.com/pricing"}
		}
		e.Hostname, e.Page, campaign = page.Hostname, page.Path, page.Campaign
	}

	local := e.Time.In(site.LocationAt(e.Time))
	_, offset := local.Zone()
	day := event.DayOf(local)
	if first, _ := privacy.SaltDays(r.Arrived); day < first {
		return out, &validation.Error{Field: "timestamp", Code: validation.CodeOutOfRange, Detail: "is of a day that is closed: events are taken until the end of the day after, UTC"}
	}
	e.Day, e.UTCOffset = day, int16(offset/60)
	if out.Dropped = excluded(site.Rules, e, r.Address); out.Dropped != "" {
		return out, nil
	}
	salt, ok := d.Salt(e.Day)
	if !ok {
		return out, ErrNoSalt
	}

	agent := c.Enricher.Agent(r.UserAgent, r.Hints, r.Address)
	if agent.Bot != "" {
		out.Dropped = Reason(agent.Bot)
		return out, nil
	}
	c.attribute(e, agent, r.Address, valid.Referrer, site.Domain, campaign)
	if !site.Rules.Country(e.Country) {
		out.Dropped = ExcludedCountry
		return out, nil
	}
	out.PersonalProps = dropProps(e, site.Rules)

	if valid.Subject != "" {
		if len(c.SubjectKey) == 0 {
			return out, &validation.Error{Field: "subject", Code: validation.CodeWrongValue, Detail: "this installation takes no subjects: its operator must set SUBJECT_KEY"}
		}
		e.Subject = privacy.Subject(c.SubjectKey, site.ID, valid.Subject)
	}
	if e.ID == uuid.Nil {
		e.ID = c.NewID()
	}
	out.Rate = site.Rules.Rate()
	if r.Refused {
		anonymize(e)
		return out, nil
	}
	e.Visitor = privacy.Visitor(salt, site.ID, r.Address, r.UserAgent)
	if !site.Rules.Sampled(e.Visitor) {
		out.Dropped = NotSampled
	}
	return out, nil
}

// excluded says why a site's rules leave an event out, but for what its country says.
func excluded(r *rules.Filter, e *event.Event, address netip.Addr) Reason {
	switch {
	case !r.Hostname(e.Hostname):
		return ExcludedHostname
	case !r.Path(e.Page):
		return ExcludedPath
	case !r.Address(address):
		return ExcludedAddress
	}
	return ""
}

// anonymize leaves of an event what happened where, as rules.Anonymous says. Its visitor
// is as random as its id, so that a retry is the same event of the same visitor.
func anonymize(e *event.Event) {
	e.Attributes, e.Title, e.Props, e.Subject = event.Attributes{}, "", nil, uuid.Nil
	e.Visitor = int64(binary.BigEndian.Uint64(e.ID[8:]))
}

// attribute sets where the visitor came from and what with.
func (c *Collector) attribute(e *event.Event, agent enrich.Agent, address netip.Addr, referrer, domain string, campaign privacy.Campaign) {
	a := &e.Attributes
	host, path, ok := privacy.ReadReferrer(referrer)
	if ok && host != e.Hostname && host != strings.TrimPrefix(domain, "www.") {
		a.Referrer = host + path
	} else {
		host = ""
	}
	a.Source, a.Channel = c.Enricher.Source(host, campaign)
	a.UTMSource, a.UTMMedium, a.UTMCampaign = campaign.Source, campaign.Medium, campaign.Name
	a.UTMTerm, a.UTMContent = campaign.Term, campaign.Content
	place := c.Enricher.Place(address)
	a.Country, a.Region, a.City = place.Country, place.Region, place.City
	a.Browser, a.BrowserVersion = agent.Browser, agent.BrowserVersion
	a.OS, a.OSVersion = agent.OS, agent.OSVersion
	a.Device = agent.Device
}

// dropProps takes out the properties whose keys name personal data, which it returns, and
// those that a site's rules leave out.
func dropProps(e *event.Event, r *rules.Filter) (personal []string) {
	for key := range e.Props {
		switch {
		case privacy.Personal(key):
			personal = append(personal, key)
			delete(e.Props, key)
		case !r.Prop(key):
			delete(e.Props, key)
		}
	}
	slices.Sort(personal) // so that the same event is answered the same
	return personal
}
