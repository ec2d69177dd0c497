package enrich

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/analytics-platform/analytics/shared/privacy"
)

// Direct is the source of a visitor without a referrer or a campaign.
const Direct = "Direct / None"

type kind string

const (
	search kind = "search"
	social kind = "social"
	email  kind = "email"
	video  kind = "video"
	ai     kind = "ai"
	shop   kind = "shopping"
	ads    kind = "ads"
)

// knownSource is a source of visitors, with all that leads to it; see data/README.md.
type knownSource struct {
	Name  string   `json:"name"` // if it is missing, the first host
	Kind  kind     `json:"kind"`
	Hosts []string `json:"hosts"`
	Apps  []string `json:"apps"`
	Names []string `json:"names"`
	Ads   []string `json:"ads"`
	// Paid and Clicks are the click ids of its advertisements and of its other links: see
	// privacy.Campaign.
	Paid   []string `json:"paid"`
	Clicks []string `json:"clicks"`
}

// sources finds a source by its host, by a host without top-level domain ("google.*"), by
// its app, by a name in campaigns, and by its click ids.
type sources struct {
	byHost, byStem hosts
	byApp          map[string]*knownSource
	byName         map[string]link
	byClick        map[string]link
	webmail        knownSource // is any webmail that has no source of its own
}

// link is what a link says of its source.
type link struct {
	source *knownSource
	paid   bool
}

// indexSources indexes our own sources, and those of a list. The names on the list stand for
// nothing in campaigns: many are common words.
func indexSources(own, listed []knownSource) (*sources, error) {
	s := &sources{
		byHost: make(hosts, 2*(len(own)+len(listed))), byStem: hosts{}, byApp: map[string]*knownSource{},
		byName: make(map[string]link, 2*len(own)), byClick: map[string]link{}, webmail: knownSource{Kind: email},
	}
	var err error
	for i := range own {
		err = errors.Join(err, s.add(&own[i]), s.addLinks(&own[i]))
	}
	for i := range listed {
		err = errors.Join(err, s.add(&listed[i]))
	}
	return s, err
}

// add adds the places of a source, from which visitors come.
func (s *sources) add(k *knownSource) (err error) {
	for _, host := range k.Hosts {
		name, alone := strings.CutPrefix(host, "^")
		index := s.byHost
		if stem, ok := strings.CutSuffix(name, ".*"); ok {
			index, name = s.byStem, stem
		}
		err = errors.Join(err, index.add(name, k, alone))
	}
	for _, app := range k.Apps {
		err = errors.Join(err, put(s.byApp, app, k))
	}
	return err
}

// addLinks adds what stands for a source in links. It also names a source that has no name.
func (s *sources) addLinks(k *knownSource) (err error) {
	if k.Name != "" {
		err = put(s.byName, squash(strings.ToLower(k.Name)), link{k, false})
	} else if len(k.Hosts) > 0 {
		k.Name = strings.TrimPrefix(k.Hosts[0], "^")
	}
	for _, name := range k.Names {
		err = errors.Join(err, put(s.byName, squash(name), link{k, false}))
	}
	for _, name := range k.Ads {
		err = errors.Join(err, put(s.byName, squash(name), link{k, true}))
	}
	for _, id := range k.Clicks {
		err = errors.Join(err, put(s.byClick, id, link{k, false}))
	}
	for _, id := range k.Paid {
		err = errors.Join(err, put(s.byClick, id, link{k, true}))
	}
	return err
}

func put[T any](index map[string]T, key string, value T) error {
	if _, ok := index[key]; ok {
		return ambiguous(key)
	}
	index[key] = value
	return nil
}

func ambiguous(key string) error {
	return fmt.Errorf("index the sources: %q stands for two sources", key)
}

// find returns the source of a host or of its nearest parent domain, or nil.
func (s *sources) find(host string) *knownSource {
	found, matched := s.byHost.find(host)
	stem := withoutTop(host)
	if k, n := s.byStem.find(stem); n > 0 && n+len(host)-len(stem) > matched {
		found, matched = k, n+len(host)-len(stem)
	}
	if matched < len(host) && isWebmail(host) {
		return &s.webmail
	}
	return found
}

// withoutTop returns a host without the end in which the sites of one source differ by
// country, such as "google" for google.com and google.co.uk. It returns "" for other hosts.
func withoutTop(host string) string {
	rest, top := cutLast(host)
	if len(top) < 2 || len(top) > 3 {
		return ""
	}
	if before, second := cutLast(rest); before != "" {
		switch second {
		case "co", "com", "ne", "net", "or", "org":
			return before
		}
	}
	return rest
}

// cutLast splits a host before its last label.
func cutLast(host string) (before, last string) {
	dot := strings.LastIndexByte(host, '.')
	return host[:max(dot, 0)], host[dot+1:]
}

// isWebmail reports whether a host is named as organizations name their webmail.
func isWebmail(host string) bool {
	label, domain, _ := strings.Cut(host, ".")
	if !strings.Contains(domain, ".") {
		return false
	}
	switch strings.TrimRight(label, "0123456789-") {
	case "mail", "email", "webmail", "webmailer", "outlook", "owa", "roundcube", "zimbra", "horde", "squirrelmail",
		"messagerie", "poczta", "posta", "correo":
		return true
	}
	return false
}

// Source returns the source and the channel of a visitor. A campaign takes precedence over
// a click id, and a click id over the referrer. referrer is a host, or the address of an app,
// as privacy.ReadReferrer returns it; it is "" if there is none or it is the site itself.
func (e *Enricher) Source(referrer string, c privacy.Campaign) (source, channel string) {
	a := arrival{name: campaignSource(c), medium: plain(c.Medium), campaign: plain(c.Name)}
	click := e.sources.byClick[c.ClickID]
	var from link
	switch {
	case a.name != "":
		source, from = e.sources.named(a.name)
	case click.source != nil:
		source, from = click.source.Name, link{click.source, false}
	case referrer != "":
		source, from.source = e.sources.refer(referrer)
	default:
		source, a.direct = Direct, true
	}
	if from.source != nil {
		a.kind = from.source.Kind
	}
	a.paid = from.paid || isPaid(a.medium) || click.paid && (a.medium == "" || click.source == from.source && !isDisplay(a.medium))
	return source, a.channel()
}

// campaignSource returns by what name a campaign calls its source, in lower case, or "".
func campaignSource(c privacy.Campaign) string {
	switch name := plain(cmp.Or(c.Source, c.Ref)); name {
	case "(direct)", "(none)", "(not set)":
		return ""
	default:
		return name
	}
}

func plain(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// named finds the source that a campaign means: by a name of the source or of its
// advertisements, by an app, or by an address. An unknown name is its own source.
func (s *sources) named(name string) (source string, l link) {
	if l, ok := s.name(squash(name)); ok {
		return l.source.Name, l
	}
	if !strings.Contains(name, ".") {
		return name, link{}
	}
	if k := s.byApp[name]; k != nil {
		return k.Name, link{source: k}
	}
	if strings.Contains(name, "://") {
		if host, _, ok := privacy.ReadReferrer(name); ok {
			source, l.source = s.refer(host)
			return source, l
		}
		return name, link{}
	}
	host, isAddress := strings.CutPrefix(name, "www.")
	host, _, hasPath := strings.Cut(host, "/")
	source, l.source = s.refer(host)
	if l.source == nil && hasPath && !isAddress {
		return name, link{}
	}
	return source, l
}

// name finds a squashed name, or one of advertisements, such as googleads.
func (s *sources) name(name string) (link, bool) {
	if l, ok := s.byName[name]; ok {
		return l, true
	}
	if of, ok := strings.CutSuffix(strings.TrimSuffix(name, "s"), "ad"); ok {
		if l, ok := s.byName[of]; ok {
			return link{l.source, true}, true
		}
	}
	return link{}, false
}

// squash removes what people put between the words of a name.
func squash(name string) string {
	if !strings.ContainsAny(name, " -_") {
		return name
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' {
			return -1
		}
		return r
	}, name)
}

// refer returns the source of a referrer, which is its host or app if no source is known, and
// what is known of it.
func (s *sources) refer(referrer string) (source string, k *knownSource) {
	if _, id, ok := strings.Cut(referrer, "://"); ok {
		source, k = id, s.byApp[id]
	} else {
		source, k = referrer, s.find(referrer)
	}
	if k != nil && k.Name != "" {
		source = k.Name
	}
	return source, k
}
