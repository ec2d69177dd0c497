package enrich

import (
	"cmp"
	"strings"

	"github.com/analytics-platform/analytics/shared/privacy"
)

// Direct is the source of a visitor whom nobody is known to have sent.
const Direct = "Direct / None"

// The channels, the kinds of ways by which visitors come. The names are those of
// Google Analytics' default channel group, which analysts know:
// https://support.google.com/analytics/answer/9756891.
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
)

type kind string

const (
	search kind = "search"
	social kind = "social"
	email  kind = "email"
	video  kind = "video"
	ai     kind = "ai"
)

type knownSource struct {
	Name  string   `json:"name"`
	Kind  kind     `json:"kind"`
	Hosts []string `json:"hosts"`
}

// sources finds a source by a host, by a host's name without its top-level domain
// ("google.*"), and by its own name as campaigns write it.
type sources struct {
	byHost, byStem, byName map[string]*knownSource
}

func indexSources(list []knownSource) sources {
	s := sources{map[string]*knownSource{}, map[string]*knownSource{}, map[string]*knownSource{}}
	for i := range list {
		k := &list[i]
		s.byName[strings.ToLower(k.Name)] = k
		for _, host := range k.Hosts {
			if stem, ok := strings.CutSuffix(host, ".*"); ok {
				s.byStem[stem] = k
			} else {
				s.byHost[host] = k
			}
		}
	}
	return s
}

// find looks for the host, then for each domain above it.
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

// Source says who sent a visitor and by which channel. What a campaign says comes
// before the referrer; referrerHost is "" when there is none or it is the site's
// own.
func (e *Enricher) Source(referrerHost string, c privacy.Campaign) (source, channel string) {
	var known *knownSource
	switch named := strings.TrimSpace(cmp.Or(c.Source, c.Ref)); {
	case named != "":
		source = named
		if known = e.sources.byName[strings.ToLower(named)]; known == nil {
			known = e.sources.find(strings.ToLower(named))
		}
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
	return source, channelOf(strings.ToLower(strings.TrimSpace(c.Medium)), k, source)
}

func channelOf(medium string, k kind, source string) string {
	switch medium {
	case "cpc", "ppc", "cpv", "cpa", "cpp", "retargeting", "paid", "paidsearch", "paid-search", "paidsocial", "paid-social", "paid_social":
		switch {
		case k == search || strings.HasSuffix(medium, "search"):
			return ChannelPaidSearch
		case k == social || strings.HasSuffix(medium, "social"):
			return ChannelPaidSocial
		case k == video:
			return ChannelPaidVideo
		default:
			return ChannelPaidOther
		}
	case "display", "banner", "expandable", "interstitial", "cpm":
		return ChannelDisplay
	case "email", "e-mail", "e_mail", "newsletter":
		return ChannelEmail
	case "affiliate", "affiliates":
		return ChannelAffiliates
	case "social", "social-network", "social-media", "sm":
		return ChannelOrganicSocial
	case "video":
		return ChannelOrganicVideo
	case "organic":
		return ChannelOrganicSearch
	}
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
	}
	if source == Direct {
		return ChannelDirect
	}
	return ChannelReferral
}
