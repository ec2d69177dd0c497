package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/writekey"
)

// segment is a message that Segment's libraries send.
type segment struct {
	Type              string                    `json:"type"`
	WriteKey          string                    `json:"writeKey"`
	MessageID         string                    `json:"messageId"`
	UserID            jsontext.Value            `json:"userId"`
	Event             string                    `json:"event"`
	Name              string                    `json:"name"`
	Category          string                    `json:"category"`
	Properties        map[string]jsontext.Value `json:"properties"`
	Context           *segmentContext           `json:"context"`
	Timestamp         string                    `json:"timestamp"`
	OriginalTimestamp string                    `json:"originalTimestamp"`
	SentAt            string                    `json:"sentAt"`
}

type segmentContext struct {
	IP        string `json:"ip"`
	UserAgent string `json:"userAgent"`
	Locale    string `json:"locale"`
	Page      struct {
		URL      string `json:"url"`
		Referrer string `json:"referrer"`
		Title    string `json:"title"`
	} `json:"page"`
	Screen struct {
		Width  jsontext.Value `json:"width"`
		Height jsontext.Value `json:"height"`
	} `json:"screen"`
}

type segmentBatch struct {
	Batch    []jsontext.Value `json:"batch"`
	WriteKey string           `json:"writeKey"`
	SentAt   string           `json:"sentAt"`
	Context  *segmentContext  `json:"context"`
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
	b.Events[0] = readSegment(r, r.Body, segmentBatch{}, messageType)
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
	b.Events = make([]Event, len(body.Batch))
	for i, message := range body.Batch {
		b.Events[i] = readSegment(r, message, body, "")
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

// readSegment decodes a message, with the defaults of its batch. messageType is the type
// of a message sent alone; "" means that the message declares its type.
func readSegment(r Request, data []byte, batch segmentBatch, messageType string) (e Event) {
	if e.Err = checkSize(data); e.Err != nil {
		return e
	}
	var m segment
	if e.Err = decode(data, &m); e.Err != nil {
		return e
	}
	if messageType != "" {
		m.Type = messageType
	}
	switch m.Type {
	case "track", "page":
	case "identify", "screen", "group", "alias":
		e.Ignored = Unsupported
		return e
	default:
		e.Err = &validation.Error{Field: "type", Code: validation.CodeWrongValue, Detail: "must be one of track, page, identify, screen, group, alias"}
		return e
	}
	if m.Context == nil {
		m.Context = batch.Context
	}
	if m.Context == nil {
		m.Context = &segmentContext{}
	}
	if m.SentAt == "" {
		m.SentAt = batch.SentAt
	}
	for _, name := range [...]string{basicUser(r.Header), batch.WriteKey, m.WriteKey} { // the closest one wins
		switch {
		case name == "":
		case writekey.Is(name):
			e.WriteKey = name
		default:
			e.Input.Site = name
		}
	}
	e.Err = m.read(r, &e)
	return e
}

func (m *segment) read(r Request, e *Event) (err error) {
	in, c := &e.Input, m.Context
	in.Props, e.Omitted = properties("properties", m.Properties)
	takeConsent(in)
	in.URL, in.Referrer, in.Title = c.Page.URL, c.Page.Referrer, c.Page.Title
	if m.Type == "page" {
		in.Type = event.View.String()
		m.takePage(in)
	} else {
		if m.Event == "" {
			return &validation.Error{Field: "event", Code: validation.CodeRequired, Detail: "the name of what happened, e.g. Order Completed, is missing"}
		}
		in.Type, in.Name = event.Conversion.String(), m.Event
		takeMoney(in, "USD") // the default of Segment's specification
	}
	in.Referrer, in.Title = cut(in.Referrer, event.MaxURL), cut(in.Title, event.MaxTitle)
	in.Language = strings.ReplaceAll(c.Locale, "_", "-")
	in.Screen = pixels(c.Screen.Width, c.Screen.Height)
	if r.Subjects {
		if in.Subject, err = text("userId", first(m.UserID)); err != nil {
			return err
		}
	}
	if err := m.setIDAndTime(r.Arrived, in); err != nil {
		return err
	}
	e.UserAgent = c.UserAgent
	e.Address, err = address("context.ip", c.IP)
	return err
}

// takePage moves the properties of a page that an event has fields for to these fields.
func (m *segment) takePage(in *event.Input) {
	for key, field := range map[string]*string{"url": &in.URL, "referrer": &in.Referrer, "title": &in.Title} {
		if s, err := text("", first(in.Props[key])); err == nil && s != "" {
			*field = s
		}
		delete(in.Props, key)
	}
	delete(in.Props, "path") // the URL has both
	delete(in.Props, "search")
	if m.Name != "" {
		in.Props = withProp(in.Props, "name", m.Name)
	}
	if m.Category != "" {
		in.Props = withProp(in.Props, "category", m.Category)
	}
}

// setIDAndTime sets the id and the timestamp.
//
// If sentAt shows that the client's clock is wrong by more than event.ClockSkew, the
// timestamp is corrected as Segment does: timestamp + (arrived - sentAt). Otherwise it
// stays as sent, so that a retry has the same time.
func (m *segment) setIDAndTime(arrived time.Time, in *event.Input) error {
	field, stamp := "timestamp", m.Timestamp
	if stamp == "" {
		field, stamp = "originalTimestamp", m.OriginalTimestamp
	}
	var sent time.Time
	if stamp != "" {
		var err error
		if sent, err = instant(field, stamp); err != nil {
			return err
		}
		in.Timestamp = sent.Format(time.RFC3339Nano)
		if m.SentAt != "" {
			sentAt, err := instant("sentAt", m.SentAt)
			if err != nil {
				return err
			}
			if skew := arrived.Sub(sentAt); skew.Abs() > event.ClockSkew {
				at := sent.Add(skew)
				if at.Year() < 1 || at.Year() > 9999 {
					return &validation.Error{Field: "sentAt", Code: validation.CodeOutOfRange, Detail: "is too far from now"}
				}
				in.Timestamp = at.UTC().Format(time.RFC3339Nano)
			}
		}
	}
	if m.MessageID == "" {
		return nil
	}
	if len(m.MessageID) == 36 {
		if id, err := uuid.Parse(m.MessageID); err == nil && id.Version() == 7 {
			in.ID = m.MessageID
			return nil
		}
	}
	in.ID = MessageUUID(m.MessageID, sent).String()
	if stamp == "" { // otherwise the time would come from the id, which has none
		in.Timestamp = arrived.UTC().Format(time.RFC3339Nano)
	}
	return nil
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
// fractional digits.
func instant(field, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1 {
		return t, &validation.Error{Field: field, Code: validation.CodeWrongValue, Detail: "must be an ISO 8601 date and time with a zone, e.g. 2026-03-01T12:30:00.000Z"}
	}
	return t.UTC(), nil
}

// pixels formats the size of a screen; it returns "" if a side is missing or implausible.
func pixels(width, height jsontext.Value) string {
	w, okW := number(width)
	h, okH := number(height)
	if !okW || !okH || w < 1 || h < 1 || w > 99999 || h > 99999 {
		return ""
	}
	return fmt.Sprintf("%.0fx%.0f", math.Floor(w), math.Floor(h))
}
