// Package rules owns what a site's owner lets in: from which hosts, which pages,
// addresses, countries and properties, with whose consent, how often and how many of the
// visitors.
//
// It is pure. It decides on what it is given and keeps nothing of it, and must never put
// an address of a visitor into an error.
package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/glob"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Rules are what an owner sets for a site. The zero value lets everything in but what
// visitors forbid.
type Rules struct {
	// Hostnames of the pages that events may come from, such as "example.com", or
	// "*.example.com" for all below it; any when empty.
	Hostnames []string `json:"hostnames,omitzero"`
	// ExcludedPaths are patterns of pages that are not counted, as package glob reads
	// them: "/admin/**".
	ExcludedPaths []string `json:"excluded_paths,omitzero"`
	// ExcludedAddresses are those of people who are not counted, such as the owner's own
	// office: "203.0.113.7", "2001:db8::/32".
	ExcludedAddresses []string `json:"excluded_addresses,omitzero"`
	// ExcludedCountries are codes of ISO 3166-1 alpha-2.
	ExcludedCountries []string `json:"excluded_countries,omitzero"`
	// Props are the keys of the properties that are kept; all when nil, none when empty.
	Props *[]string `json:"props,omitzero"`
	// Consent says whose events are counted.
	Consent Consent `json:"consent,omitzero"`
	// Rate is how many events are taken in a minute at most; no limit when 0.
	Rate int `json:"rate,omitzero"`
	// Sample is the percentage of visitors that is counted, 1 to 100: a visitor with all of
	// the day's events or not at all. All when 0. Numbers are of the sample.
	Sample int `json:"sample,omitzero"`
}

// Consent says whose events are counted.
type Consent string

// The modes of consent.
const (
	// Signals counts all but those who ask not to be tracked, by DNT or Sec-GPC. It is the
	// mode when none is set.
	Signals Consent = "signals"
	// Anonymous counts those too, without knowing one from another: each of their events
	// is a visit of its own, of a page and an hour and nothing else.
	Anonymous Consent = "anonymous"
	// Required counts only events that say that their visitor has agreed.
	Required Consent = "required"
)

// How much may be set, so that an event is decided on in microseconds.
const (
	MaxList    = 100 // entries of a list
	MaxPattern = 300 // bytes of an entry
	MaxRate    = 100_000_000
)

// Read checks rules and brings them into the form that is stored. What is wrong is a
// problem that names the field.
func Read(r Rules) (Rules, error) {
	for _, list := range []struct {
		field  string
		values *[]string
		read   func(string) (string, error)
	}{
		{"rules.hostnames", &r.Hostnames, readHostname},
		{"rules.excluded_paths", &r.ExcludedPaths, readPath},
		{"rules.excluded_addresses", &r.ExcludedAddresses, readNetwork},
		{"rules.excluded_countries", &r.ExcludedCountries, readCountry},
		{"rules.props", r.Props, readKey},
	} {
		if list.values == nil || *list.values == nil {
			continue
		}
		if len(*list.values) > MaxList {
			return r, validation.New(list.field, fmt.Sprintf("may have at most %d entries", MaxList))
		}
		read := make([]string, 0, len(*list.values))
		for i, value := range *list.values {
			if len(value) > MaxPattern {
				return r, validation.New(fmt.Sprintf("%s[%d]", list.field, i), fmt.Sprintf("may have at most %d bytes", MaxPattern))
			}
			value, err := list.read(strings.TrimSpace(value))
			if err != nil {
				return r, validation.New(fmt.Sprintf("%s[%d]", list.field, i), err.Error())
			}
			if !slices.Contains(read, value) {
				read = append(read, value)
			}
		}
		*list.values = read
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

func readHostname(text string) (string, error) {
	// As pages are named: see privacy.ReadPage.
	host := strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(text, ".")), "www.")
	name := strings.TrimPrefix(host, "*.")
	if name == "" || strings.ContainsAny(name, "*/:@ \t") {
		return "", errors.New("must be a host name such as example.com, or *.example.com for all below it")
	}
	return host, nil
}

func readPath(text string) (string, error) {
	if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "*") {
		return "", errors.New("must begin with a slash or a star, such as /admin/**")
	}
	return text, nil
}

func readNetwork(text string) (string, error) {
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

func readCountry(text string) (string, error) {
	code := strings.ToUpper(text)
	if len(code) != 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", errors.New("must be a country's code of two letters, such as FR")
	}
	return code, nil
}

func readKey(text string) (string, error) {
	if text == "" {
		return "", errors.New("must be the key of a property")
	}
	return text, nil
}

// Filter is rules made ready to decide on events. It is safe for concurrent use; nil lets
// everything in.
type Filter struct {
	hosts     map[string]struct{} // allowed; nil when all are
	below     []string            // ".example.com"
	paths     *regexp.Regexp      // excluded; nil when none is
	networks  []netip.Prefix      // excluded
	countries map[string]struct{} // excluded
	props     map[string]struct{} // kept; nil when all are
	consent   Consent
	rate      int
	sample    int
}

// Compile makes rules that Read returned ready.
func (r *Rules) Compile() (*Filter, error) {
	f := &Filter{consent: r.Consent, rate: r.Rate, sample: r.Sample}
	if len(r.Hostnames) > 0 {
		f.hosts = map[string]struct{}{}
		for _, host := range r.Hostnames {
			if below, ok := strings.CutPrefix(host, "*"); ok {
				f.below = append(f.below, below)
			} else {
				f.hosts[host] = struct{}{}
			}
		}
	}
	if len(r.ExcludedPaths) > 0 {
		var err error
		if f.paths, err = glob.Compile(r.ExcludedPaths...); err != nil {
			return nil, fmt.Errorf("compile the excluded paths: %w", err)
		}
	}
	for _, text := range r.ExcludedAddresses {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("compile the excluded addresses: %w", err)
		}
		f.networks = append(f.networks, network)
	}
	f.countries = set(r.ExcludedCountries)
	if r.Props != nil {
		f.props = set(*r.Props)
	}
	return f, nil
}

func set(values []string) map[string]struct{} {
	s := make(map[string]struct{}, len(values))
	for _, v := range values {
		s[v] = struct{}{}
	}
	return s
}

// Hostname tells whether events of the host's pages are let in. An event without a page
// ("") is.
func (f *Filter) Hostname(host string) bool {
	if f == nil || f.hosts == nil || host == "" {
		return true
	}
	if _, ok := f.hosts[host]; ok {
		return true
	}
	return slices.ContainsFunc(f.below, func(below string) bool { return strings.HasSuffix(host, below) })
}

// Path tells whether events of a page are let in.
func (f *Filter) Path(path string) bool {
	return f == nil || f.paths == nil || !f.paths.MatchString(path)
}

// Address tells whether events from an address are let in.
func (f *Filter) Address(address netip.Addr) bool {
	return f == nil || !slices.ContainsFunc(f.networks, func(n netip.Prefix) bool { return n.Contains(address) })
}

// Country tells whether events from a country are let in.
func (f *Filter) Country(code string) bool {
	if f == nil {
		return true
	}
	_, excluded := f.countries[code]
	return !excluded
}

// Prop tells whether a property is kept.
func (f *Filter) Prop(key string) bool {
	if f == nil || f.props == nil {
		return true
	}
	_, ok := f.props[key]
	return ok
}

// Consent is the mode of consent.
func (f *Filter) Consent() Consent {
	if f == nil || f.consent == "" {
		return Signals
	}
	return f.consent
}

// Rate is how many events are taken in a minute; 0 is no limit.
func (f *Filter) Rate() int {
	if f == nil {
		return 0
	}
	return f.rate
}

// Sampled tells whether a visitor is in the sample. Visitors are random numbers, so that
// a share of the numbers is a share of the visitors.
func (f *Filter) Sampled(visitor int64) bool {
	// The low bits choose the queue's shard, so the high ones choose here.
	return f == nil || f.sample == 0 || uint64(visitor)>>32%100 < uint64(f.sample)
}
