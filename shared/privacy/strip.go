package privacy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/weburl"
)

// Page is what remains of the address of a page.
type Page struct {
	Hostname string // lower case, without port and leading "www."
	Path     string // in the form of weburl.Canonical; no query, no fragment; "/" at least
	Campaign Campaign
}

// Campaign is what remains of a query string: the parameters of the allow list.
type Campaign struct {
	Ref     string // ref or source: who sent the visitor, in the owner's words
	Source  string // utm_source
	Medium  string // utm_medium
	Name    string // utm_campaign
	Term    string // utm_term
	Content string // utm_content
	ClickID string // name of the click id, e.g. "gclid"; its value identifies one person and is dropped
}

// ClickIDs returns the parameters by which networks mark a click, those of paid clicks
// first: the first one found counts. The network of each is in
// shared/ingest/enrich/data/sources.json.
func ClickIDs() [16]string {
	return [16]string{
		"gclid", "wbraid", "gbraid", "gclsrc", "dclid", "msclkid", "ttclid", "twclid", "li_fat_id", "rdt_cid",
		"ScCid", "epik", "yclid", "fbclid", "igshid", "srsltid",
	}
}

// MaxCampaign is the length in bytes to which a value of a campaign is cut.
const MaxCampaign = 200

// ReadPage returns the host, the path and the campaign of a page's address, and drops the
// rest of the query, which can hold names, tokens and searches. Apps have schemes of their own.
// ok is false unless raw is an absolute address with a host.
func ReadPage(raw string) (p Page, ok bool) {
	u, ok := weburl.Parse(raw)
	if !ok {
		return Page{}, false
	}
	return Page{hostname(u.Host), cmp.Or(weburl.Canonical(u.Path), "/"), readCampaign(u.Query)}, true
}

// readCampaign reads the parameters of the allow list. Of each, the first value that is not
// empty counts.
func readCampaign(query string) (c Campaign) {
	var source string
	ids := ClickIDs()
	click := len(ids)
	for query != "" {
		var parameter string
		parameter, query, _ = strings.Cut(query, "&")
		name, escaped, _ := strings.Cut(parameter, "=")
		var into *string
		switch name = weburl.Unescape(name); name {
		case "ref":
			into = &c.Ref
		case "source":
			into = &source
		case "utm_source":
			into = &c.Source
		case "utm_medium":
			into = &c.Medium
		case "utm_campaign":
			into = &c.Name
		case "utm_term":
			into = &c.Term
		case "utm_content":
			into = &c.Content
		default:
			if n := slices.Index(ids[:click], name); n >= 0 && escaped != "" {
				click, c.ClickID = n, name
			}
			continue
		}
		if *into == "" {
			*into = clip(weburl.Unescape(escaped))
		}
	}
	c.Ref = cmp.Or(c.Ref, source)
	return c
}

// ReadReferrer returns the host and path of a referrer, in the forms of a Page, or the address
// of an app, such as android-app://com.reddit.frontpage, as the host. ok is false unless raw is
// an absolute http or https address or that of an app; browsers send others, so that is not an
// error.
func ReadReferrer(raw string) (host, path string, ok bool) {
	u, ok := weburl.Parse(raw)
	if !ok || u.Scheme != "http" && u.Scheme != "https" {
		host, ok = readApp(raw)
		return host, "", ok
	}
	return hostname(u.Host), strings.TrimSuffix(weburl.Canonical(u.Path), "/"), true
}

func hostname(host string) string {
	return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(host), "."), "www.")
}

// clip makes a value short and storable.
func clip(s string) string {
	if len(s) > MaxCampaign {
		s = s[:MaxCampaign]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// Personal reports whether the key of a property names something that identifies a person,
// such as email, phone or credit_card. Such a property is dropped.
// Of a name with dots, as nested data have, each part is looked at too.
func Personal(key string) bool {
	if strings.IndexByte(key, '.') >= 0 {
		for part := range strings.SplitSeq(key, ".") {
			if personal(part) {
				return true
			}
		}
	}
	return personal(key)
}

func personal(key string) bool {
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
