package pipeline

import (
	"maps"
	"slices"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/privacy/mask"
)

// Masked says what was taken out of an event that is queued nevertheless.
type Masked struct {
	Field  string // of the input, such as url or props.plan
	Reason Reason
}

// The reasons for taking something out of an event.
const (
	MaskedEmail    Reason = "masked_email"    // an e-mail address
	MaskedToken    Reason = "masked_token"    // a token, a password or another secret
	MaskedCard     Reason = "masked_card"     // the number of a payment card
	MaskedProperty Reason = "masked_property" // a whole property, since its key names personal data, or holds it
)

// MaskedFor returns the reasons for which something was taken out of the event, once each.
func (r *Result) MaskedFor() (reasons []Reason) {
	for _, m := range r.Masked {
		if !slices.Contains(reasons, m.Reason) {
			reasons = append(reasons, m.Reason)
		}
	}
	return reasons
}

// Detail describes to the sender what was taken out.
func (m Masked) Detail() string {
	switch m.Reason {
	case MaskedEmail:
		return "masked: it held what looks like an e-mail address"
	case MaskedToken:
		return "masked: it held what looks like a token or a password"
	case MaskedCard:
		return "masked: it held what looks like the number of a payment card"
	default:
		return "omitted: its name suggests personal data"
	}
}

// takeOut removes the properties that the site does not store and those whose keys name
// personal data, and masks personal data and secrets in the values that remain. It returns
// what was taken out, in an order that does not vary.
func takeOut(e *event.Event, r *rules.Filter) (out []Masked) {
	if len(e.Props) > 0 {
		out = takeProps(e, r)
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
func takeProps(e *event.Event, r *rules.Filter) (out []Masked) {
	for _, key := range slices.Sorted(maps.Keys(e.Props)) {
		name := key
		if r.Masks() {
			name, _ = mask.Text(key, event.MaxKey)
		}
		switch {
		case privacy.Personal(key), name != key:
			out = append(out, Masked{"props." + name, MaskedProperty})
			delete(e.Props, key)
		case !r.AllowsProp(key):
			delete(e.Props, key)
		case r.Masks():
			masked, kinds := mask.Text(e.Props[key], event.MaxValue)
			if kinds != 0 {
				e.Props[key] = masked
				out = add(out, "props."+key, kinds)
			}
		}
	}
	return out
}

// add adds what was masked in a field, once for each reason.
func add(out []Masked, field string, kinds mask.Kinds) []Masked {
	for _, k := range [...]struct {
		kind   mask.Kinds
		reason Reason
	}{{mask.Email, MaskedEmail}, {mask.Token, MaskedToken}, {mask.Card, MaskedCard}} {
		if m := (Masked{field, k.reason}); kinds&k.kind != 0 && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}
