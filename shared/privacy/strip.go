package privacy

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// Page is what remains of the address of a page.
type Page struct {
	Hostname string // lower case, without port and leading "www."
	Path     string // escaped, "/" at least; no query, no fragment
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
// rest of the query, which can hold names, tokens and searches. ok is false unless raw is
// an absolute http or https address.
func ReadPage(raw string) (p Page, ok bool) {
	a, ok := readAddress(raw)
	if !ok {
		return Page{}, false
	}
	return Page{hostname(a.host), cmp.Or(a.path, "/"), readCampaign(a.query)}, true
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
		switch name {
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
		if value, err := url.QueryUnescape(escaped); err == nil && *into == "" {
			*into = clip(value)
		}
	}
	c.Ref = cmp.Or(c.Ref, source)
	return c
}

// ReadReferrer returns the host and path of a referrer, or the address of an app, such as
// android-app://com.reddit.frontpage, as the host. ok is false unless raw is an absolute http
// or https address or that of an app; browsers send others, so that is not an error.
func ReadReferrer(raw string) (host, path string, ok bool) {
	a, ok := readAddress(raw)
	if !ok {
		host, ok = readApp(raw)
		return host, "", ok
	}
	return hostname(a.host), strings.TrimSuffix(a.path, "/"), true
}

func hostname(host string) string {
	return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(host), "."), "www.")
}

// address is the parts of an absolute http or https address.
type address struct {
	host  string // without port
	path  string // escaped
	query string
}

func readAddress(raw string) (a address, ok bool) {
	if a, ok := plainAddress(raw); ok {
		return a, true
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return address{}, false
	}
	return address{u.Hostname(), u.EscapedPath(), u.RawQuery}, true
}

// plainAddress parses a common address, without any escapes, ports or credentials. It
// reports false for others, which are left to url.Parse; the two must never differ.
func plainAddress(raw string) (a address, ok bool) {
	rest, ok := strings.CutPrefix(raw, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(raw, "http://"); !ok {
			return a, false
		}
	}
	a.host, rest = while(rest, func(c byte) bool { return isAlphanumeric(c) || c == '.' || c == '-' })
	if strings.HasPrefix(rest, "/") {
		a.path, rest = while(rest, func(c byte) bool {
			return isAlphanumeric(c) || c == '/' || c == '.' || c == '-' || c == '_' || c == '~'
		})
	}
	if strings.HasPrefix(rest, "?") {
		a.query, rest = while(rest[1:], func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' })
	}
	return a, a.host != "" && rest == ""
}

// while splits a text before the first byte that is not of a kind.
func while(text string, is func(byte) bool) (before, rest string) {
	n := 0
	for n < len(text) && is(text[n]) {
		n++
	}
	return text[:n], text[n:]
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z'
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
