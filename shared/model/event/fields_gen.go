// Code generated from package catalogue by `make generate`. DO NOT EDIT.

package event

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
)

// Attributes is what is known of where a visitor came from and with what. Empty means
// not known. The attributes of a visit are those of its first event.
type Attributes struct {
	Referrer       string `json:"referrer"`        // host and path, no query
	Source         string `json:"source"`          // who sent the visitor, such as Google
	Channel        string `json:"channel"`         // kind of source, such as Organic Search
	UTMSource      string `json:"utm_source"`      // as sent
	UTMMedium      string `json:"utm_medium"`      // as sent
	UTMCampaign    string `json:"utm_campaign"`    // as sent
	UTMTerm        string `json:"utm_term"`        // as sent
	UTMContent     string `json:"utm_content"`     // as sent
	Country        string `json:"country"`         // ISO 3166-1 alpha-2
	Region         string `json:"region"`          // ISO 3166-2
	City           string `json:"city"`            // English name
	Browser        string `json:"browser"`         // name of the browser or app
	BrowserVersion string `json:"browser_version"` // major version
	OS             string `json:"os"`              // name of the operating system
	OSVersion      string `json:"os_version"`      // version of the operating system
	Device         string `json:"device"`          // Desktop, Mobile, Tablet, TV or Console
	Language       string `json:"language"`        // BCP 47
	Screen         string `json:"screen"`          // WIDTHxHEIGHT in CSS pixels
}

// attributeCount is the number of attributes.
const attributeCount = 18

// AttributeValues returns the attributes in the order of their columns in the database.
func (a *Attributes) AttributeValues() [attributeCount]*string {
	return [attributeCount]*string{&a.Referrer, &a.Source, &a.Channel, &a.UTMSource, &a.UTMMedium, &a.UTMCampaign, &a.UTMTerm, &a.UTMContent, &a.Country, &a.Region, &a.City, &a.Browser, &a.BrowserVersion, &a.OS, &a.OSVersion, &a.Device, &a.Language, &a.Screen}
}

// AttributeNames returns the names of the attributes, in the order of AttributeValues.
func AttributeNames() [attributeCount]string {
	return [attributeCount]string{"referrer", "source", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "country", "region", "city", "browser", "browser_version", "os", "os_version", "device", "language", "screen"}
}

// Event is one thing that happened, enriched and pseudonymous: the form that is
// queued, stored and folded. Site, Day and Visitor name its visitor-day.
type Event struct {
	Site      int32             // id of the site
	Time      time.Time         // when the event happened: UTC, whole milliseconds
	ID        uuid.UUID         // makes a retry the same event
	Day       Day               // local day of the site; with Site and Visitor it names the visitor-day
	UTCOffset int16             // minutes that local time is ahead of UTC
	Visitor   int64             // keyed hash under the salt of the day
	Type      Type              // what kind of thing happened
	Name      string            // what was clicked or reached
	Hostname  string            // host of the page
	Page      string            // path of the page, in the form of weburl.Canonical
	Title     string            // title of the page
	Props     map[string]string // properties, by key
	Amount    string            // decimal number: what the event is worth; empty without
	Currency  string            // ISO 4217 code of the amount
	Subject   uuid.UUID         // keyed hash of a reference to a person; zero without
	Funnel    string            // id of the funnel; empty without
	Step      int16             // step of the funnel, from 1
	Engaged   int32             // milliseconds that the page was visible and had the focus; of an engagement only
	Scroll    int16             // percent of the page that was seen, from 1; 0 when not measured; of an engagement only
	Passive   bool              // happened without the visitor doing something; such an event does not end a bounce
	Tag       string            // label of the page's version, to compare versions; empty without
	Attributes
}

// QueueVersion is the version of the queue form that Encode writes.
const QueueVersion = 3

const (
	queueElements      = 40 // elements that Encode writes
	firstQueueElements = 36 // elements that the first version wrote
)

// Encode appends the queue form of the event, which docs/formats.md describes: an array
// in MessagePack. An element never changes its position, and new elements come last, so
// each version reads what any other has written and skips what it doesn't know.
func (e *Event) Encode(buf []byte) []byte {
	buf = msgp.AppendArrayHeader(buf, queueElements)
	buf = msgp.AppendInt32(buf, e.Site)
	buf = msgp.AppendBytes(buf, e.ID[:])
	buf = msgp.AppendInt64(buf, e.Time.UnixMilli())
	buf = msgp.AppendInt32(buf, int32(e.Day))
	buf = msgp.AppendInt16(buf, e.UTCOffset)
	buf = msgp.AppendInt64(buf, e.Visitor)
	buf = msgp.AppendInt16(buf, int16(e.Type))
	buf = msgp.AppendInt16(buf, e.Step)
	buf = msgp.AppendInt32(buf, e.Engaged)
	buf = appendID(buf, e.Subject)
	buf = appendProps(buf, e.Props)
	buf = msgp.AppendString(buf, e.Name)
	buf = msgp.AppendString(buf, e.Hostname)
	buf = msgp.AppendString(buf, e.Page)
	buf = msgp.AppendString(buf, e.Title)
	buf = msgp.AppendString(buf, e.Amount)
	buf = msgp.AppendString(buf, e.Currency)
	buf = msgp.AppendString(buf, e.Funnel)
	buf = msgp.AppendString(buf, e.Referrer)
	buf = msgp.AppendString(buf, e.Source)
	buf = msgp.AppendString(buf, e.Channel)
	buf = msgp.AppendString(buf, e.UTMSource)
	buf = msgp.AppendString(buf, e.UTMMedium)
	buf = msgp.AppendString(buf, e.UTMCampaign)
	buf = msgp.AppendString(buf, e.UTMTerm)
	buf = msgp.AppendString(buf, e.UTMContent)
	buf = msgp.AppendString(buf, e.Country)
	buf = msgp.AppendString(buf, e.Region)
	buf = msgp.AppendString(buf, e.City)
	buf = msgp.AppendString(buf, e.Browser)
	buf = msgp.AppendString(buf, e.BrowserVersion)
	buf = msgp.AppendString(buf, e.OS)
	buf = msgp.AppendString(buf, e.OSVersion)
	buf = msgp.AppendString(buf, e.Device)
	buf = msgp.AppendString(buf, e.Language)
	buf = msgp.AppendString(buf, e.Screen)
	buf = msgp.AppendInt16(buf, e.Scroll)
	buf = msgp.AppendBool(buf, e.Passive)
	buf = msgp.AppendInt16(buf, QueueVersion)
	buf = msgp.AppendString(buf, e.Tag)
	return buf
}

// Decode reads what Encode wrote into e, which must be zero. The texts of the event are
// parts of encoded, which they keep in memory.
func (e *Event) Decode(encoded string) error {
	r, err := open(encoded)
	if err != nil {
		return err
	}
	e.Site = r.int32()
	e.ID = r.uuid()
	e.Time = time.UnixMilli(r.int64()).UTC()
	e.Day = Day(r.int32())
	e.UTCOffset = r.int16()
	e.Visitor = r.int64()
	e.Type = Type(r.int16())
	e.Step = r.int16()
	e.Engaged = r.int32()
	e.Subject = r.uuid()
	e.Props = r.props()
	e.Name = r.text()
	e.Hostname = r.text()
	e.Page = r.text()
	e.Title = r.text()
	e.Amount = r.text()
	e.Currency = r.text()
	e.Funnel = r.text()
	e.Referrer = r.text()
	e.Source = r.text()
	e.Channel = r.text()
	e.UTMSource = r.text()
	e.UTMMedium = r.text()
	e.UTMCampaign = r.text()
	e.UTMTerm = r.text()
	e.UTMContent = r.text()
	e.Country = r.text()
	e.Region = r.text()
	e.City = r.text()
	e.Browser = r.text()
	e.BrowserVersion = r.text()
	e.OS = r.text()
	e.OSVersion = r.text()
	e.Device = r.text()
	e.Language = r.text()
	e.Screen = r.text()
	if r.elements > 36 {
		e.Scroll = r.int16()
	}
	if r.elements > 37 {
		e.Passive = r.bool()
	}
	if r.elements > 38 {
		r.version()
	}
	if r.elements > 39 {
		e.Tag = r.text()
	}
	if r.err != nil {
		return fmt.Errorf("decode an event: %w", r.err)
	}
	return nil
}

// What a text of a client may have at most, in bytes of UTF-8.
const (
	MaxSite     = 255
	MaxName     = 120
	MaxURL      = 2048
	MaxReferrer = 2048
	MaxTitle    = 500
	MaxLanguage = 35
	MaxScreen   = 16
	MaxTag      = 120
	MaxSubject  = 256
)

// Input is an event as a client sends it.
type Input struct {
	ID        string                    `json:"id"`        // UUIDv7 made by the client; makes a retry the same event
	Site      string                    `json:"site"`      // domain or public id
	Type      string                    `json:"type"`      // view, click, conversion, funnel_step or engagement
	Name      string                    `json:"name"`      // what was clicked or reached
	URL       string                    `json:"url"`       // absolute; required for a view and an engagement
	Referrer  string                    `json:"referrer"`  // absolute URL of the previous page
	Timestamp string                    `json:"timestamp"` // RFC 3339; arrival when absent
	Title     string                    `json:"title"`
	Language  string                    `json:"language"` // BCP 47
	Screen    string                    `json:"screen"`   // WIDTHxHEIGHT in CSS pixels
	Tag       string                    `json:"tag"`      // label of the page's version, to compare versions
	Props     map[string]jsontext.Value `json:"props"`    // strings, numbers, booleans
	Value     *Value                    `json:"value"`
	Passive   bool                      `json:"passive"` // happened without the visitor doing something; such an event does not end a bounce
	Consent   bool                      `json:"consent"` // the visitor has agreed to be counted; for sites whose rules require it
	Subject   string                    `json:"subject"` // reference to a consenting person; stored only as a keyed hash
	Funnel    *Funnel                   `json:"funnel"`
	Engaged   *int                      `json:"engaged"` // milliseconds that the page was visible and had the focus since the last engagement; of an engagement only
	Scroll    *int                      `json:"scroll"`  // percent of the page that was seen so far, 0 to 100; of an engagement only

	SentAt time.Time `json:"-"` // when it was sent, by the client's clock; zero if the client did not say
	Flaws  []Flaw    `json:"-"` // what was wrong with it, found while it was decoded
}

// inputNames are the names of the members of an Input, for messages.
const inputNames = "id, site, type, name, url, referrer, timestamp, title, language, screen, tag, props, value, passive, consent, subject, funnel, engaged, scroll"

// copyTo sets the fields that an event has as they were sent, as far as it can hold them.
func (in *Input) copyTo(v *Valid) {
	v.Event.Name = v.text("name", in.Name, MaxName)
	v.Event.Title = v.text("title", in.Title, MaxTitle)
	v.Event.Language = v.text("language", in.Language, MaxLanguage)
	v.Event.Screen = v.text("screen", in.Screen, MaxScreen)
	v.Event.Tag = v.text("tag", in.Tag, MaxTag)
	v.Event.Passive = in.Passive
}

// set sets a member to a value of any type, as far as it makes sense. It reports whether there
// is such a member.
func (in *Input) set(name string, value jsontext.Value) (known bool) {
	switch name {
	case "id":
		in.ID = readText(in, "id", value)
	case "site":
		in.Site = readText(in, "site", value)
	case "type":
		in.Type = readText(in, "type", value)
	case "name":
		in.Name = readText(in, "name", value)
	case "url":
		in.URL = readText(in, "url", value)
	case "referrer":
		in.Referrer = readText(in, "referrer", value)
	case "timestamp":
		in.Timestamp = readText(in, "timestamp", value)
	case "title":
		in.Title = readText(in, "title", value)
	case "language":
		in.Language = readText(in, "language", value)
	case "screen":
		in.Screen = readText(in, "screen", value)
	case "tag":
		in.Tag = readText(in, "tag", value)
	case "props":
		in.Props = readProps(in, "props", value)
	case "value":
		in.Value = readValue(in, "value", value)
	case "passive":
		in.Passive = readBool(in, "passive", value)
	case "consent":
		in.Consent = readBool(in, "consent", value)
	case "subject":
		in.Subject = readText(in, "subject", value)
	case "funnel":
		in.Funnel = readFunnel(in, "funnel", value)
	case "engaged":
		in.Engaged = readInteger(in, "engaged", value)
	case "scroll":
		in.Scroll = readInteger(in, "scroll", value)
	default:
		return false
	}
	return true
}

// decodeFast decodes an event that is written as nearly all are: texts without escapes,
// numbers without exponents, no rare members. It reports false for any other, which
// decodeAny reads or refuses. The two must never read an event differently.
func decodeFast(data []byte) (in Input, ok bool) {
	r := fastReader{rest: string(data)} // all texts are parts of it
	seen := uint32(0)                   // a bit for each member
	for more := r.begin(); more; more = r.next() {
		var member uint32
		switch r.name() {
		case "id":
			member, in.ID = 1<<0, r.text()
		case "site":
			member, in.Site = 1<<1, r.text()
		case "type":
			member, in.Type = 1<<2, r.text()
		case "name":
			member, in.Name = 1<<3, r.text()
		case "url":
			member, in.URL = 1<<4, r.text()
		case "referrer":
			member, in.Referrer = 1<<5, r.text()
		case "timestamp":
			member, in.Timestamp = 1<<6, r.text()
		case "title":
			member, in.Title = 1<<7, r.text()
		case "language":
			member, in.Language = 1<<8, r.text()
		case "screen":
			member, in.Screen = 1<<9, r.text()
		case "tag":
			member, in.Tag = 1<<10, r.text()
		case "props":
			member, in.Props = 1<<11, r.props()
		case "passive":
			member, in.Passive = 1<<13, r.boolean()
		case "consent":
			member, in.Consent = 1<<14, r.boolean()
		case "subject":
			member, in.Subject = 1<<15, r.text()
		case "engaged":
			member, in.Engaged = 1<<17, r.integer()
		case "scroll":
			member, in.Scroll = 1<<18, r.integer()
		default:
			return Input{}, false
		}
		if seen&member != 0 {
			return Input{}, false
		}
		seen |= member
	}
	if r.space(); r.failed || r.rest != "" {
		return Input{}, false
	}
	return in, true
}
