// Package pipeline turns a client's event and the request that carried it into the event to
// queue: validated, enriched and pseudonymous.
//
// It is pure: a Directory provides sites and salts, and time and ids are passed in. It is
// the last place that sees the address, the user agent and the subject in the clear, and
// must never put them into an event or an error.
package pipeline

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/weburl"
	"github.com/analytics-platform/analytics/shared/model/writekey"
	"github.com/analytics-platform/analytics/shared/privacy"
)

// Site is the part of a site that the pipeline needs.
type Site struct {
	ID       int32
	PublicID string
	Domain   string
	Location *time.Location // time zone since Since
	Previous *time.Location // time zone before Since; nil if it never changed
	Since    time.Time
	Rules    *rules.Filter // which events the owner accepts
}

// LocationAt returns the time zone in force at a time.
func (s *Site) LocationAt(at time.Time) *time.Location {
	if s.Previous != nil && at.Before(s.Since) {
		return s.Previous
	}
	return s.Location
}

// Directory provides the sites, and the salts of the open days: those that accept events.
type Directory interface {
	// Site returns the site with a name, in any form that package sitename knows.
	Site(name string) (Site, bool)
	// Salt returns the salt of a local day.
	Salt(event.Day) (*privacy.Salt, bool)
}

// Request is the part of an HTTP request that describes its sender.
type Request struct {
	Address   netip.Addr // of the client
	UserAgent string
	Refused   bool // the client asks not to be tracked, see privacy.Refused
	Hints     enrich.Hints
	Arrived   time.Time

	Key *writekey.Key // the write key that was sent; nil if there was none
	For Visitor
}

// Visitor is the visitor for whom a server says that it sends an event. Zero values mean
// the sender itself.
type Visitor struct {
	Address   netip.Addr // in the body
	UserAgent string     // in the body
	Forwarded netip.Addr // in a header, see privacy.Proxies.Forwarded; the body comes first
}

// Pipeline makes events to queue. It is safe for concurrent use.
type Pipeline struct {
	Enricher   *enrich.Enricher
	SubjectKey []byte           // key of the hashes of subjects; if empty, subjects are rejected
	NewID      func() uuid.UUID // returns a UUIDv7 for an event without an id
}

// Reason is the reason why a valid event is dropped.
type Reason string

// The reasons for dropping an event.
const (
	Consent          Reason = "consent" // the visitor asked not to be tracked, or the site requires a consent that was not given
	ExcludedHostname Reason = "excluded_hostname"
	ExcludedPath     Reason = "excluded_path"
	ExcludedAddress  Reason = "excluded_address"
	ExcludedCountry  Reason = "excluded_country"
	NotSampled       Reason = "not_sampled" // the visitor is not in the site's sample

	BotUserAgent  = Reason(enrich.BotUserAgent) // the user agent is a program's
	BotUnknown    = Reason(enrich.BotUnknown)   // the user agent names neither a system nor a browser
	BotHeadless   = Reason(enrich.BotHeadless)
	BotPrefetch   = Reason(enrich.BotPrefetch)
	BotDatacenter = Reason(enrich.BotDatacenter)
)

// Result is the outcome for an event. The caller queues Event unless Dropped is set. Even
// with an error, Event has Site and Day if the site is known.
type Result struct {
	Event    event.Event
	PublicID string // of the site, if it is known
	Rate     int    // events per minute that the site accepts; 0 means no limit
	Dropped  Reason
	Trusted  bool     // the sender has a write key of the site, or is one of its servers
	Skewed   bool     // the client's clock was ahead, so the time is that of arrival
	Changes  []Change // what was left out of the event, or ignored
}

// ErrNoSalt means that the salt of an open day is not known. A retry may succeed.
var ErrNoSalt = errors.New("the salt of the day is not available")

// ErrOtherSite means that the sender has a write key for other sites than that of the event.
var ErrOtherSite = errors.New("the write key is for other sites")

// Attribute returns the result for an event that can't be decoded beyond the name of its
// site: the site, and the local day of the arrival.
func Attribute(d Directory, site string, arrived time.Time) (out Result) {
	if site, ok := d.Site(site); ok {
		out.PublicID, out.Event.Site = site.PublicID, site.ID
		out.Event.Day = event.DayOf(arrived.In(site.LocationAt(arrived)))
	}
	return out
}

// Run makes the event to queue from a client's input. The error is a *validation.Error for
// an invalid field, ErrOtherSite or ErrNoSalt.
func (p *Pipeline) Run(d Directory, r Request, in event.Input) (Result, error) {
	out := Attribute(d, in.Site, r.Arrived)
	site, known := d.Site(in.Site)
	if known {
		if r.Key != nil && !r.Key.Covers(site.ID) {
			return out, ErrOtherSite
		}
		out.Trusted = r.Key != nil || site.Rules.TrustsSender(r.Address)
		r, out.Changes = r.ofVisitor(out.Trusted)
	}
	if known && !consents(site.Rules, r, &in) {
		out.Dropped = Consent
		return out, nil
	}
	valid, err := in.Validate(r.Arrived)
	out.flawed(valid.Flaws)
	if err != nil {
		return out, err
	}
	if !known {
		return out, invalid("site", validation.CodeUnknownSite, "no such site: use the domain or the public id of a site that was added to this installation")
	}
	// Until its own day is known to be open, the event counts for the day of its arrival.
	valid.Event.Site, valid.Event.Day = site.ID, out.Event.Day
	out.Event, out.Skewed, out.Rate = valid.Event, valid.Skewed, site.Rules.Rate()
	e := &out.Event

	campaign, err := out.setPage(valid.URL)
	if err != nil {
		return out, err
	}
	if err := setDay(e, &site, r.Arrived); err != nil {
		return out, err
	}
	if out.Dropped = excluded(site.Rules, e, r.Address); out.Dropped != "" {
		return out, nil
	}
	salt, ok := d.Salt(e.Day)
	if !ok {
		return out, ErrNoSalt
	}
	if out.Dropped = p.enrich(&out, r, &site, valid.Referrer, campaign); out.Dropped != "" {
		return out, nil
	}
	p.setSubject(&out, valid.Subject)
	if e.ID == uuid.Nil {
		e.ID = p.NewID()
	}
	if out.Dropped = identify(e, r, &site, salt); out.Dropped == "" {
		out.Changes = append(out.Changes, takeOut(e, site.Rules)...)
	}
	return out, nil
}

// ofVisitor returns the request as if the visitor had sent it for whom a trusted server did.
// Nobody else is believed: one who could name the address of another could find out whether
// that visitor was here, fill that visitor's day, and pass excluded addresses. What is not
// believed is returned, unless it is true of the sender anyway.
func (r Request) ofVisitor(trusted bool) (Request, []Change) {
	if trusted {
		switch {
		case r.For.Address.IsValid():
			r.Address = r.For.Address
		case r.For.Forwarded.IsValid():
			r.Address = r.For.Forwarded
		}
		r.UserAgent = cmp.Or(r.For.UserAgent, r.UserAgent)
		return r, nil
	}
	var ignored []Change
	if r.For.Address.IsValid() && r.For.Address != r.Address {
		ignored = append(ignored, Change{Field: "address", Reason: UnprovenSender})
	}
	if r.For.UserAgent != "" && r.For.UserAgent != r.UserAgent {
		ignored = append(ignored, Change{Field: "user_agent", Reason: UnprovenSender})
	}
	return r, ignored
}

// consents reports whether an event may be counted, given the visitor's signals and the
// site's consent mode.
func consents(r *rules.Filter, request Request, in *event.Input) bool {
	switch r.Consent() {
	case rules.Anonymous:
		return true
	case rules.Required:
		return in.Consent && !request.Refused
	default:
		return !request.Refused
	}
}

// flawed adds what was wrong with the input to the changes.
func (r *Result) flawed(flaws []event.Flaw) {
	for _, f := range flaws {
		reason := Omitted
		if f.Cut {
			reason = Shortened
		}
		r.Changes = append(r.Changes, Change{f.Field, reason, f.Detail})
	}
}

// setPage sets the page of the event from its address, and returns the address's campaign.
func (r *Result) setPage(url string) (campaign privacy.Campaign, err error) {
	if url == "" {
		return campaign, nil
	}
	page, ok := privacy.ReadPage(url)
	if !ok {
		return campaign, invalid("url", validation.CodeWrongValue, "must be an absolute address with a host, e.g. https://example.com/pricing")
	}
	r.Event.Hostname, r.Event.Page = r.cut("url", page.Hostname), r.cut("url", page.Path)
	return page.Campaign, nil
}

// cut shortens a part of an address to what is stored of one.
func (r *Result) cut(field, part string) string {
	if len(part) <= event.MaxURL {
		return part
	}
	r.Changes = append(r.Changes, Change{field, Shortened, fmt.Sprintf("at most %d bytes are kept of a path", event.MaxURL)})
	return weburl.Canonical(event.Cut(part, event.MaxURL)) // an escape may have been cut
}

// setDay sets the local day of an event. The day must be open.
func setDay(e *event.Event, site *Site, arrived time.Time) error {
	local := e.Time.In(site.LocationAt(e.Time))
	day := event.DayOf(local)
	if first, _ := privacy.SaltDays(arrived); day < first {
		return invalid("timestamp", validation.CodeOutOfRange, "is on a closed day: events are accepted until the end of the next day, UTC")
	}
	_, offset := local.Zone()
	e.Day, e.UTCOffset = day, int16(offset/60)
	return nil
}

// excluded returns the reason why a site's rules exclude an event, or "". The country is
// checked later, by enrich.
func excluded(r *rules.Filter, e *event.Event, address netip.Addr) Reason {
	switch {
	case !r.AllowsHostname(e.Hostname):
		return ExcludedHostname
	case !r.AllowsPath(e.Page):
		return ExcludedPath
	case !r.AllowsAddress(address):
		return ExcludedAddress
	}
	return ""
}

// enrich sets the attributes of the visitor. It returns a reason to drop the event if a
// program sent it that is not the site's own, or if the site excludes the country, and ""
// otherwise.
func (p *Pipeline) enrich(out *Result, r Request, site *Site, referrer string, campaign privacy.Campaign) Reason {
	agent := p.Enricher.Agent(r.UserAgent, r.Hints, r.Address)
	if agent.Bot != "" && !isOwn(agent.Bot, r.UserAgent, out.Trusted, site.Rules) {
		return Reason(agent.Bot)
	}
	p.setAttributes(out, agent, r.Address, referrer, site.Domain, campaign)
	if !site.Rules.AllowsCountry(out.Event.Country) {
		return ExcludedCountry
	}
	return ""
}

// isOwn reports whether a program is the site's own. A trusted server need not be named in the
// rules: it may send its own user agent or none. But it may also forward a visitor's, so that a
// known program stays one.
func isOwn(bot enrich.BotReason, agent string, trusted bool, r *rules.Filter) bool {
	return trusted && bot == enrich.BotUnknown || r.OwnsAgent(agent)
}

// setSubject sets the keyed hash of the subject, if there is one.
func (p *Pipeline) setSubject(out *Result, subject string) {
	switch {
	case subject == "":
	case len(p.SubjectKey) == 0:
		out.flawed([]event.Flaw{{Field: "subject", Detail: "this installation accepts no subjects: its operator must set SUBJECT_KEY"}})
	default:
		out.Event.Subject = privacy.Subject(p.SubjectKey, out.Event.Site, subject)
	}
}

// identify sets the visitor. It returns a reason to drop the event if the visitor is not
// in the site's sample, and "" otherwise.
func identify(e *event.Event, r Request, site *Site, salt *privacy.Salt) Reason {
	if r.Refused {
		anonymize(e)
		return ""
	}
	e.Visitor = privacy.Visitor(salt, site.ID, r.Address, r.UserAgent)
	if !site.Rules.Sampled(e.Visitor) {
		return NotSampled
	}
	return ""
}

// anonymize removes everything about the visitor, as rules.Anonymous requires. The visitor
// becomes a number taken from the event's id, so that it is random but stable in a retry.
func anonymize(e *event.Event) {
	e.Attributes, e.Title, e.Tag, e.Props, e.Subject = event.Attributes{}, "", "", nil, uuid.Nil
	e.Visitor = int64(binary.BigEndian.Uint64(e.ID[8:]))
}

// setAttributes sets the attributes that the server derives.
func (p *Pipeline) setAttributes(out *Result, agent enrich.Agent, address netip.Addr, referrer, domain string, campaign privacy.Campaign) {
	a := &out.Event.Attributes
	host, path, ok := privacy.ReadReferrer(referrer)
	if ok && host != out.Event.Hostname && host != strings.TrimPrefix(domain, "www.") {
		a.Referrer = out.cut("referrer", host+path)
	} else {
		host = ""
	}
	a.Source, a.Channel = p.Enricher.Source(host, campaign)
	a.UTMSource, a.UTMMedium, a.UTMCampaign = campaign.Source, campaign.Medium, campaign.Name
	a.UTMTerm, a.UTMContent = campaign.Term, campaign.Content
	place := p.Enricher.Place(address)
	a.Country, a.Region, a.City = place.Country, place.Region, place.City
	a.Browser, a.BrowserVersion = agent.Browser, agent.BrowserVersion
	a.OS, a.OSVersion = agent.OS, agent.OSVersion
	a.Device = agent.Device
}

func invalid(field, code, detail string) error {
	return &validation.Error{Field: field, Code: code, Detail: detail}
}
