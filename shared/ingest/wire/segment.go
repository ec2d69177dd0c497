package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/loosejson"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/writekey"
)

// segment is a message that Segment's libraries send.
type segment struct {
	Type              jsontext.Value                   `json:"type"`
	WriteKey          jsontext.Value                   `json:"writeKey"`
	MessageID         jsontext.Value                   `json:"messageId"`
	UserID            jsontext.Value                   `json:"userId"`
	Event             jsontext.Value                   `json:"event"`
	Name              jsontext.Value                   `json:"name"`
	Category          jsontext.Value                   `json:"category"`
	Properties        jsontext.Value                   `json:"properties"`
	Context           loosejson.Struct[segmentContext] `json:"context"`
	Timestamp         jsontext.Value                   `json:"timestamp"`
	OriginalTimestamp jsontext.Value                   `json:"originalTimestamp"`
	SentAt            jsontext.Value                   `json:"sentAt"`
}

type segmentContext struct {
	IP        jsontext.Value                  `json:"ip"`
	UserAgent jsontext.Value                  `json:"userAgent"`
	Locale    jsontext.Value                  `json:"locale"`
	Page      loosejson.Struct[segmentPage]   `json:"page"`
	Screen    loosejson.Struct[segmentScreen] `json:"screen"`
}

type segmentPage struct {
	URL      jsontext.Value `json:"url"`
	Referrer jsontext.Value `json:"referrer"`
	Title    jsontext.Value `json:"title"`
}

type segmentScreen struct {
	Width  jsontext.Value `json:"width"`
	Height jsontext.Value `json:"height"`
}

type segmentBatch struct {
	Batch    []jsontext.Value                 `json:"batch"`
	WriteKey jsontext.Value                   `json:"writeKey"`
	SentAt   jsontext.Value                   `json:"sentAt"`
	Context  loosejson.Struct[segmentContext] `json:"context"`
}

// SegmentType returns the type of message that Segment's POST /v1/<path> accepts, or
// "batch". The path is the long name, or the short one of Segment's browser library.
func SegmentType(path string) (messageType string, ok bool) {
	switch path {
	case "t", "track":
		return "track", true
	case "p", "page":
		return "page", true
	case "i", "identify":
		return "identify", true
	case "s", "screen":
		return "screen", true
	case "g", "group":
		return "group", true
	case "a", "alias":
		return "alias", true
	case "b", "batch":
		return "batch", true
	default:
		return "", false
	}
}

// Segment decodes the body of Segment's POST /v1/<type>: one message.
//
// A page is a view, and a track is a conversion. Messages of other types describe people,
// or screens without an address, and are ignored as Unsupported. Segment's write key (the
// user of basic authentication, or writeKey in the body) is the site or a write key of ours.
// A userId is a subject; an anonymousId is never read.
//
// Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/.
func Segment(messageType string, r Request) (Batch, error) {
	b := Batch{Events: make([]Event, 1), Names: segmentNames(messageType)}
	var shared Event
	shared.takeName(basicUser(r.Header))
	b.Events[0] = readSegment(r, r.Body, shared, nil, messageType)
	return b, nil
}

// SegmentBatch decodes the body of Segment's POST /v1/batch: messages of any type.
func SegmentBatch(r Request) (Batch, error) {
	b := Batch{Array: true, Names: segmentNames("")}
	var body segmentBatch
	if err := decode(r.Body, &body); err != nil {
		return b, err
	}
	if err := checkCount("batch", len(body.Batch)); err != nil {
		return b, err
	}
	var shared Event // what messages have from the batch, in memory once
	shared.takeName(basicUser(r.Header))
	shared.takeName(shared.text("writeKey", body.WriteKey))
	shared.takeContext(&body.Context)
	b.Events = make([]Event, len(body.Batch))
	for i, message := range body.Batch {
		b.Events[i] = readSegment(r, message, shared, body.SentAt, "")
	}
	return b, nil
}

func segmentNames(messageType string) map[string]string {
	page := "context.page."
	if messageType == "page" {
		page = "properties."
	}
	return map[string]string{
		"site": "writeKey", "address": "context.ip", "user_agent": "context.userAgent", "id": "messageId", "name": "event", "subject": "userId", "props": "properties",
		"url": page + "url", "referrer": page + "referrer", "title": page + "title",
		"language": "context.locale", "screen": "context.screen",
		"value.amount": "properties.revenue", "value.currency": "properties.currency",
	}
}

// readSegment decodes a message, with what it shares with others, and when they were sent.
// messageType is the type of a message sent alone; "" means that the message declares its type.
func readSegment(r Request, data []byte, shared Event, sentAt jsontext.Value, messageType string) (e Event) {
	if e.Err = checkSize(data); e.Err != nil {
		return e
	}
	var m segment
	if e.Err = decode(data, &m); e.Err != nil {
		return e
	}
	if messageType == "" {
		messageType, _ = loosejson.Text(m.Type)
	}
	switch messageType {
	case "track", "page":
	case "identify", "screen", "group", "alias":
		e.Ignored = Unsupported
		return e
	default:
		e.Err = &validation.Error{Field: "type", Code: validation.CodeWrongValue, Detail: "must be one of track, page, identify, screen, group, alias"}
		return e
	}
	if m.Context.OK {
		shared = Event{WriteKey: shared.WriteKey, Input: event.Input{Site: shared.Input.Site}}
	}
	e = shared
	e.Input.Flaws = slices.Clip(e.Input.Flaws)
	e.takeName(e.text("writeKey", m.WriteKey)) // the closest one wins
	e.takeContext(&m.Context)
	m.SentAt = first(m.SentAt, sentAt)
	m.read(r, &e, messageType)
	return e
}

// takeName sets the site, or the write key, unless the name is empty.
func (e *Event) takeName(name string) {
	switch {
	case name == "":
	case writekey.Is(name):
		e.WriteKey = name
	default:
		e.Input.Site = name
	}
}

// takeContext sets what a context says, if there is one.
func (e *Event) takeContext(s *loosejson.Struct[segmentContext]) {
	isObject(e, "context", s)
	if !s.OK {
		return
	}
	in, c := &e.Input, &s.Value
	isObject(e, "context.page", &c.Page)
	isObject(e, "context.screen", &c.Screen)
	page, screen := &c.Page.Value, &c.Screen.Value
	in.URL, in.Referrer, in.Title = e.text("context.page.url", page.URL), e.text("context.page.referrer", page.Referrer), e.text("context.page.title", page.Title)
	in.Language = strings.ReplaceAll(e.text("context.locale", c.Locale), "_", "-")
	in.Screen = pixels(screen.Width, screen.Height)
	e.UserAgent = e.text("context.userAgent", c.UserAgent)
	e.Address = e.address("context.ip", c.IP)
}

func (m *segment) read(r Request, e *Event, messageType string) {
	in := &e.Input
	in.Props = e.object("properties", m.Properties)
	takeConsent(in)
	if messageType == "page" {
		in.Type = event.View.String()
		m.takePage(e)
	} else {
		in.Type, in.Name = event.Conversion.String(), e.text("event", m.Event)
		if in.Name == "" {
			in.Omit("event", "the name of what happened, e.g. Order Completed, is missing")
		}
		takeMoney(e, "properties", "USD") // the default of Segment's specification
	}
	if r.Subjects {
		in.Subject = e.text("userId", m.UserID)
	}
	m.setIDAndTime(r.Arrived, e)
}

// takePage moves the properties of a page that an event has fields for to these fields.
func (m *segment) takePage(e *Event) {
	in := &e.Input
	for key, field := range map[string]*string{"url": &in.URL, "referrer": &in.Referrer, "title": &in.Title} {
		if s, ok := loosejson.Text(in.Props[key]); ok && s != "" {
			*field = s
		}
		delete(in.Props, key)
	}
	delete(in.Props, "path") // the URL has both
	delete(in.Props, "search")
	if name := e.text("name", m.Name); name != "" {
		in.Props = withProp(in.Props, "name", name)
	}
	if category := e.text("category", m.Category); category != "" {
		in.Props = withProp(in.Props, "category", category)
	}
}

// setIDAndTime sets the id, the timestamp and the time of sending.
func (m *segment) setIDAndTime(arrived time.Time, e *Event) {
	in := &e.Input
	sent, ok := instant(e, "timestamp", m.Timestamp)
	if !ok {
		sent, ok = instant(e, "originalTimestamp", m.OriginalTimestamp)
	}
	if ok {
		in.Timestamp = sent.UTC().Format(time.RFC3339Nano)
		in.SentAt, _ = instant(e, "sentAt", m.SentAt)
	}
	id := e.text("messageId", m.MessageID)
	if id == "" {
		return
	}
	if len(id) == 36 {
		if parsed, err := uuid.Parse(id); err == nil && parsed.Version() == 7 {
			in.ID = id
			return
		}
	}
	in.ID = MessageUUID(id, sent).String()
	if !ok { // otherwise the time would come from the id, which has none
		in.Timestamp = arrived.UTC().Format(time.RFC3339Nano)
	}
}

// MessageUUID returns the UUIDv7 for a messageId that is not a UUIDv7. It is the same for
// every retry of the message:
//
//	48 bits  timestamp of the message as sent, in milliseconds; 0 if absent
//	 4 bits  version, 7
//	12 bits  bits 4 to 15 of SHA-256(messageId)
//	 2 bits  variant, 10
//	62 bits  bits 66 to 127 of SHA-256(messageId)
//
// The timestamp is the uncorrected one, since a correction differs between retries.
func MessageUUID(messageID string, timestamp time.Time) uuid.UUID {
	sum := sha256.Sum256([]byte(messageID))
	var id uuid.UUID
	copy(id[6:], sum[:2])
	copy(id[8:], sum[8:16])
	var millis uint64
	if !timestamp.IsZero() {
		millis = uint64(max(0, timestamp.UnixMilli()))
	}
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], millis)
	copy(id[:6], head[2:])
	id[6] = 0x70 | sum[0]&0x0f
	id[8] = 0x80 | sum[8]&0x3f
	return id
}

// instant parses a date of Segment's libraries: ISO 8601 with a zone and any number of
// fractional digits. ok is false if there is none.
func instant(e *Event, field string, value jsontext.Value) (at time.Time, ok bool) {
	text := e.text(field, value)
	if text == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Year() < 1 {
		e.Input.Omit(field, "must be an ISO 8601 date and time with a zone, e.g. 2026-03-01T12:30:00.000Z")
		return time.Time{}, false
	}
	return at.UTC(), true
}

// pixels formats the size of a screen; it returns "" if a side is missing or implausible.
func pixels(width, height jsontext.Value) string {
	w, okW := loosejson.Number(width)
	h, okH := loosejson.Number(height)
	if !okW || !okH || w < 1 || h < 1 || w > 99999 || h > 99999 {
		return ""
	}
	return fmt.Sprintf("%.0fx%.0f", math.Floor(w), math.Floor(h))
}
