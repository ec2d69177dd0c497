package language

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/strictjson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// MaxVisits is the maximum number of visits in one answer.
const MaxVisits = 1000

// VisitList asks for the visits that have an event in the range that matches all of the
// filters, the latest first.
type VisitList struct {
	Question
	Limit int      // 0 if not given
	After *VisitID // the last visit of the previous page, nil for the first page
}

// EventList asks for everything that is stored about events: those in the range that match
// all of the filters, engagements included, in the order of time and then of their ids.
// With filters, engagements that belong to no visit are left out.
type EventList struct {
	Question
	Limit int      // 0 if not given
	After *EventID // the last event of the previous piece, nil for the first
}

// listBody is the JSON of a question for a list.
type listBody struct {
	SiteID    string         `json:"site_id"`
	DateRange jsontext.Value `json:"date_range"`
	Filters   jsontext.Value `json:"filters"`
	Limit     *int           `json:"limit"`
	Cursor    string         `json:"cursor"`
}

// ParseVisitList reads a question for visits, as strictly as Parse.
func ParseVisitList(data []byte) (*VisitList, error) {
	var b listBody
	if err := strictjson.Decode(data, &b); err != nil {
		return nil, err
	}
	v := &VisitList{}
	if err := v.parseSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return nil, err
	}
	if b.Cursor != "" {
		id, err := ParseVisitID(b.Cursor)
		if err != nil {
			return nil, validation.New("cursor", "must be the next of an answer before")
		}
		v.After = &id
	}
	if b.Limit != nil {
		if v.Limit = *b.Limit; v.Limit < 1 || v.Limit > MaxVisits {
			return nil, validation.New("limit", fmt.Sprintf("must be from 1 to %d", MaxVisits))
		}
	}
	return v, nil
}

// ParseEventList reads a question for events, as strictly as Parse.
func ParseEventList(data []byte) (*EventList, error) {
	var b listBody
	if err := strictjson.Decode(data, &b); err != nil {
		return nil, err
	}
	l := &EventList{}
	if err := l.parseSelection(b.SiteID, b.DateRange, b.Filters); err != nil {
		return nil, err
	}
	if b.Cursor != "" {
		id, err := ParseEventID(b.Cursor)
		if err != nil {
			return nil, validation.New("cursor", "must be the cursor of an event that was exported")
		}
		l.After = &id
	}
	if b.Limit != nil {
		if l.Limit = *b.Limit; l.Limit < 1 {
			return nil, validation.New("limit", "must be 1 or more, or left out")
		}
	}
	return l, nil
}

// VisitID identifies a visit of a site. It does not reveal who the visitor is: the salt of
// their number is destroyed.
type VisitID struct {
	Start   time.Time
	Visitor int64
}

// String returns the id as answers write it.
func (id VisitID) String() string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(id.Start.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(buf, uint64(id.Visitor)))
}

// ParseVisitID reads an id that String wrote.
func ParseVisitID(text string) (VisitID, error) {
	buf, err := decodeID(text, 16)
	if err != nil {
		return VisitID{}, err
	}
	start := time.UnixMicro(int64(binary.BigEndian.Uint64(buf))).UTC()
	if !storable(start) {
		return VisitID{}, errMalformedID
	}
	return VisitID{start, int64(binary.BigEndian.Uint64(buf[8:]))}, nil
}

// EventID identifies an event of a site and its place in the order of events.
type EventID struct {
	Time time.Time // whole milliseconds
	ID   uuid.UUID
}

// String returns the id as cursors write it.
func (id EventID) String() string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(id.Time.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(buf, id.ID[:]...))
}

// ParseEventID reads an id that String wrote.
func ParseEventID(text string) (EventID, error) {
	buf, err := decodeID(text, 24)
	if err != nil {
		return EventID{}, err
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(buf))).UTC()
	if !storable(at) {
		return EventID{}, errMalformedID
	}
	return EventID{at, uuid.UUID(buf[8:])}, nil
}

var errMalformedID = errors.New("malformed id")

// decodeID decodes an id of some bytes. It accepts exactly what was encoded; the decoder
// itself ignores line breaks.
func decodeID(text string, size int) ([]byte, error) {
	buf, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(buf) != size || strings.ContainsAny(text, "\r\n") {
		return nil, errMalformedID
	}
	return buf, nil
}

// storable reports whether the database can hold a time: the years 1 to 9999 are far more
// than there are events of.
func storable(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
