package privacy

import (
	"cmp"
	"net/url"
	"strings"
)

// Page is what is kept of the address of a page.
type Page struct {
	Hostname string // lower case, without port and leading "www."
	Path     string // escaped, "/" at least; no query, no fragment
	Campaign Campaign
}

// Campaign is what the allow list keeps of a query string.
type Campaign struct {
	Ref     string // ref or source: who sent the visitor, in the owner's words
	Source  string // utm_source
	Medium  string // utm_medium
	Name    string // utm_campaign
	Term    string // utm_term
	Content string // utm_content
	ClickID string // name of the click id, e.g. "gclid"; its value tells one person and is dropped
}

// clickID is the first parameter of an advertisement's click in a query, by its name.
// The network that each stands for is in shared/enrich/data/sources.json.
func clickID(q url.Values) string {
	for _, name := range ClickIDs() {
		if q.Get(name) != "" {
			return name
		}
	}
	return ""
}

// ClickIDs are the parameters by which networks mark a click, those that stand for a
// paid one first.
func ClickIDs() [16]string {
	return [16]string{
		"gclid", "wbraid", "gbraid", "gclsrc", "dclid", "msclkid", "ttclid", "twclid", "li_fat_id", "rdt_cid",
		"ScCid", "epik", "yclid", "fbclid", "igshid", "srsltid",
	}
}

// MaxCampaign is the length in bytes to which a value of a campaign is cut.
const MaxCampaign = 200

// ReadPage keeps of a page's address the host, the path and the campaign; the rest
// of the query, where names, tokens and searches stand, is dropped. ok is false
// when raw is no absolute http or https address.
func ReadPage(raw string) (p Page, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Page{}, false
	}
	p.Hostname = hostname(u)
	p.Path = u.EscapedPath()
	if p.Path == "" {
		p.Path = "/"
	}
	if u.RawQuery != "" {
		q := u.Query()
		p.Campaign = Campaign{
			Ref:     clip(cmp.Or(q.Get("ref"), q.Get("source"))),
			Source:  clip(q.Get("utm_source")),
			Medium:  clip(q.Get("utm_medium")),
			Name:    clip(q.Get("utm_campaign")),
			Term:    clip(q.Get("utm_term")),
			Content: clip(q.Get("utm_content")),
			ClickID: clickID(q),
		}
	}
	return p, true
}

// ReadReferrer keeps of a referrer its host and path. ok is false when raw is no
// absolute http or https address; browsers send others, so that is no error.
func ReadReferrer(raw string) (host, path string, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", false
	}
	return hostname(u), strings.TrimSuffix(u.EscapedPath(), "/"), true
}

func hostname(u *url.URL) string {
	return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), "www.")
}

// clip keeps a value short and storable.
func clip(s string) string {
	if len(s) > MaxCampaign {
		s = s[:MaxCampaign]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// Personal tells whether the key of a property names something that identifies a
// person, such as email, phone or credit_card. Such a property is left out.
func Personal(key string) bool {
	k := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			return r
		default:
			return -1
		}
	}, key)
	switch k {
	case "email", "mail", "emailaddress", "useremail",
		"phone", "phonenumber", "mobile", "mobilenumber", "tel", "telephone",
		"firstname", "lastname", "fullname", "surname", "givenname", "familyname", "username",
		"address", "streetaddress", "street", "postaladdress",
		"ip", "ipaddress", "useragent",
		"password", "passwd", "pwd", "token", "accesstoken", "authorization", "session", "sessionid", "cookie",
		"ssn", "socialsecurity", "socialsecuritynumber", "taxid", "passport", "passportnumber",
		"creditcard", "creditcardnumber", "cardnumber", "cvv", "cvc", "iban",
		"dob", "dateofbirth", "birthday", "birthdate":
		return true
	default:
		return false
	}
}
