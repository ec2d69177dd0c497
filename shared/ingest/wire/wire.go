// Package wire reads what trackers send: our own form and those of Plausible, Umami
// and Segment, each in a file of its own, into events as package event takes them.
//
// It is pure, and only reads: whether an event is right is for package event to
// judge, by the same limits for all, and what is answered is for the function that
// was asked. It must never repeat a value in an error: it may be personal.
package wire

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Request is what a format may read of a request.
type Request struct {
	Body     []byte // as it was before it was compressed
	Header   http.Header
	Query    url.Values
	Arrived  time.Time
	Subjects bool // whether the installation takes subjects; a tracker that names people unasked names nobody where it doesn't
}

// Event is one event of a request, or why there is none.
type Event struct {
	Input     event.Input
	Err       error      // an *validation.Error in the tracker's words: the event can't be read
	Ignored   string     // for what reason the event is left out although nothing is wrong with it; else empty
	Address   netip.Addr // of the client in whose name the event was sent; the zero Addr for the sender's own
	UserAgent string     // of that client; empty for the sender's own
	LeftOut   []string   // paths of what events can't hold, in the tracker's words
}

// Unsupported is the reason for which messages are left out that are no events.
const Unsupported = "unsupported"

// Batch is what a request holds.
type Batch struct {
	Events []Event
	Array  bool              // sent as a list, so that errors go by index
	Names  map[string]string // the tracker's words for the fields of an event
}

// Name puts an error of package event into the tracker's words.
func (b *Batch) Name(err *validation.Error) *validation.Error {
	for _, known := range []string{err.Field, before(err.Field)} {
		if name, ok := b.Names[known]; ok {
			return &validation.Error{Field: name + strings.TrimPrefix(err.Field, known), Code: err.Code, Detail: err.Detail}
		}
	}
	return err
}

// before is what stands before the first dot.
func before(path string) string {
	first, _, _ := strings.Cut(path, ".")
	return first
}

// Native reads one event of our own form, or an array of them.
func Native(r Request) (Batch, error) {
	one := make([]Event, 1)
	var err error
	if one[0].Input, err = event.Decode(r.Body); err == nil { // as nearly always: it need not be split first
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

// Pixel reads the query of an image's address. What is no parameter of it is
// ignored: caches are often outwitted with one that means nothing.
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
	return Batch{Events: []Event{{Input: in}}}, nil
}

// typeOf is the type of an event of trackers that tell views from all others by
// their having no name.
func typeOf(name string) string {
	if name == "" {
		return event.View.String()
	}
	return event.Conversion.String()
}

// oneEvent refuses what is too long for one event.
func oneEvent(data []byte) error {
	if len(data) > event.MaxEvent {
		return &validation.Error{Code: validation.CodeTooLong, Detail: fmt.Sprintf("an event may have at most %d bytes", event.MaxEvent)}
	}
	return nil
}

// notTooMany refuses lists that are too long.
func notTooMany(field string, n int) error {
	switch {
	case n == 0:
		return &validation.Error{Field: field, Code: validation.CodeRequired, Detail: "the list holds no event"}
	case n > event.MaxBatch:
		return &validation.Error{Field: field, Code: validation.CodeTooMany, Detail: fmt.Sprintf("at most %d events in a request", event.MaxBatch)}
	default:
		return nil
	}
}

// cut shortens a text that trackers take from the page, where the whole event would
// be refused for it otherwise.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// address reads the address of a client that a server names.
func address(field, text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, &validation.Error{Field: field, Code: validation.CodeWrongValue, Detail: "must be an IPv4 or IPv6 address, without a port"}
	}
	return a.Unmap().WithZone(""), nil
}

// takeConsent takes out of an event's properties the one called consent, by which trackers
// say that a visitor has agreed that have no word for it.
func takeConsent(in *event.Input) {
	value, ok := in.Props["consent"]
	if !ok {
		return
	}
	word, _ := text("", value)
	in.Consent = value.Kind() == jsontext.KindTrue || word == "true"
	delete(in.Props, "consent")
}

// properties leaves out of an object what properties can't hold, and names it.
func properties(field string, all map[string]jsontext.Value) (props map[string]jsontext.Value, leftOut []string) {
	for key, value := range all {
		switch value.Kind() {
		case jsontext.KindString, jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
			if props == nil {
				props = make(map[string]jsontext.Value, len(all))
			}
			props[key] = value
		case jsontext.KindNull:
		default:
			leftOut = append(leftOut, field+"."+strings.ToValidUTF8(cut(key, event.MaxKey), "?"))
		}
	}
	return props, leftOut
}
