package wire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/loosejson"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/weburl"
)

// plausible is the body that Plausible's trackers send, with short or long names, in the
// order in which Plausible itself looks for them.
type plausible struct {
	N           jsontext.Value `json:"n"`
	Name        jsontext.Value `json:"name"` // may be a number: scripts that count error pages send 404
	U           jsontext.Value `json:"u"`
	URL         jsontext.Value `json:"url"`
	D           jsontext.Value `json:"d"`
	Domain      jsontext.Value `json:"domain"` // one or more, separated by commas
	R           jsontext.Value `json:"r"`
	Referrer    jsontext.Value `json:"referrer"`
	M           jsontext.Value `json:"m"`
	Meta        jsontext.Value `json:"meta"`
	P           jsontext.Value `json:"p"`
	Props       jsontext.Value `json:"props"`
	I           jsontext.Value `json:"i"`
	Interactive jsontext.Value `json:"interactive"`
	H           jsontext.Value `json:"h"`
	HashMode    jsontext.Value `json:"hashMode"` // 1: the fragment is part of the page's path
	Dollar      jsontext.Value `json:"$"`
	Revenue     jsontext.Value `json:"revenue"`
	ScrollDepth jsontext.Value `json:"sd"` // percent
	Engaged     jsontext.Value `json:"e"`  // milliseconds
}

// Plausible decodes the body of Plausible's POST /api/event: one event of one or more
// sites. It is as lenient as Plausible: it omits props that are empty, limits the scroll depth to
// 100, and ignores fields that an engagement can't have.
//
// Source: https://plausible.io/docs/events-api.
func Plausible(r Request) (Batch, error) {
	b := Batch{Names: map[string]string{
		"site": "domain", "type": "name", "value.amount": "revenue.amount", "value.currency": "revenue.currency", "value": "revenue",
		"scroll": "sd", "engaged": "e",
	}}
	if err := checkSize(r.Body); err != nil {
		return b, err
	}
	var body plausible
	if err := decode(r.Body, &body); err != nil {
		return b, err
	}
	e, err := body.event()
	if err != nil {
		return b, err
	}
	domains, err := body.domains(e.Input.URL)
	if err != nil {
		return b, err
	}
	b.Array, b.Same = len(domains) > 1, true
	for _, domain := range domains {
		e.Input.Site = domain
		b.Events = append(b.Events, e)
	}
	return b, nil
}

// maxDomains is how many sites one event of Plausible's form may have.
const maxDomains = 20

// domains returns the names of the sites of the event, each once.
func (p *plausible) domains(page string) (domains []string, err error) {
	list, ok := loosejson.Text(first(p.D, p.Domain))
	if list == "" && first(p.D, p.Domain) == nil {
		u, _ := weburl.Parse(page)
		list = u.Host
	}
	if !ok || strings.TrimSpace(list) == "" {
		return nil, &validation.Error{Field: "domain", Code: validation.CodeRequired, Detail: "can't be blank: name one site, or several separated by commas"}
	}
	for domain := range strings.SplitSeq(list, ",") {
		domain = strings.ToLower(strings.TrimSpace(domain))
		if slices.Contains(domains, domain) {
			continue
		}
		if len(domains) == maxDomains {
			return nil, &validation.Error{Field: "domain", Code: validation.CodeTooMany, Detail: fmt.Sprintf("at most %d sites", maxDomains)}
		}
		domains = append(domains, domain)
	}
	return domains, nil
}

// event decodes everything but the site.
func (p *plausible) event() (e Event, err error) {
	in := &e.Input
	in.Name = e.text("name", first(p.N, p.Name))
	in.URL = e.text("url", first(p.U, p.URL))
	in.Referrer = e.text("referrer", first(p.R, p.Referrer))
	if mode, ok := loosejson.Number(first(p.H, p.HashMode)); ok && mode == 1 {
		in.URL = fragmentAsPath(in.URL)
	}
	switch in.Name {
	case "":
		return e, &validation.Error{Field: "name", Code: validation.CodeRequired, Detail: "can't be blank: pageview, engagement, or the name of a custom event"}
	case "pageview":
		in.Type, in.Name = event.View.String(), ""
	case "engagement":
		in.Type, in.Name = event.Engagement.String(), ""
		p.engagement(in)
	default:
		in.Type = event.Conversion.String()
	}
	in.Passive = first(p.I, p.Interactive).Kind() == jsontext.KindFalse
	in.Props = e.object("props", first(p.M, p.Meta, p.P, p.Props))
	takeConsent(in)
	for key, value := range in.Props {
		if s, ok := loosejson.Text(value); ok && strings.TrimSpace(s) == "" {
			delete(in.Props, key)
		}
	}
	if revenue := e.object("revenue", first(p.Dollar, p.Revenue)); in.Type != event.Engagement.String() {
		in.Value = e.money("revenue", revenue["amount"], revenue["currency"], "")
	}
	return e, nil
}

func (p *plausible) engagement(in *event.Input) {
	const month = 30 * 86_400_000 // old scripts send more by mistake
	if depth, ok := loosejson.Integer(p.ScrollDepth); ok && first(p.ScrollDepth) != nil && depth >= 0 {
		in.Scroll = new(int(min(depth, 100)))
	}
	if engaged, ok := loosejson.Integer(p.Engaged); ok && engaged > 0 && engaged < month {
		in.Engaged = new(int(min(engaged, event.MaxEngaged)))
	}
}

// fragmentAsPath appends the fragment to the path, for sites that route by fragment:
// https://example.com/app#/cart becomes https://example.com/app/cart. The query stays,
// since it holds the campaign.
func fragmentAsPath(page string) string {
	rest, fragment, ok := strings.Cut(page, "#")
	fragment = strings.Trim(strings.TrimPrefix(fragment, "!"), "/")
	if !ok || fragment == "" {
		return rest
	}
	fragment, _, _ = strings.Cut(fragment, "?") // trackers put no campaign into a fragment's query
	base, query, hasQuery := strings.Cut(rest, "?")
	page = strings.TrimSuffix(base, "/") + "/" + fragment
	if hasQuery {
		page += "?" + query
	}
	return page
}
