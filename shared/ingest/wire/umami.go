package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// umami is the body that Umami's trackers send.
type umami struct {
	Type    string       `json:"type"` // event, identify, performance
	Payload umamiPayload `json:"payload"`
}

type umamiPayload struct {
	Website   string         `json:"website"`
	Hostname  string         `json:"hostname"`
	URL       string         `json:"url"` // absolute, or a path on the host
	Referrer  string         `json:"referrer"`
	Title     string         `json:"title"`
	Language  string         `json:"language"`
	Screen    string         `json:"screen"`
	Name      string         `json:"name"`
	Tag       string         `json:"tag"`
	ID        string         `json:"id"`        // of a person, assigned by the site
	Timestamp jsontext.Value `json:"timestamp"` // seconds since 1970
	IP        string         `json:"ip"`
	UserAgent string         `json:"userAgent"`

	Data map[string]jsontext.Value `json:"data"`

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
	p := &u.Payload
	e.Input = event.Input{
		Site: p.Website, Type: typeOf(p.Name), Name: p.Name, Title: cut(p.Title, event.MaxTitle),
		Language: p.Language, Screen: p.Screen, Tag: cut(p.Tag, event.MaxTag),
	}
	in := &e.Input
	in.Props, e.Omitted = properties("payload.data", p.Data)
	takeConsent(in)
	switch u.Type {
	case "event":
		if in.Name != "" {
			takeMoney(in, "")
		}
		if p.Tag != "" { // also a property, so that reports by event:props:tag keep working
			in.Props = withProp(in.Props, "tag", p.Tag)
		}
	case "identify":
		in.Type, in.Name, in.Passive = event.Conversion.String(), "identify", true
	case "performance":
		in.Type, in.Name, in.Passive = event.Conversion.String(), "performance", true
		in.Props, e.Omitted = properties("payload", map[string]jsontext.Value{
			"lcp": first(p.LCP), "inp": first(p.INP), "cls": first(p.CLS), "fcp": first(p.FCP), "ttfb": first(p.TTFB), "duration": first(p.Duration),
		})
	default:
		e.Err = &validation.Error{Field: "type", Code: validation.CodeWrongValue, Detail: "must be one of event, identify, performance"}
		return e
	}
	if subjects {
		in.Subject = p.ID
	}
	if in.URL, e.Err = p.absolute(p.URL); e.Err != nil {
		return e
	}
	if p.Hostname != "" { // without a host, a relative referrer is no error: it is the site itself
		if in.Referrer, e.Err = p.absolute(p.Referrer); e.Err != nil {
			return e
		}
	} else {
		in.Referrer = p.Referrer
	}
	in.Referrer = cut(in.Referrer, event.MaxURL)
	if in.Timestamp, e.Err = seconds("payload.timestamp", p.Timestamp); e.Err != nil {
		return e
	}
	e.UserAgent = p.UserAgent
	e.Address, e.Err = address("payload.ip", p.IP)
	return e
}

// absolute adds the page's host to an address without one.
func (p *umamiPayload) absolute(address string) (string, error) {
	switch {
	case address == "" || hasScheme(address):
		return address, nil
	case p.Hostname == "":
		return "", &validation.Error{Field: "payload.hostname", Code: validation.CodeRequired, Detail: "is required if an address has no host, e.g. example.com"}
	case strings.HasPrefix(address, "//"):
		return "https:" + address, nil
	default:
		return "https://" + p.Hostname + "/" + strings.TrimPrefix(address, "/"), nil
	}
}

// hasScheme reports whether an address begins with a scheme, such as https.
func hasScheme(address string) bool {
	scheme, _, ok := strings.Cut(strings.ToLower(address), ":")
	return ok && scheme != "" && 'a' <= scheme[0] && scheme[0] <= 'z' && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// seconds decodes a Unix time in whole seconds, and formats it as RFC 3339.
func seconds(field string, value jsontext.Value) (string, error) {
	value = first(value)
	if value == nil {
		return "", nil
	}
	n, ok := integer(value)
	if !ok || n < 0 || n > 253402300799 { // the last second of the year 9999
		return "", &validation.Error{Field: field, Code: validation.CodeWrongValue, Detail: "must be whole seconds since 1970, e.g. 1772368200"}
	}
	return time.Unix(n, 0).UTC().Format(time.RFC3339), nil
}

// takeMoney moves the properties revenue and currency to the event's value. Without a
// currency and a default, they stay properties.
func takeMoney(in *event.Input, defaultCurrency string) {
	if defaultCurrency == "" && in.Props["currency"].Kind() != jsontext.KindString {
		return
	}
	if in.Value = money(in.Props["revenue"], in.Props["currency"], defaultCurrency); in.Value != nil {
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
