package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/loosejson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// umami is the body that Umami's trackers send.
type umami struct {
	Type    jsontext.Value                 `json:"type"` // event, identify, performance
	Payload loosejson.Struct[umamiPayload] `json:"payload"`
}

type umamiPayload struct {
	Website   jsontext.Value `json:"website"`
	Hostname  jsontext.Value `json:"hostname"`
	URL       jsontext.Value `json:"url"` // absolute, or a path on the host
	Referrer  jsontext.Value `json:"referrer"`
	Title     jsontext.Value `json:"title"`
	Language  jsontext.Value `json:"language"`
	Screen    jsontext.Value `json:"screen"`
	Name      jsontext.Value `json:"name"`
	Tag       jsontext.Value `json:"tag"`
	ID        jsontext.Value `json:"id"`        // of a person, assigned by the site
	Timestamp jsontext.Value `json:"timestamp"` // seconds since 1970
	IP        jsontext.Value `json:"ip"`
	UserAgent jsontext.Value `json:"userAgent"`

	Data jsontext.Value `json:"data"`

	LCP      jsontext.Value `json:"lcp"`
	INP      jsontext.Value `json:"inp"`
	CLS      jsontext.Value `json:"cls"`
	FCP      jsontext.Value `json:"fcp"`
	TTFB     jsontext.Value `json:"ttfb"`
	Duration jsontext.Value `json:"duration"`
}

// Umami decodes the body of Umami's POST /api/send: one event.
//
// An identify becomes a passive conversion named "identify". A performance becomes a
// passive conversion named "performance", with the measurements as properties.
//
// Source: https://umami.is/docs/api/sending-stats.
func Umami(r Request) (Batch, error) {
	values, array, err := event.Split(r.Body)
	if err != nil {
		return Batch{}, err
	}
	if array {
		return Batch{}, &validation.Error{Code: validation.CodeWrongType, Detail: "the body must be a JSON object; arrays go to /api/batch"}
	}
	return umamiEvents(r, values), nil
}

// UmamiBatch decodes the body of Umami's POST /api/batch: an array of /api/send bodies.
func UmamiBatch(r Request) (Batch, error) {
	values, array, err := event.Split(r.Body)
	if err != nil {
		return Batch{}, err
	}
	if !array {
		return Batch{}, &validation.Error{Code: validation.CodeWrongType, Detail: "the body must be a JSON array; one event goes to /api/send"}
	}
	b := umamiEvents(r, values)
	b.Array = true
	return b, nil
}

func umamiEvents(r Request, values []jsontext.Value) Batch {
	b := Batch{Events: make([]Event, len(values)), Names: map[string]string{
		"site": "payload.website", "address": "payload.ip", "user_agent": "payload.userAgent", "name": "payload.name", "url": "payload.url", "referrer": "payload.referrer",
		"title": "payload.title", "language": "payload.language", "screen": "payload.screen", "timestamp": "payload.timestamp",
		"subject": "payload.id", "props": "payload.data",
		"value.amount": "payload.data.revenue", "value.currency": "payload.data.currency",
	}}
	for i, value := range values {
		var body umami
		e := &b.Events[i]
		if e.Err = checkSize(value); e.Err != nil {
			continue
		}
		if e.Err = decode(value, &body); e.Err == nil {
			*e = body.event(r.Subjects)
		}
	}
	return b
}

func (u *umami) event(subjects bool) (e Event) {
	p, in := &u.Payload.Value, &e.Input
	isObject(&e, "payload", &u.Payload)
	in.Site = e.text("payload.website", p.Website)
	in.Name = e.text("payload.name", p.Name)
	in.Type = typeOf(in.Name)
	in.Title = e.text("payload.title", p.Title)
	in.Language = e.text("payload.language", p.Language)
	in.Screen = e.text("payload.screen", p.Screen)
	in.Tag = e.text("payload.tag", p.Tag)
	in.Props = e.object("payload.data", p.Data)
	takeConsent(in)
	switch messageType, _ := loosejson.Text(u.Type); messageType {
	case "event":
		if in.Name != "" {
			takeMoney(&e, "payload.data", "")
		}
		if in.Tag != "" { // also a property, so that reports by event:props:tag keep working
			in.Props = withProp(in.Props, "tag", in.Tag)
		}
	case "identify":
		in.Type, in.Name, in.Passive = event.Conversion.String(), "identify", true
	case "performance":
		in.Type, in.Name, in.Passive = event.Conversion.String(), "performance", true
		in.Props = map[string]jsontext.Value{}
		for name, value := range map[string]jsontext.Value{"lcp": p.LCP, "inp": p.INP, "cls": p.CLS, "fcp": p.FCP, "ttfb": p.TTFB, "duration": p.Duration} {
			if first(value) != nil {
				in.Props[name] = value
			}
		}
	default:
		e.Err = &validation.Error{Field: "type", Code: validation.CodeWrongValue, Detail: "must be one of event, identify, performance"}
		return e
	}
	if subjects {
		in.Subject = e.text("payload.id", p.ID)
	}
	host := e.text("payload.hostname", p.Hostname)
	in.URL, in.Referrer = absolute(host, e.text("payload.url", p.URL)), absolute(host, e.text("payload.referrer", p.Referrer))
	if in.URL != "" && host == "" && !hasScheme(in.URL) {
		e.Err = &validation.Error{Field: "payload.hostname", Code: validation.CodeRequired, Detail: "is required if an address has no host, e.g. example.com"}
		return e
	}
	in.Timestamp = seconds(&e, "payload.timestamp", p.Timestamp)
	e.UserAgent = e.text("payload.userAgent", p.UserAgent)
	e.Address = e.address("payload.ip", p.IP)
	return e
}

// absolute adds the page's host, if it is known, to an address without one.
func absolute(host, address string) string {
	switch {
	case address == "" || host == "" || hasScheme(address):
		return address
	case strings.HasPrefix(address, "//"):
		return "https:" + address
	default:
		return "https://" + host + "/" + strings.TrimPrefix(address, "/")
	}
}

// hasScheme reports whether an address begins with a scheme, such as https.
func hasScheme(address string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(address), ":")
	return ok && scheme != "" && 'a' <= scheme[0] && scheme[0] <= 'z' && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// seconds decodes a Unix time in whole seconds, and formats it as RFC 3339.
func seconds(e *Event, field string, value jsontext.Value) string {
	if value = first(value); value == nil {
		return ""
	}
	n, ok := loosejson.Integer(value)
	if !ok || n < 0 || n > 253402300799 { // the last second of the year 9999
		e.Input.Omit(field, "must be seconds since 1970, e.g. 1772368200")
		return ""
	}
	return time.Unix(n, 0).UTC().Format(time.RFC3339)
}

// takeMoney moves the properties revenue and currency to the event's value. Without an amount, or
// without a currency and a default, they stay properties.
func takeMoney(e *Event, field, defaultCurrency string) {
	in := &e.Input
	if defaultCurrency == "" && in.Props["currency"].Kind() != jsontext.KindString {
		return
	}
	if _, ok := loosejson.Number(in.Props["revenue"]); !ok {
		return
	}
	if in.Value = e.money(field, in.Props["revenue"], in.Props["currency"], defaultCurrency); in.Value != nil {
		delete(in.Props, "revenue")
		delete(in.Props, "currency")
	}
}

func withProp(props map[string]jsontext.Value, key, value string) map[string]jsontext.Value {
	if props == nil {
		props = make(map[string]jsontext.Value, 1)
	}
	quoted, err := jsontext.AppendQuote(nil, value)
	if err != nil {
		panic(fmt.Sprintf("quote a string decoded from JSON: %v", err))
	}
	props[key] = quoted
	return props
}
