// Package rules decides which events a site accepts: from which hosts, pages, addresses
// and countries, with which amounts, properties and consent, at what rate, and for what share of
// the visitors; whether personal data in them is masked, which servers may send for visitors, and
// which programs are the site's own.
//
// It is pure. It must never put a visitor's address into an error.
package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/glob"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/weburl"
)

// Rules are the rules of a site. The zero value accepts all events, except those of
// visitors who ask not to be tracked.
type Rules struct {
	// Hostnames are the hosts that events may come from, such as "example.com", or
	// "*.example.com" for all its subdomains; empty for any.
	Hostnames []string `json:"hostnames,omitzero"`
	// ExcludedPaths are patterns of excluded pages, such as "/admin/**"; see package glob. They
	// have the form of weburl.Canonical.
	ExcludedPaths []string `json:"excluded_paths,omitzero"`
	// ExcludedAddresses are addresses and networks of excluded visitors, such as the
	// owner's office: "203.0.113.7", "2001:db8::/32".
	ExcludedAddresses []string `json:"excluded_addresses,omitzero"`
	// ExcludedCountries are ISO 3166-1 alpha-2 codes.
	ExcludedCountries []string `json:"excluded_countries,omitzero"`
	// Senders are addresses and networks of the site's servers, which may name the address
	// and the user agent of the visitor for whom they send an event.
	Senders []string `json:"senders,omitzero"`
	// Agents are beginnings of user agents of the site's own apps and servers, such as
	// "ShopApp/": their events count although no browser sends them.
	Agents []string `json:"agents,omitzero"`
	// Currencies are ISO 4217 codes: amounts in others are left out of events; empty for any.
	Currencies []string `json:"currencies,omitzero"`
	// Props are the keys of the properties that are stored; nil for all, empty for none.
	Props *[]string `json:"props,omitzero"`
	// Mask says whether e-mail addresses, tokens and card numbers in the values of events are
	// masked; nil for yes.
	Mask *bool `json:"mask,omitzero"`
	// Consent is the mode of consent; empty for Signals.
	Consent Consent `json:"consent,omitzero"`
	// Rate is the maximum number of events per minute; 0 for no limit.
	Rate int `json:"rate,omitzero"`
	// Sample is the percentage of visitors that are counted, 1 to 100; 0 for all. A visitor
	// is counted with all events of a day or not at all. Reports are not scaled up.
	Sample int `json:"sample,omitzero"`
}

// Consent is whose events a site accepts.
type Consent string

// The modes of consent.
const (
	// Signals accepts events of visitors who don't send DNT or Sec-GPC. It is the default.
	Signals Consent = "signals"
	// Anonymous also accepts events of the visitors who do, without identifying them: each
	// of their events is a visit of its own with only a page and an hour.
	Anonymous Consent = "anonymous"
	// Required accepts only events that state the visitor's consent.
	Required Consent = "required"
)

// The limits of rules, besides glob.MaxStars. They bound the time it takes to decide on an
// event.
const (
	MaxList    = 100 // entries of a list
	MaxPattern = 300 // bytes of an entry
	MaxRate    = 100_000_000
)

// What normalizeAgent compares: a shorter beginning of a user agent is that of many programs.
const (
	minAgent     = 3
	browserAgent = "Mozilla/"
)

// Normalize validates rules and returns them in the form that is stored. It returns a
// *validation.Error for an invalid field.
func Normalize(r Rules) (Rules, error) {
	for _, list := range []struct {
		field     string
		values    *[]string
		normalize func(string) (string, error)
	}{
		{"rules.hostnames", &r.Hostnames, normalizeHostname},
		{"rules.excluded_paths", &r.ExcludedPaths, normalizePath},
		{"rules.excluded_addresses", &r.ExcludedAddresses, normalizeNetwork},
		{"rules.senders", &r.Senders, normalizeNetwork},
		{"rules.agents", &r.Agents, normalizeAgent},
		{"rules.excluded_countries", &r.ExcludedCountries, normalizeCountry},
		{"rules.currencies", &r.Currencies, normalizeCurrency},
		{"rules.props", r.Props, normalizeKey},
	} {
		if list.values == nil || *list.values == nil {
			continue
		}
		if len(*list.values) > MaxList {
			return r, validation.New(list.field, fmt.Sprintf("may have at most %d entries", MaxList))
		}
		normalized := make([]string, 0, len(*list.values))
		for i, value := range *list.values {
			if len(value) > MaxPattern {
				return r, validation.New(fmt.Sprintf("%s[%d]", list.field, i), fmt.Sprintf("may have at most %d bytes", MaxPattern))
			}
			value, err := list.normalize(strings.TrimSpace(value))
			if err != nil {
				return r, validation.New(fmt.Sprintf("%s[%d]", list.field, i), err.Error())
			}
			if !slices.Contains(normalized, value) {
				normalized = append(normalized, value)
			}
		}
		*list.values = normalized
	}
	if r.Mask != nil && *r.Mask {
		r.Mask = nil
	}
	switch r.Consent {
	case "", Signals:
		r.Consent = ""
	case Anonymous, Required:
	default:
		return r, validation.New("rules.consent", "must be signals, anonymous or required")
	}
	if r.Rate < 0 || r.Rate > MaxRate {
		return r, validation.New("rules.rate", fmt.Sprintf("must be from 1 to %d events a minute, or 0 for no limit", MaxRate))
	}
	if r.Sample < 0 || r.Sample > 100 {
		return r, validation.New("rules.sample", "must be from 1 to 100 percent of the visitors, or 0 for all")
	}
	if r.Sample == 100 {
		r.Sample = 0
	}
	return r, nil
}

func normalizeHostname(text string) (string, error) {
	// The hosts of pages have this form too, see privacy.ReadPage.
	name, below := strings.CutPrefix(strings.TrimSuffix(text, "."), "*.")
	host, ok := weburl.Host(name)
	if !ok || strings.ContainsAny(host, "*:") {
		return "", errors.New("must be a host name such as example.com, or *.example.com for all below it")
	}
	if below {
		return "*." + host, nil
	}
	return strings.TrimPrefix(host, "www."), nil
}

func normalizePath(text string) (string, error) {
	if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "*") {
		return "", errors.New("must begin with a slash or a star, such as /admin/**")
	}
	if glob.Stars(text) > glob.MaxStars {
		return "", fmt.Errorf("may have at most %d stars", glob.MaxStars)
	}
	return weburl.Canonical(text), nil
}

func normalizeNetwork(text string) (string, error) {
	network, err := parseNetwork(text)
	if err != nil {
		return "", errors.New("must be an address or a network such as 203.0.113.7 or 2001:db8::/32")
	}
	if network.IsSingleIP() {
		return network.Addr().String(), nil
	}
	return network.String(), nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err
}

// normalizeAgent refuses what most browsers and crawlers begin with: it would count all of them.
func normalizeAgent(text string) (string, error) {
	if len(text) < minAgent || strings.HasPrefix(text, browserAgent) || strings.HasPrefix(browserAgent, text) {
		return "", fmt.Errorf("must be the beginning of a user agent that no browser has, of at least %d bytes, such as ShopApp/", minAgent)
	}
	return text, nil
}

func normalizeCountry(text string) (string, error) {
	code := strings.ToUpper(text)
	if len(code) != 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", errors.New("must be a country code of two letters, such as FR")
	}
	return code, nil
}

func normalizeCurrency(text string) (string, error) {
	code := strings.ToUpper(text)
	if len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", errors.New("must be a currency code of three letters, such as EUR")
	}
	return code, nil
}

func normalizeKey(text string) (string, error) {
	if text == "" {
		return "", errors.New("must be the key of a property")
	}
	return text, nil
}

// Filter applies rules to events. It is safe for concurrent use. A nil Filter accepts
// everything.
type Filter struct {
	hosts     map[string]struct{} // allowed; nil for all
	suffixes  []string            // of allowed hosts, such as ".example.com"
	paths     []string            // patterns of excluded pages
	networks  []netip.Prefix      // excluded
	senders   []netip.Prefix      // trusted servers
	agents    []string            // beginnings of the user agents of the site's own programs
	countries map[string]struct{} // excluded
	money     map[string]struct{} // currencies that are taken; empty for all
	props     map[string]struct{} // stored; nil for all
	unmasked  bool
	consent   Consent
	rate      int
	sample    int
}

// Compile returns a Filter for rules that Normalize has returned.
func (r *Rules) Compile() (*Filter, error) {
	f := &Filter{agents: r.Agents, unmasked: r.Mask != nil && !*r.Mask, consent: r.Consent, rate: r.Rate, sample: r.Sample}
	if len(r.Hostnames) > 0 {
		f.hosts = map[string]struct{}{}
		for _, host := range r.Hostnames {
			if suffix, ok := strings.CutPrefix(host, "*"); ok {
				f.suffixes = append(f.suffixes, suffix)
			} else {
				f.hosts[host] = struct{}{}
			}
		}
	}
	for _, path := range r.ExcludedPaths {
		f.paths = append(f.paths, weburl.Canonical(path)) // earlier versions stored it as it was written
	}
	var err error
	if f.networks, err = parseNetworks(r.ExcludedAddresses); err != nil {
		return nil, fmt.Errorf("compile the excluded addresses: %w", err)
	}
	if f.senders, err = parseNetworks(r.Senders); err != nil {
		return nil, fmt.Errorf("compile the senders: %w", err)
	}
	f.countries = set(r.ExcludedCountries)
	f.money = set(r.Currencies)
	if r.Props != nil {
		f.props = set(*r.Props)
	}
	return f, nil
}

func parseNetworks(texts []string) (networks []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}

func set(values []string) map[string]struct{} {
	s := make(map[string]struct{}, len(values))
	for _, v := range values {
		s[v] = struct{}{}
	}
	return s
}

// AllowsHostname reports whether events from pages of a host are accepted. The host is
// empty for an event without a page, which is accepted.
func (f *Filter) AllowsHostname(host string) bool {
	if f == nil || f.hosts == nil || host == "" {
		return true
	}
	if _, ok := f.hosts[host]; ok {
		return true
	}
	return slices.ContainsFunc(f.suffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}

// AllowsPath reports whether events from a page are accepted.
func (f *Filter) AllowsPath(path string) bool {
	return f == nil || !slices.ContainsFunc(f.paths, func(pattern string) bool { return glob.Match(pattern, path) })
}

// AllowsAddress reports whether events from an address are accepted.
func (f *Filter) AllowsAddress(address netip.Addr) bool {
	return f == nil || !contains(f.networks, address)
}

// TrustsSender reports whether an address is that of one of the site's servers.
func (f *Filter) TrustsSender(address netip.Addr) bool {
	return f != nil && contains(f.senders, address)
}

// OwnsAgent reports whether a user agent is that of one of the site's own apps or servers.
func (f *Filter) OwnsAgent(agent string) bool {
	return f != nil && slices.ContainsFunc(f.agents, func(own string) bool { return strings.HasPrefix(agent, own) })
}

// AllowsCountry reports whether events from a country are accepted.
func (f *Filter) AllowsCountry(code string) bool {
	if f == nil {
		return true
	}
	_, excluded := f.countries[code]
	return !excluded
}

// AllowsCurrency reports whether amounts in a currency are taken.
func (f *Filter) AllowsCurrency(code string) bool {
	if f == nil || len(f.money) == 0 {
		return true
	}
	_, ok := f.money[code]
	return ok
}

// AllowsProp reports whether a property is stored.
func (f *Filter) AllowsProp(key string) bool {
	if f == nil || f.props == nil {
		return true
	}
	_, ok := f.props[key]
	return ok
}

// Masks reports whether personal data and secrets in values are masked.
func (f *Filter) Masks() bool { return f == nil || !f.unmasked }

// Consent returns the mode of consent.
func (f *Filter) Consent() Consent {
	if f == nil || f.consent == "" {
		return Signals
	}
	return f.consent
}

// Rate returns the maximum number of events per minute; 0 for no limit.
func (f *Filter) Rate() int {
	if f == nil {
		return 0
	}
	return f.rate
}

// Sampled reports whether a visitor is in the sample. Visitors are random numbers, so a
// share of the numbers is a share of the visitors.
func (f *Filter) Sampled(visitor int64) bool {
	// The low bits choose the shard of the queue, so this uses the high ones.
	return f == nil || f.sample == 0 || uint64(visitor)>>32%100 < uint64(f.sample)
}
