// Package sitename normalizes the names of sites, so that pages, people and trackers of other
// products may write them differently.
//
// It is pure.
package sitename

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// PublicPrefix is the prefix of every public id. No domain has it, since host names
// contain no underscore.
const PublicPrefix = "s_"

// maxName is how many bytes a name has at most, with what Domain takes away.
const maxName = 1000

// Domain returns a domain in the form that is stored: "Example.com.", "example.com" and
// "https://example.com/path" all become "example.com", and "пример.рф" becomes
// "xn--e1afmkfd.xn--p1ai". The text of the error completes a sentence that begins with the name of
// the field.
func Domain(text string) (string, error) {
	if len(text) > maxName || !utf8.ValidString(text) {
		return "", errNoDomain
	}
	host := strings.TrimSpace(text)
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if strings.Contains(host, ":") {
		return "", errors.New("must be a domain without a port, such as example.com or localhost")
	}
	ascii, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true)).ToASCII(host)
	if err != nil {
		return "", errNoDomain
	}
	return ascii, nil
}

var errNoDomain = errors.New("must be a domain such as example.com")

// Lookup returns the forms in which to look up a site: its public id, or its domain as written
// and then without "www.". The first form that exists counts. Lookup returns none if no site
// can have the name.
func Lookup(name string) []string {
	if len(name) > maxName || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return nil // the database can't hold it
	}
	if id := strings.ToLower(strings.TrimSpace(name)); strings.HasPrefix(id, PublicPrefix) {
		return []string{id}
	}
	domain, err := Domain(name)
	if err != nil {
		return nil
	}
	if bare, ok := strings.CutPrefix(domain, "www."); ok {
		return []string{domain, bare}
	}
	return []string{domain}
}
