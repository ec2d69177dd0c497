package pipeline

import (
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/privacy/mask"
)

// Change says what was left out of an event that is queued nevertheless, or ignored.
type Change struct {
	Field  string // of the input, such as url or props.plan; or address or user_agent, of the visitor
	Reason Reason

	Valid string // describes a valid value, if Reason is Omitted or Shortened
}

// The reasons for a change.
const (
	Omitted        Reason = "omitted"         // a field that is not valid
	Shortened      Reason = "shortened"       // a value that is too long or too large
	MaskedEmail    Reason = "masked_email"    // an e-mail address
	MaskedToken    Reason = "masked_token"    // a token, a password or another secret
	MaskedCard     Reason = "masked_card"     // the number of a payment card
	MaskedProperty Reason = "masked_property" // a whole property, since its key names personal data, or holds it
	OtherCurrency  Reason = "other_currency"  // an amount in a currency that the site does not take
	UnprovenSender Reason = "unproven_sender" // what a stranger says of the visitor for whom they send
)

// ChangedFor returns the reasons for which the event was changed, once each.
func (r *Result) ChangedFor() (reasons []Reason) {
	for _, c := range r.Changes {
		if !slices.Contains(reasons, c.Reason) {
			reasons = append(reasons, c.Reason)
		}
	}
	return reasons
}

// Detail describes the change to the sender.
func (c Change) Detail() string {
	switch c.Reason {
	case Omitted:
		return "omitted: " + c.Valid
	case Shortened:
		return "shortened: " + c.Valid
	case MaskedEmail:
		return "masked: it held what looks like an e-mail address"
	case MaskedToken:
		return "masked: it held what looks like a token or a password"
	case MaskedCard:
		return "masked: it held what looks like the number of a payment card"
	case OtherCurrency:
		return "the amount is omitted: it is in none of the currencies that the site takes, see its rule currencies"
	case UnprovenSender:
		return "ignored: only a server with a write key of the site, or at an address in its rule senders, can send for another visitor"
	default:
		return "omitted: its name suggests personal data"
	}
}

// takeOut removes what the site does not store, and the properties whose keys name personal
// data. It masks personal data and secrets in the other values. It returns the
// changes, always in the same order, so that the answer can list them.
func takeOut(e *event.Event, r *rules.Filter) (out []Change) {
	if len(e.Props) > 0 {
		out = takeProps(e, r)
	}
	if e.Amount != "" && !r.AllowsCurrency(e.Currency) {
		e.Amount, e.Currency = "", ""
		out = append(out, Change{Field: "value.currency", Reason: OtherCurrency})
	}
	if !r.Masks() {
		return out
	}
	a := &e.Attributes
	for _, part := range [...]struct {
		field string
		text  *string
		limit int
	}{
		{"url", &e.Page, event.MaxURL},
		{"referrer", &a.Referrer, event.MaxReferrer},
		{"title", &e.Title, event.MaxTitle},
		{"name", &e.Name, event.MaxName},
		{"tag", &e.Tag, event.MaxTag},
		{"funnel.id", &e.Funnel, event.MaxName},
		{"url", &a.Source, privacy.MaxCampaign},
		{"url", &a.UTMSource, privacy.MaxCampaign},
		{"url", &a.UTMMedium, privacy.MaxCampaign},
		{"url", &a.UTMCampaign, privacy.MaxCampaign},
		{"url", &a.UTMTerm, privacy.MaxCampaign},
		{"url", &a.UTMContent, privacy.MaxCampaign},
	} {
		masked, kinds := mask.Text(*part.text, part.limit)
		if kinds != 0 {
			*part.text = masked
			out = add(out, part.field, kinds)
		}
	}
	return out
}

// takeProps is takeOut for properties. A key that holds personal data takes its property with it,
// since a masked key would be one with others.
func takeProps(e *event.Event, r *rules.Filter) (out []Change) {
	for _, key := range slices.Sorted(maps.Keys(e.Props)) {
		name := key
		if r.Masks() {
			name, _ = mask.Text(key, event.MaxKey)
		}
		switch {
		case privacy.Personal(key), name != key:
			out = append(out, Change{Field: "props." + name, Reason: MaskedProperty})
			delete(e.Props, key)
		case !r.AllowsProp(key):
			delete(e.Props, key)
		case r.Masks():
			masked, kinds := mask.Text(e.Props[key], utf8.UTFMax*event.MaxValue)
			if kinds != 0 {
				e.Props[key] = masked
				out = add(out, "props."+key, kinds)
			}
		}
	}
	return out
}

// add adds what was masked in a field, once for each reason.
func add(out []Change, field string, kinds mask.Kinds) []Change {
	for _, k := range [...]struct {
		kind   mask.Kinds
		reason Reason
	}{{mask.Email, MaskedEmail}, {mask.Token, MaskedToken}, {mask.Card, MaskedCard}} {
		if c := (Change{Field: field, Reason: k.reason}); kinds&k.kind != 0 && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}
