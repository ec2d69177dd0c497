package enrich

import (
	"cmp"
	"strings"

	"github.com/analytics-platform/analytics/shared/privacy"
)

// Direct is the source of a visitor without a referrer or a campaign.
const Direct = "Direct / None"

// The channels by which visitors arrive. The names are those of Google Analytics' default
// channel group: https://support.google.com/analytics/answer/9756891.
const (
	ChannelDirect        = "Direct"
	ChannelOrganicSearch = "Organic Search"
	ChannelOrganicSocial = "Organic Social"
	ChannelOrganicVideo  = "Organic Video"
	ChannelPaidSearch    = "Paid Search"
	ChannelPaidSocial    = "Paid Social"
	ChannelPaidVideo     = "Paid Video"
	ChannelPaidOther     = "Paid Other"
	ChannelDisplay       = "Display"
	ChannelEmail         = "Email"
	ChannelAffiliates    = "Affiliates"
	ChannelAI            = "AI Assistants"
	ChannelReferral      = "Referral"
	ChannelShopping      = "Organic Shopping"
	ChannelPaidShopping  = "Paid Shopping"
	ChannelCross         = "Cross-network"
	ChannelAudio         = "Audio"
	ChannelSMS           = "SMS"
	ChannelPush          = "Mobile Push Notifications"
)

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

type knownSource struct {
	Name  string   `json:"name"`
	Kind  kind     `json:"kind"`
	Hosts []string `json:"hosts"`
	// Paid and Clicks are the click ids of its advertisements and of its other links: see
	// privacy.Campaign.
	Paid   []string `json:"paid"`
	Clicks []string `json:"clicks"`
}

// sources finds a source by its host, by a host without top-level domain ("google.*"), by
// its name in campaigns, and by its click ids.
type sources struct {
	byHost, byStem, byName map[string]*knownSource
	byClick                map[string]click
}

type click struct {
	source *knownSource
	paid   bool
}

// indexSources indexes lists. Entries of a later list override those of an earlier one.
func indexSources(lists ...[]knownSource) sources {
	s := sources{map[string]*knownSource{}, map[string]*knownSource{}, map[string]*knownSource{}, map[string]click{}}
	for _, list := range lists {
		for i := range list {
			s.add(&list[i])
		}
	}
	return s
}

func (s *sources) add(k *knownSource) {
	s.byName[strings.ToLower(k.Name)] = k
	for _, host := range k.Hosts {
		if stem, ok := strings.CutSuffix(host, ".*"); ok {
			s.byStem[stem] = k
		} else {
			s.byHost[host] = k
		}
	}
	for _, id := range k.Paid {
		s.byClick[id] = click{k, true}
	}
	for _, id := range k.Clicks {
		s.byClick[id] = click{k, false}
	}
}

// find returns the source of a host or of its nearest parent domain, or nil.
func (s *sources) find(host string) *knownSource {
	for name := host; name != ""; {
		if k := s.byHost[name]; k != nil {
			return k
		}
		if stem, tld, ok := strings.Cut(name, "."); ok && (len(tld) <= 3 || len(tld) <= 6 && strings.Contains(tld, ".")) {
			if k := s.byStem[stem]; k != nil {
				return k
			}
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return nil
}

// Source returns the source and the channel of a visitor. A campaign takes precedence over
// a click id, and a click id over the referrer. referrerHost is "" if there is no referrer
// or it is the site itself.
func (e *Enricher) Source(referrerHost string, c privacy.Campaign) (source, channel string) {
	var known *knownSource
	clicked := e.sources.byClick[c.ClickID]
	switch named := strings.TrimSpace(cmp.Or(c.Source, c.Ref)); {
	case named != "":
		source = named
		if known = e.sources.byName[strings.ToLower(named)]; known == nil {
			known = e.sources.find(strings.ToLower(named))
		}
	case clicked.source != nil:
		known = clicked.source
	case referrerHost != "":
		source = referrerHost
		known = e.sources.find(referrerHost)
	default:
		source = Direct
	}
	var k kind
	if known != nil {
		source, k = known.Name, known.Kind
	}
	medium := strings.ToLower(strings.TrimSpace(c.Medium))
	if medium == "" && clicked.paid {
		medium = "cpc"
	}
	return source, channelOf(medium, strings.ToLower(c.Name), k, source)
}

// channelOf follows the order of Google Analytics' rules; docs/enrichment.md lists the
// differences.
func channelOf(medium, campaign string, k kind, source string) string {
	switch {
	case strings.Contains(campaign, "cross-network"):
		return ChannelCross
	case isPaid(medium):
		return paidChannel(medium, campaign, k)
	}
	switch medium {
	case "display", "banner", "expandable", "interstitial", "cpm":
		return ChannelDisplay
	case "email", "e-mail", "e_mail", "e mail", "newsletter":
		return ChannelEmail
	case "affiliate", "affiliates":
		return ChannelAffiliates
	case "social", "social-network", "social-media", "social_network", "social network", "social_media", "social media", "sm":
		return ChannelOrganicSocial
	case "organic":
		return ChannelOrganicSearch
	case "audio":
		return ChannelAudio
	case "sms":
		return ChannelSMS
	}
	switch {
	case strings.Contains(medium, "video"):
		return ChannelOrganicVideo
	case strings.HasSuffix(medium, "push") || strings.Contains(medium, "mobile") || strings.Contains(medium, "notification"):
		return ChannelPush
	}
	return unpaidChannel(k, source)
}

func isPaid(medium string) bool {
	return strings.Contains(medium, "cp") && medium != "cpm" && len(medium) <= 4 || medium == "ppc" || medium == "retargeting" || strings.HasPrefix(medium, "paid")
}

func paidChannel(medium, campaign string, k kind) string {
	switch {
	case k == shop || strings.HasSuffix(medium, "shopping") || strings.Contains(campaign, "shopping"):
		return ChannelPaidShopping
	case k == search || strings.HasSuffix(medium, "search"):
		return ChannelPaidSearch
	case k == social || strings.HasSuffix(medium, "social"):
		return ChannelPaidSocial
	case k == video || strings.HasSuffix(medium, "video"):
		return ChannelPaidVideo
	default:
		return ChannelPaidOther
	}
}

func unpaidChannel(k kind, source string) string {
	switch k {
	case search:
		return ChannelOrganicSearch
	case social:
		return ChannelOrganicSocial
	case video:
		return ChannelOrganicVideo
	case email:
		return ChannelEmail
	case ai:
		return ChannelAI
	case shop:
		return ChannelShopping
	case ads:
		return ChannelPaidOther
	}
	switch strings.ToLower(source) {
	case "email", "e-mail", "e_mail", "newsletter":
		return ChannelEmail
	case "sms":
		return ChannelSMS
	case "firebase":
		return ChannelPush
	}
	if source == Direct {
		return ChannelDirect
	}
	return ChannelReferral
}
