package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// segment is one message as Segment's libraries send it.
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

// SegmentType is the type of message that Segment's POST /v1/<path> takes, by its
// long name or the short one of Segment's browser library; "batch" for many.
func SegmentType(path string) (messages string, ok bool) {
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

// Segment reads the body of Segment's POST /v1/<type>: one message.
//
// A page is a view, a track a conversion; messages of other types are about people,
// or screens that have no address, and are left out as Unsupported. What Segment
// calls a write key names the site: the user of basic authentication, or writeKey in
// the body. A userId is a subject; an anonymousId is never read.
//
// Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/.
func Segment(messages string, r Request) (Batch, error) {
	b := Batch{Events: make([]Event, 1), Names: segmentNames(messages)}
	b.Events[0] = readSegment(r, r.Body, segmentBatch{}, messages)
	return b, nil
}

// SegmentBatch reads the body of Segment's POST /v1/batch: many messages, each with
// its type.
func SegmentBatch(r Request) (Batch, error) {
	b := Batch{Array: true, Names: segmentNames("")}
	var body segmentBatch
	if err := decode(r.Body, &body); err != nil {
		return b, err
	}
	if err := notTooMany("batch", len(body.Batch)); err != nil {
		return b, err
	}
	b.Events = make([]Event, len(body.Batch))
	for i, message := range body.Batch {
		b.Events[i] = readSegment(r, message, body, "")
	}
	return b, nil
}

func segmentNames(messages string) map[string]string {
	page := "context.page."
	if messages == "page" {
		page = "properties."
	}
	return map[string]string{
		"site": "writeKey", "id": "messageId", "name": "event", "subject": "userId", "props": "properties",
		"url": page + "url", "referrer": page + "referrer", "title": page + "title",
		"language": "context.locale", "screen": "context.screen",
		"value.amount": "properties.revenue", "value.currency": "properties.currency",
	}
}

// readSegment reads a message of a batch, which may be one of its own. messages is
// its type, empty where each says its own.
func readSegment(r Request, data []byte, batch segmentBatch, messages string) (e Event) {
	if e.Err = oneEvent(data); e.Err != nil {
		return e
	}
	var m segment
	if e.Err = decode(data, &m); e.Err != nil {
		return e
	}
	if messages != "" {
		m.Type = messages
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
	e.Input.Site = cmp.Or(m.WriteKey, batch.WriteKey, basicUser(r.Header))
	e.Err = m.read(r, &e)
	return e
}

func (m *segment) read(r Request, e *Event) (err error) {
	in, c := &e.Input, m.Context
	in.Props, e.LeftOut = properties("properties", m.Properties)
	takeConsent(in)
	in.URL, in.Referrer, in.Title = c.Page.URL, c.Page.Referrer, c.Page.Title
	if m.Type == "page" {
		in.Type = event.View.String()
		m.page(in)
	} else {
		if m.Event == "" {
			return &validation.Error{Field: "event", Code: validation.CodeRequired, Detail: "name what happened, e.g. Order Completed"}
		}
		in.Type, in.Name = event.Conversion.String(), m.Event
		takeMoney(in, "USD") // by Segment's specification, where no currency is said
	}
	in.Referrer, in.Title = cut(in.Referrer, event.MaxURL), cut(in.Title, event.MaxTitle)
	in.Language = strings.ReplaceAll(c.Locale, "_", "-")
	in.Screen = pixels(c.Screen.Width, c.Screen.Height)
	if r.Subjects {
		if in.Subject, err = text("userId", first(m.UserID)); err != nil {
			return err
		}
	}
	if err := m.when(r.Arrived, in); err != nil {
		return err
	}
	e.UserAgent = c.UserAgent
	e.Address, err = address("context.ip", c.IP)
	return err
}

// page takes from the properties of a page what an event has fields for.
func (m *segment) page(in *event.Input) {
	for key, field := range map[string]*string{"url": &in.URL, "referrer": &in.Referrer, "title": &in.Title} {
		if s, err := text("", first(in.Props[key])); err == nil && s != "" {
			*field = s
		}
		delete(in.Props, key)
	}
	delete(in.Props, "path") // both are in the url
	delete(in.Props, "search")
	if m.Name != "" {
		in.Props = with(in.Props, "name", m.Name)
	}
	if m.Category != "" {
		in.Props = with(in.Props, "category", m.Category)
	}
}

// when sets id and time.
//
// A clock that is wrong by more than event.ClockSkew, which sentAt shows, is put
// right as Segment does: timestamp + (arrived - sentAt). Below that the timestamp
// stays as it was sent, so that a retry has the same time.
func (m *segment) when(arrived time.Time, in *event.Input) error {
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
	if stamp == "" { // else the time would be read from the id, which has none
		in.Timestamp = arrived.UTC().Format(time.RFC3339Nano)
	}
	return nil
}

// MessageUUID is the UUIDv7 that stands for a messageId of another form, the same
// for each try to send the message:
//
//	48 bits  timestamp of the message as it was sent, in milliseconds; 0 without one
//	 4 bits  version, 7
//	12 bits  bits 4 to 15 of SHA-256(messageId)
//	 2 bits  variant, 10
//	62 bits  bits 66 to 127 of SHA-256(messageId)
//
// The timestamp is taken before a wrong clock is put right, which no two tries do alike.
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

// instant reads the dates that Segment's libraries send, which are ISO 8601 with a
// zone and any number of digits after the second.
func instant(field, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1 {
		return t, &validation.Error{Field: field, Code: validation.CodeWrongValue, Detail: "must be a date and time of ISO 8601 with a zone, e.g. 2026-03-01T12:30:00.000Z"}
	}
	return t.UTC(), nil
}

// pixels is the size of a screen, empty where it says none that could be one.
func pixels(width, height jsontext.Value) string {
	w, okW := number(width)
	h, okH := number(height)
	if !okW || !okH || w < 1 || h < 1 || w > 99999 || h > 99999 {
		return ""
	}
	return fmt.Sprintf("%.0fx%.0f", math.Floor(w), math.Floor(h))
}

// basicUser is the user of basic authentication.
func basicUser(h http.Header) string {
	user, _, _ := (&http.Request{Header: h}).BasicAuth()
	return user
}
