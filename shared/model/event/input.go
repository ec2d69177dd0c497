package event

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// The limits of what a client may send, apart from the texts of Input. Lengths are in bytes
// of UTF-8.
const (
	MaxBody    = 1 << 20  // bytes of a request
	MaxBatch   = 1000     // events of a request
	MaxEvent   = 32 << 10 // bytes of one event
	MaxProps   = 30
	MaxKey     = 100  // key of a property
	MaxValue   = 1000 // value of a property
	MaxStep    = 100
	MaxEngaged = 86_400_000 // milliseconds
)

// How far a client's clock is trusted. An event from further ahead than ClockSkew, or
// with an id made longer than RetryWindow ago, gets the time of its arrival.
const (
	ClockSkew   = 5 * time.Minute
	RetryWindow = 24 * time.Hour
)

// Value is what an event is worth.
type Value struct {
	Amount   jsontext.Value `json:"amount"`   // number, or decimal string; at most 12 digits before and 4 after the point
	Currency string         `json:"currency"` // ISO 4217, e.g. EUR
}

// Funnel names a step of a funnel.
type Funnel struct {
	ID   string `json:"id"`
	Step int    `json:"step"` // from 1
}

// Decode decodes one event of the native form. It is strict: an unknown field, a wrong type,
// a duplicate key or invalid UTF-8 is a *validation.Error.
func Decode(data []byte) (Input, error) {
	if len(data) > MaxEvent {
		return Input{}, &validation.Error{Code: validation.CodeTooLong, Detail: fmt.Sprintf("an event may have at most %d bytes", MaxEvent)}
	}
	if in, ok := decodeFast(data); ok {
		return in, nil
	}
	return decodeStrict(data)
}

func decodeStrict(data []byte) (in Input, err error) {
	if err := json.Unmarshal(data, &in, json.RejectUnknownMembers(true)); err != nil {
		return in, decodeError(err)
	}
	return in, nil
}

// Valid is a validated Input: the event so far, and the parts that must still be looked up,
// hashed or parsed.
type Valid struct {
	Event    Event  // without Site, Day, UTCOffset, Visitor, the page, and attributes that the server finds out
	URL      string // as sent
	Referrer string // as sent
	Subject  string // as sent; to be hashed and forgotten
	Skewed   bool   // the client's clock was wrong, and the time was set to arrival
}

// Validate validates an event that arrived at now. The time of the event is its timestamp,
// else the time inside its id, else now. So a retry without a timestamp has the time of the
// first attempt.
func (in *Input) Validate(now time.Time) (Valid, error) {
	v := Valid{URL: in.URL, Referrer: in.Referrer, Subject: in.Subject}
	e := &v.Event
	in.copyTo(e)

	if in.Site == "" {
		return v, invalid("site", validation.CodeRequired, "name the site of the event: its domain or its public id")
	}
	var ok bool
	if e.Type, ok = ParseType(in.Type); !ok {
		if in.Type == "" {
			return v, invalid("type", validation.CodeRequired, "must be one of "+typeNames)
		}
		return v, invalid("type", validation.CodeWrongValue, "must be one of "+typeNames)
	}
	if bad := in.checkTexts(); bad != nil {
		return v, bad
	}
	if in.URL == "" && (e.Type == View || e.Type == Engagement) {
		return v, invalid("url", validation.CodeRequired, "a view and an engagement need the absolute address of the page, e.g. https://example.com/pricing")
	}
	if in.Screen != "" && !isScreen(in.Screen) {
		return v, invalid("screen", validation.CodeWrongValue, "must be WIDTHxHEIGHT in pixels, e.g. 1920x1080")
	}
	if in.Language != "" && !isLanguage(in.Language) {
		return v, invalid("language", validation.CodeWrongValue, "must be a BCP 47 tag, e.g. fr or en-GB")
	}
	if err := in.time(now, &v); err != nil {
		return v, err
	}
	if err := in.props(e); err != nil {
		return v, err
	}
	if err := in.value(e); err != nil {
		return v, err
	}
	if err := in.funnel(e); err != nil {
		return v, err
	}
	return v, in.engagement(e)
}

// time sets ID and Time.
func (in *Input) time(now time.Time, v *Valid) error {
	e := &v.Event
	e.Time = now
	if in.ID != "" {
		id, err := uuid.Parse(in.ID)
		if err != nil || id.Version() != 7 || len(in.ID) != 36 {
			return invalid("id", validation.CodeWrongValue, "must be a UUID of version 7, e.g. 0190d3c4-5b1e-7c3a-9f00-3d2b1a0c9e88; leave it out to have one made")
		}
		e.ID = id
		sec, nsec := id.Time().UnixTime()
		if e.Time = time.Unix(sec, nsec); e.Time.Before(now.Add(-RetryWindow)) {
			e.Time, v.Skewed = now, true
		}
	}
	if in.Timestamp != "" {
		t, err := time.Parse(time.RFC3339Nano, in.Timestamp)
		if err != nil {
			return invalid("timestamp", validation.CodeWrongValue, "must be an RFC 3339 date and time with a zone, e.g. 2026-03-01T12:30:00Z")
		}
		e.Time, v.Skewed = t, false
	}
	if e.Time.After(now.Add(ClockSkew)) {
		e.Time, v.Skewed = now, true
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	return nil
}

func (in *Input) props(e *Event) error {
	if len(in.Props) > MaxProps {
		return invalid("props", validation.CodeTooMany, fmt.Sprintf("at most %d properties", MaxProps))
	}
	for key, raw := range in.Props {
		value, err := property(key, raw)
		if err != nil {
			err.Field = "props." + clip(key)
			return err
		}
		if e.Props == nil {
			e.Props = make(map[string]string, len(in.Props))
		}
		e.Props[key] = value
	}
	return nil
}

// property decodes the value of a property.
func property(key string, raw jsontext.Value) (value string, bad *validation.Error) {
	if key == "" || len(key) > MaxKey {
		return "", &validation.Error{Code: validation.CodeTooLong, Detail: fmt.Sprintf("a property's key must have 1 to %d bytes", MaxKey)}
	}
	switch raw.Kind() {
	case jsontext.KindString:
		unquoted, err := jsontext.AppendUnquote(make([]byte, 0, 64), raw)
		if err != nil {
			return "", &validation.Error{Code: validation.CodeMalformed, Detail: "is not a valid string"}
		}
		value = string(unquoted)
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		value = string(raw)
	default:
		return "", &validation.Error{Code: validation.CodeWrongType, Detail: "must be a string, a number or a boolean"}
	}
	switch {
	case len(value) > MaxValue:
		return "", tooLong("", MaxValue)
	case !storable(key) || !storable(value):
		return "", unstorable("")
	}
	return value, nil
}

func (in *Input) value(e *Event) error {
	if in.Value == nil {
		return nil
	}
	amount := string(in.Value.Amount)
	switch in.Value.Amount.Kind() {
	case jsontext.KindString:
		if err := json.Unmarshal(in.Value.Amount, &amount); err != nil {
			return invalid("value.amount", validation.CodeMalformed, "is not a valid string")
		}
	case jsontext.KindNumber:
	case jsontext.KindInvalid:
		return invalid("value.amount", validation.CodeRequired, "is required, e.g. 12.5")
	default:
		return invalid("value.amount", validation.CodeWrongType, "must be a number or a decimal string")
	}
	if _, _, ok := ReadAmount(amount); !ok {
		return invalid("value.amount", validation.CodeWrongValue, "must be a decimal number with at most 12 digits before and 4 after the point, e.g. 12.5")
	}
	if len(in.Value.Currency) != 3 || !all(in.Value.Currency, func(c byte) bool { return 'A' <= c && c <= 'Z' }) {
		return invalid("value.currency", validation.CodeWrongValue, "must be the three letters of ISO 4217, e.g. EUR")
	}
	e.Amount, e.Currency = amount, in.Value.Currency
	return nil
}

func (in *Input) funnel(e *Event) error {
	if in.Funnel == nil {
		if e.Type == FunnelStep {
			return invalid("funnel", validation.CodeRequired, `a funnel_step needs its funnel, e.g. {"id":"signup","step":1}`)
		}
		return nil
	}
	if in.Funnel.ID == "" {
		return invalid("funnel.id", validation.CodeRequired, "name the funnel")
	}
	if len(in.Funnel.ID) > MaxName {
		return tooLong("funnel.id", MaxName)
	}
	if !storable(in.Funnel.ID) {
		return unstorable("funnel.id")
	}
	if in.Funnel.Step < 1 || in.Funnel.Step > MaxStep {
		return invalid("funnel.step", validation.CodeOutOfRange, fmt.Sprintf("must be from 1 to %d", MaxStep))
	}
	e.Funnel, e.Step = in.Funnel.ID, int16(in.Funnel.Step)
	return nil
}

func (in *Input) engagement(e *Event) error {
	if e.Type != Engagement {
		switch {
		case in.Engaged != nil:
			return invalid("engaged", validation.CodeWrongValue, "goes with an engagement only")
		case in.Scroll != nil:
			return invalid("scroll", validation.CodeWrongValue, "goes with an engagement only")
		}
		return nil
	}
	engaged, scroll := value(in.Engaged), value(in.Scroll)
	switch {
	case in.Engaged == nil && in.Scroll == nil:
		return invalid("engaged", validation.CodeRequired, "say for how many milliseconds the page was visible and had the focus, e.g. 15000")
	case engaged < 0 || engaged > MaxEngaged || engaged == 0 && in.Scroll == nil:
		return invalid("engaged", validation.CodeOutOfRange, fmt.Sprintf("must be from 1 to %d milliseconds", MaxEngaged))
	case scroll < 0 || scroll > 100:
		return invalid("scroll", validation.CodeOutOfRange, "must be from 0 to 100 percent")
	case in.Value != nil:
		return invalid("value", validation.CodeWrongValue, "does not go with an engagement: send it with the event that earned it")
	case in.Funnel != nil:
		return invalid("funnel", validation.CodeWrongValue, "does not go with an engagement: send it with the event that reached the step")
	}
	e.Engaged, e.Scroll = int32(engaged), int16(scroll)
	return nil
}

func value(of *int) int {
	if of == nil {
		return 0
	}
	return *of
}

// isText reports whether a text has at most the given number of bytes and can be stored.
func isText(text string, most int) bool { return len(text) <= most && storable(text) }

// badText returns the error for a text that is not valid.
func badText(field, text string, most int) *validation.Error {
	if len(text) > most {
		return tooLong(field, most)
	}
	return unstorable(field)
}

func tooLong(field string, most int) *validation.Error {
	return invalid(field, validation.CodeTooLong, fmt.Sprintf("at most %d bytes", most))
}

// storable reports whether the database can store a text.
func storable(text string) bool { return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text) }

func unstorable(field string) *validation.Error {
	return invalid(field, validation.CodeWrongValue, "must be UTF-8 text without NUL characters")
}

// clip shortens a client's key so that an error can name it.
func clip(key string) string {
	if len(key) <= MaxKey {
		return strings.ToValidUTF8(key, "?")
	}
	return strings.ToValidUTF8(key[:MaxKey], "") + "..."
}

func isScreen(s string) bool {
	w, h, ok := strings.Cut(s, "x")
	return ok && isPixels(w) && isPixels(h)
}

func isPixels(s string) bool {
	return len(s) >= 1 && len(s) <= 5 && all(s, isDigit)
}

func isLanguage(s string) bool {
	return all(s, func(c byte) bool {
		return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-'
	})
}

// ReadAmount parses the amount of an event into units and ten-thousandths, which are both
// negative if the amount is. ok is false unless the text is a decimal number with at most 12
// digits before and 4 after the point.
func ReadAmount(text string) (units, parts int64, ok bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, part, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 12 || !all(whole, isDigit) ||
		point && (part == "" || len(part) > 4 || !all(part, isDigit)) {
		return 0, 0, false
	}
	units, parts = number(whole), number((part + "0000")[:4])
	if negative {
		return -units, -parts, true
	}
	return units, parts, true
}

// number returns the value of a few digits.
func number(digits string) (n int64) {
	for _, digit := range digits {
		n = 10*n + int64(digit-'0')
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

// invalid returns the error for a field that breaks a rule.
func invalid(field, code, detail string) *validation.Error {
	return &validation.Error{Field: field, Code: code, Detail: detail}
}
