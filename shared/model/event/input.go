package event

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/shared/model/loosejson"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// The limits of what a client may send, apart from the texts of Input. Lengths are in bytes
// of UTF-8 where nothing else is said.
const (
	MaxBody       = 1 << 20  // bytes of a request
	MaxBatch      = 1000     // events of a request
	MaxEvent      = 32 << 10 // bytes of one event
	MaxProps      = 30
	MaxKey        = 300      // key of a property
	MaxValue      = 2000     // characters of the value of a property
	MaxProperties = MaxEvent // bytes of keys and values together, which mending makes longer
	MaxStep       = 100
	MaxEngaged    = 86_400_000 // milliseconds
)

// How far a client's clock is trusted. An event from further ahead than ClockSkew, or
// with an id made longer than RetryWindow ago, gets the time of its arrival.
const (
	ClockSkew   = 5 * time.Minute
	RetryWindow = 24 * time.Hour
)

// Value is what an event is worth.
type Value struct {
	Amount   jsontext.Value `json:"amount"`   // number, also as a string; at most 12 digits before the point, and rounded to 4 after it
	Currency string         `json:"currency"` // ISO 4217, e.g. EUR
}

// Funnel names a step of a funnel.
type Funnel struct {
	ID   string `json:"id"`
	Step int    `json:"step"` // from 1
}

// Flaw is what was wrong with a field, but did not cost the event.
type Flaw struct {
	Field  string // dotted path, such as props.plan
	Detail string // describes a valid value, such as "must be a number"
	Cut    bool   // the value is shortened; otherwise it is left out
}

// maxFlaws is how many flaws of an event the answer lists.
const maxFlaws = 10

// Valid is a validated Input: the event so far, and the parts that must still be looked up,
// hashed or parsed.
type Valid struct {
	Event    Event  // without Site, Day, UTCOffset, Visitor, the page, and attributes that the server finds out
	URL      string // as sent, of at most MaxEvent bytes
	Referrer string // as sent, of at most MaxEvent bytes
	Subject  string // as sent; to be hashed and forgotten
	Skewed   bool   // the client's clock was wrong, and the time was set to arrival
	Flaws    []Flaw // of the input

	properties int // bytes of the properties
}

// Validate makes the event of an input that arrived at now. Only its site, its type and a missing
// address of its page can be an error; what else is wrong is mended, shortened or left out.
//
// The time of the event is its timestamp, else the time inside its id, both corrected if SentAt
// shows that the client's clock is wrong, else now. So a retry without a timestamp has the time
// of the first attempt.
func (in *Input) Validate(now time.Time) (Valid, error) {
	v := Valid{URL: Cut(in.URL, MaxEvent), Referrer: Cut(in.Referrer, MaxEvent), Subject: in.Subject, Flaws: in.Flaws}
	e := &v.Event
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
	if in.URL == "" && (e.Type == View || e.Type == Engagement) {
		return v, invalid("url", validation.CodeRequired, "a view and an engagement need the absolute address of the page, e.g. https://example.com/pricing")
	}
	in.copyTo(&v)
	if e.Screen != "" && !isScreen(e.Screen) {
		e.Screen = ""
		v.omit("screen", "must be WIDTHxHEIGHT in pixels, e.g. 1920x1080")
	}
	if e.Language != "" && !isLanguage(e.Language) {
		e.Language = ""
		v.omit("language", "must be a BCP 47 tag, e.g. fr or en-GB")
	}
	if len(v.Subject) > MaxSubject { // shortened, it could be that of another person
		v.Subject = ""
		v.omit("subject", fmt.Sprintf("at most %d bytes", MaxSubject))
	}
	v.time(in, now)
	v.props(in.Props, "", 1)
	v.measure(in)
	v.value(in.Value)
	v.funnel(in.Funnel)
	return v, nil
}

// omit notes that a field is left out.
func (v *Valid) omit(field, detail string) { v.Flaws = addFlaw(v.Flaws, Flaw{field, detail, false}) }

// shorten notes that a field is shortened.
func (v *Valid) shorten(field, detail string) { v.Flaws = addFlaw(v.Flaws, Flaw{field, detail, true}) }

func addFlaw(flaws []Flaw, f Flaw) []Flaw {
	if len(flaws) == maxFlaws {
		return flaws
	}
	return append(flaws, f)
}

// text returns a text of a client as it is stored, of at most so many bytes.
func (v *Valid) text(field, text string, most int) string {
	if len(text) <= most && storable(text) {
		return text
	}
	if len(text) > most {
		v.shorten(field, fmt.Sprintf("at most %d bytes", most))
		text = Cut(text, most)
	}
	return Cut(mend(text), most)
}

// Cut shortens a text to at most so many bytes, between two characters.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// storable reports whether the database can store a text.
func storable(text string) bool { return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text) }

// mend replaces what the database can't store.
func mend(text string) string {
	if storable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// time sets ID and Time.
func (v *Valid) time(in *Input, now time.Time) {
	e := &v.Event
	e.Time = now
	wrong := clockError(in.SentAt, now)
	if in.ID != "" {
		if id, err := uuid.Parse(in.ID); err != nil || id.Version() != 7 || len(in.ID) != 36 {
			v.omit("id", "must be a UUID of version 7, e.g. 0190d3c4-5b1e-7c3a-9f00-3d2b1a0c9e88")
		} else {
			e.ID = id
			sec, nsec := id.Time().UnixTime()
			if e.Time = time.Unix(sec, nsec).Add(-wrong); e.Time.Before(now.Add(-RetryWindow)) {
				e.Time, v.Skewed = now, true
			}
		}
	}
	if in.Timestamp != "" {
		if t, err := time.Parse(time.RFC3339Nano, in.Timestamp); err != nil {
			v.omit("timestamp", "must be an RFC 3339 date and time with a zone, e.g. 2026-03-01T12:30:00Z")
		} else {
			e.Time, v.Skewed = t.Add(-wrong), false
		}
	}
	if e.Time.After(now.Add(ClockSkew)) {
		e.Time, v.Skewed = now, true
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
}

// clockError returns how far a client's clock is ahead, in steps of ClockSkew; it is negative if
// the clock is behind.
//
// Each request is under way for another time. If that changed the times of events, those of a
// visit would lose their order, and a retry would be another event. Hence the steps. The likely
// errors are far from where one step changes to the next: a clock is right, or in the wrong time
// zone by a multiple of a quarter of an hour.
func clockError(sent, arrived time.Time) time.Duration {
	if sent.IsZero() {
		return 0
	}
	return sent.Sub(arrived).Round(ClockSkew)
}

// props sets the properties. What is in objects gets dotted names.
func (v *Valid) props(props map[string]jsontext.Value, prefix string, depth int) {
	if !v.orderMatters(props) { // the usual case
		for key, value := range props {
			v.property(prefix+key, value, depth)
		}
		return
	}
	for _, key := range slices.Sorted(maps.Keys(props)) {
		v.property(prefix+key, props[key], depth)
	}
}

// orderMatters reports whether what comes first decides which properties are kept, or may.
func (v *Valid) orderMatters(props map[string]jsontext.Value) bool {
	size := 0
	for key, value := range props {
		if value.Kind() == jsontext.KindBeginObject {
			return true
		}
		size += len(key) + len(value)
	}
	const growth = 3 // of what is mended, at most
	return len(v.Event.Props)+len(props) > MaxProps || v.properties+growth*size > MaxProperties
}

// maxDepth is how many objects may be in each other in properties.
const maxDepth = 5

// property sets a property to a value, which may be an object of properties at a depth.
func (v *Valid) property(key string, value jsontext.Value, depth int) {
	var text string
	switch value.Kind() {
	case jsontext.KindNull:
		return
	case jsontext.KindBeginObject:
		members, ok := loosejson.Object(value)
		if !ok || depth == maxDepth {
			v.omit("props."+nameOf(key), fmt.Sprintf("at most %d objects may be in each other", maxDepth))
			return
		}
		v.props(members, key+".", depth+1)
		return
	case jsontext.KindBeginArray:
		var ok bool
		if text, ok = list(value); !ok {
			v.omit("props."+nameOf(key), "must be a string, a number, a boolean, an object, or a list of those but objects")
			return
		}
	default:
		text, _ = loosejson.Text(value)
	}
	if key = mend(key); key == "" || len(key) > MaxKey {
		v.omit("props."+nameOf(key), fmt.Sprintf("a property's key must have 1 to %d bytes", MaxKey))
		return
	}
	props := v.Event.Props
	if _, again := props[key]; len(props) == MaxProps && !again {
		v.omit("props", fmt.Sprintf("at most %d properties", MaxProps))
		return
	}
	if props == nil {
		props = make(map[string]string)
		v.Event.Props = props
	}
	if len(text) > MaxValue {
		if short := cutCharacters(text, MaxValue); short != text {
			text = short
			v.shorten("props."+key, fmt.Sprintf("at most %d characters", MaxValue))
		}
	}
	text = mend(text)
	size := v.properties + len(key) + len(text)
	if size > MaxProperties {
		v.omit("props."+key, fmt.Sprintf("properties may have %d bytes together", MaxProperties))
		return
	}
	props[key], v.properties = text, size
}

// list returns a list of what properties can hold as JSON.
func list(value jsontext.Value) (text string, ok bool) {
	var elements []jsontext.Value
	if loosejson.Unmarshal(value, &elements) != nil {
		return "", false
	}
	for _, element := range elements {
		if kind := element.Kind(); kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
			return "", false
		}
	}
	compact := value.Clone()
	err := compact.Compact(jsontext.AllowInvalidUTF8(true))
	return string(compact), err == nil
}

// cutCharacters shortens a text to at most so many characters.
func cutCharacters(text string, most int) string {
	for at := range text {
		if most == 0 {
			return text[:at]
		}
		most--
	}
	return text
}

// nameOf returns the key of a property so that a flaw can name it.
func nameOf(key string) string { return mend(Cut(key, MaxKey)) }

// measure sets what an engagement measured.
func (v *Valid) measure(in *Input) {
	e := &v.Event
	if e.Type != Engagement {
		if in.Engaged != nil {
			v.omit("engaged", "goes with an engagement only")
		}
		if in.Scroll != nil {
			v.omit("scroll", "goes with an engagement only")
		}
		return
	}
	if in.Engaged == nil && in.Scroll == nil {
		v.omit("engaged", "say for how many milliseconds the page was visible and had the focus, e.g. 15000")
	}
	e.Engaged = int32(v.measured("engaged", in.Engaged, MaxEngaged))
	e.Scroll = int16(v.measured("scroll", in.Scroll, 100))
}

// measured returns a measurement, which has a most.
func (v *Valid) measured(field string, value *int, most int) int {
	switch {
	case value == nil:
		return 0
	case *value < 0:
		v.omit(field, fmt.Sprintf("must be from 0 to %d", most))
		return 0
	case *value > most:
		v.shorten(field, fmt.Sprintf("at most %d", most))
		return most
	default:
		return *value
	}
}

// value sets the amount and its currency.
func (v *Valid) value(of *Value) {
	if of == nil {
		return
	}
	amount, ok := amountOf(of.Amount)
	currency := strings.ToUpper(strings.TrimSpace(of.Currency))
	switch {
	case v.Event.Type == Engagement:
		v.omit("value", "does not go with an engagement: send it with the event that earned it")
	case !ok:
		v.omit("value.amount", "must be a decimal number with at most 12 digits before the point, e.g. 12.5")
	case len(currency) != 3 || !all(currency, func(c byte) bool { return 'A' <= c && c <= 'Z' }):
		v.omit("value.currency", "must be the three letters of ISO 4217, e.g. EUR")
	default:
		v.Event.Amount, v.Event.Currency = amount, currency
	}
}

// amountOf returns an amount as it is stored. One with more digits than that, as JavaScript's
// sums have, is rounded.
func amountOf(value jsontext.Value) (amount string, ok bool) {
	amount, _ = loosejson.Text(value)
	if _, _, ok := ReadAmount(amount); ok {
		return amount, true
	}
	n, ok := loosejson.Number(value)
	if amount = strconv.FormatFloat(n, 'f', 4, 64); !ok {
		return "", false
	}
	amount = strings.TrimSuffix(strings.TrimSuffix(amount, "0"), "0") // two decimals at least
	_, _, ok = ReadAmount(amount)
	return amount, ok
}

// funnel sets the step of a funnel.
func (v *Valid) funnel(of *Funnel) {
	e := &v.Event
	switch {
	case of == nil && e.Type == FunnelStep:
		v.omit("funnel", `a funnel_step needs its funnel, e.g. {"id":"signup","step":1}`)
	case of == nil:
	case e.Type == Engagement:
		v.omit("funnel", "does not go with an engagement: send it with the event that reached the step")
	case of.ID == "":
		v.omit("funnel.id", "name the funnel")
	case of.Step < 1 || of.Step > MaxStep:
		v.omit("funnel.step", fmt.Sprintf("must be from 1 to %d", MaxStep))
	default:
		e.Funnel, e.Step = v.text("funnel.id", of.ID, MaxName), int16(of.Step)
	}
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
