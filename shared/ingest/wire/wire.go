// Package wire decodes the formats that trackers send (our own, and those of Plausible,
// Umami and Segment) into inputs of package event.
//
// It is pure and only decodes: package event validates every event by the same rules, and
// the calling function writes the response. Errors must never contain a value, since it
// may be personal data.
package wire

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/loosejson"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/writekey"
)

// Request is the part of an HTTP request that a decoder reads.
type Request struct {
	Body     []byte // decompressed
	Header   http.Header
	Query    url.Values
	Arrived  time.Time
	Subjects bool // the installation accepts subjects; if false, user ids that trackers send by default are ignored
}

// Event is one event of a request, or the reason why it was not decoded.
type Event struct {
	Input     event.Input
	Err       error      // a *validation.Error with the tracker's field names, if the event can't be decoded
	Ignored   string     // reason to ignore the event although it is valid, or ""
	WriteKey  string     // write key in the body, see package writekey; "" if there is none
	Address   netip.Addr // address of the visitor for whom a server says that it sends; the zero Addr means the sender's
	UserAgent string     // user agent of that visitor; "" means the sender's
}

// Unsupported is the reason to ignore a message that is not an event.
const Unsupported = "unsupported"

// Batch is the decoded content of a request.
type Batch struct {
	Events []Event
	Array  bool              // sent as a list; errors refer to events by index
	Same   bool              // all are copies of one event; a site with several names gets one
	Names  map[string]string // the tracker's names of event fields
}

// Name returns err, an error of package event, with the tracker's name of the field.
func (b *Batch) Name(err *validation.Error) *validation.Error {
	for _, known := range []string{err.Field, firstName(err.Field)} {
		if name, ok := b.Names[known]; ok {
			return &validation.Error{Field: name + strings.TrimPrefix(err.Field, known), Code: err.Code, Detail: err.Detail}
		}
	}
	return err
}

// firstName returns the part of a path before the first dot.
func firstName(path string) string {
	first, _, _ := strings.Cut(path, ".")
	return first
}

// WriteKey returns the write key in the headers of a request: the token of bearer
// authentication, or the user of basic authentication. It is "" if there is none.
func WriteKey(h http.Header) string {
	if len(h["Authorization"]) == 0 {
		return ""
	}
	secret := basicUser(h)
	if scheme, token, _ := strings.Cut(h.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		secret = strings.TrimSpace(token)
	}
	if !writekey.Is(secret) {
		return ""
	}
	return secret
}

// basicUser returns the user of basic authentication.
func basicUser(h http.Header) string {
	user, _, _ := (&http.Request{Header: h}).BasicAuth()
	return user
}

// Native decodes one event in our own format, or an array of events. The query may say when
// they were sent.
func Native(r Request) (Batch, error) {
	b, err := native(r)
	for i := range b.Events {
		r.setSentAt(&b.Events[i].Input)
	}
	return b, err
}

// setSentAt sets the time of sending, which the query of a request may have in milliseconds since
// 1970. It is not a part of the event, so that a client can send the same event again.
func (r Request) setSentAt(in *event.Input) {
	text := r.Query.Get("sent_at")
	if text == "" {
		return
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 || ms > maxMillis {
		in.Omit("sent_at", "must be the milliseconds since 1970, e.g. 1790000000000")
		return
	}
	in.SentAt = time.UnixMilli(ms)
}

// maxMillis is the last millisecond of the year 9999.
const maxMillis = 253_402_300_799_999

func native(r Request) (Batch, error) {
	one := make([]Event, 1)
	var err error
	if one[0].Input, err = event.Decode(r.Body); err == nil { // the usual case: a single event needs no splitting
		return Batch{Events: one}, nil
	}
	values, array, err := event.Split(r.Body)
	if err != nil {
		return Batch{}, err
	}
	b := Batch{Events: make([]Event, len(values)), Array: array}
	for i, value := range values {
		b.Events[i].Input, b.Events[i].Err = event.Decode(value)
	}
	return b, nil
}

// Pixel decodes the query of the tracking pixel. Unknown parameters are ignored, since
// pages often add one to bypass caches.
func Pixel(r Request) (Batch, error) {
	q := r.Query
	in := event.Input{
		ID: q.Get("id"), Site: q.Get("site"), Type: q.Get("type"), Name: q.Get("name"),
		URL: q.Get("url"), Referrer: q.Get("referrer"), Title: q.Get("title"), Consent: q.Get("consent") == "true",
	}
	if in.URL == "" {
		in.URL = r.Header.Get("Referer")
	}
	if in.Type == "" {
		in.Type = typeOf(in.Name)
	}
	r.setSentAt(&in)
	return Batch{Events: []Event{{Input: in}}}, nil
}

// typeOf returns the type of an event in formats where an event without a name is a view.
func typeOf(name string) string {
	if name == "" {
		return event.View.String()
	}
	return event.Conversion.String()
}

// checkSize rejects data that is too long for one event.
func checkSize(data []byte) error {
	if len(data) > event.MaxEvent {
		return &validation.Error{Code: validation.CodeTooLong, Detail: fmt.Sprintf("an event may have at most %d bytes", event.MaxEvent)}
	}
	return nil
}

// checkCount rejects empty lists and lists that are too long.
func checkCount(field string, n int) error {
	switch {
	case n == 0:
		return &validation.Error{Field: field, Code: validation.CodeRequired, Detail: "the list holds no event"}
	case n > event.MaxBatch:
		return &validation.Error{Field: field, Code: validation.CodeTooMany, Detail: fmt.Sprintf("at most %d events in a request", event.MaxBatch)}
	default:
		return nil
	}
}

// address parses the client address that a server sends. Empty text is the zero Addr, and so is
// one that is omitted.
func (e *Event) address(field string, value jsontext.Value) netip.Addr {
	text := e.text(field, value)
	if text == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		e.Input.Omit(field, "must be an IPv4 or IPv6 address, without a port")
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// takeConsent moves the property "consent" to the event's Consent field, for formats
// without such a field.
func takeConsent(in *event.Input) {
	if value, ok := in.Props["consent"]; ok {
		in.Consent, _ = loosejson.Bool(value)
		delete(in.Props, "consent")
	}
}
