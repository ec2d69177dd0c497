package enrich

import "strings"

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

// arrival is what decides the channel of a visitor. Texts are in lower case.
type arrival struct {
	name     string // of the source, as the campaign calls it; "" if it does not
	medium   string
	campaign string
	kind     kind // of the source
	paid     bool // the visitor comes from an advertisement
	direct   bool // nothing says where the visitor comes from
}

// channel applies the rules in the order of docs/enrichment.md: the first one counts.
func (a *arrival) channel() string {
	shopping := a.kind == shop || isShopping(a.campaign)
	switch {
	case strings.Contains(a.campaign, "cross-network"):
		return ChannelCross
	case a.paid && shopping:
		return ChannelPaidShopping
	case a.paid && a.kind == search:
		return ChannelPaidSearch
	case a.paid && a.kind == social:
		return ChannelPaidSocial
	case a.paid && a.kind == video:
		return ChannelPaidVideo
	case isDisplay(a.medium):
		return ChannelDisplay
	case a.paid:
		return ChannelPaidOther
	case shopping:
		return ChannelShopping
	case a.kind == social || isSocial(a.medium):
		return ChannelOrganicSocial
	case a.kind == video || strings.Contains(a.medium, "video"):
		return ChannelOrganicVideo
	case a.kind == ai || a.medium == "ai-assistant":
		return ChannelAI
	case a.kind == search || a.medium == "organic":
		return ChannelOrganicSearch
	default:
		return a.otherChannel()
	}
}

// otherChannel applies the rules for unpaid visitors whose source says little.
func (a *arrival) otherChannel() string {
	switch {
	case a.medium == "referral" || a.medium == "app" || a.medium == "link":
		return ChannelReferral
	case a.kind == email || isEmail(a.name) || isEmail(a.medium):
		return ChannelEmail
	case a.medium == "affiliate" || a.medium == "affiliates":
		return ChannelAffiliates
	case a.medium == "audio":
		return ChannelAudio
	case a.name == "sms" || a.medium == "sms":
		return ChannelSMS
	case a.name == "firebase", strings.HasSuffix(a.medium, "push"),
		strings.Contains(a.medium, "mobile"), strings.Contains(a.medium, "notification"):
		return ChannelPush
	case a.kind == ads:
		return ChannelPaidOther
	case a.direct:
		return ChannelDirect
	default:
		return ChannelReferral
	}
}

func isPaid(medium string) bool {
	return strings.Contains(medium, "cp") || medium == "ppc" || medium == "retargeting" || strings.HasPrefix(medium, "paid")
}

func isDisplay(medium string) bool {
	switch medium {
	case "display", "banner", "expandable", "interstitial", "cpm":
		return true
	}
	return false
}

func isSocial(medium string) bool {
	switch medium {
	case "social", "sm", "social-network", "social-media", "social network", "social media", "social_network", "social_media":
		return true
	}
	return false
}

func isEmail(text string) bool {
	if !strings.Contains(text, "mail") {
		return strings.Contains(text, "newsletter")
	}
	for _, word := range [...]string{"email", "e-mail", "e_mail", "e mail", "newsletter"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// isShopping reports whether a campaign names a shop: "shop" does not count inside a word
// such as "workshop" or "bishop", but it does after an e, as in "eshop".
func isShopping(campaign string) bool {
	if strings.Contains(campaign, "shopping") {
		return true
	}
	for rest := campaign; ; {
		at := strings.Index(rest, "shop")
		if at < 0 {
			return false
		}
		if at == 0 || rest[at-1] == 'e' || rest[at-1] < 'a' || rest[at-1] > 'z' {
			return true
		}
		rest = rest[at+1:]
	}
}
