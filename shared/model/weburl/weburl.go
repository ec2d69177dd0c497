// Package weburl reads addresses as browsers do, and gives each host and each path one form.
//
// It is pure, and follows https://url.spec.whatwg.org/.
package weburl

import (
	"strings"

	"github.com/nlnwa/whatwg-url/url"
)

// URL is the parts of an absolute address that has a host. It has no port, no credentials
// and no fragment.
type URL struct {
	Scheme string // lower case
	Host   string // lower case, Punycode; an IPv6 address has no brackets
	Path   string // without dot segments; "/" at least with http and https; see Canonical
	Query  string // as sent, without the question mark
}

// Parse reads an address. ok is false if a browser could not load a page from it, and if it
// has no host, as data: and about: have none.
func Parse(raw string) (u URL, ok bool) {
	if u, ok := parsePlain(raw); ok {
		return u, true
	}
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(raw)
	// Both end what is before them, wherever they stand; and they are long, but not needed.
	raw, _, _ = strings.Cut(raw, "#")
	raw, query, _ := strings.Cut(raw, "?")
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Hostname() == "" {
		return URL{}, false
	}
	host := strings.TrimSuffix(strings.TrimPrefix(parsed.Hostname(), "["), "]")
	return URL{parsed.Scheme(), host, parsed.Pathname(), query}, true
}

// Host returns the form of a host's name that addresses with it have. ok is false if none
// can have it.
func Host(name string) (host string, ok bool) {
	u, ok := Parse("https://" + name + "/")
	return u.Host, ok && u.Path == "/" && !strings.ContainsAny(name, "/?#\\@") && !hasPort(name)
}

// Unescape returns a name or a value of a query as it was before it was escaped. A percent
// sign that begins no escape stands for itself.
func Unescape(escaped string) string {
	if strings.IndexByte(escaped, '%') < 0 && strings.IndexByte(escaped, '+') < 0 {
		return escaped
	}
	out := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		switch c := escaped[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			if b, ok := escape(escaped[i:]); ok {
				out = append(out, b)
				i += 2
				continue
			}
			fallthrough
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// escape returns the byte that an escape at the beginning of a text stands for; ok is false
// if there is none.
func escape(text string) (b byte, ok bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, ok1 := hexDigit(text[1])
	low, ok2 := hexDigit(text[2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	default:
		return 0, false
	}
}

func hasPort(name string) bool {
	return strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, ']')
}

// parsePlain parses an address of the form that pages have. It reports false for others,
// which the library reads; the two must never differ.
func parsePlain(raw string) (u URL, ok bool) {
	rest, ok := strings.CutPrefix(raw, "https://")
	if u.Scheme = "https"; !ok {
		if rest, ok = strings.CutPrefix(raw, "http://"); !ok {
			return u, false
		}
		u.Scheme = "http"
	}
	end := 0
	for end < len(rest) && isHost(rest[end]) {
		end++
	}
	if u.Host = rest[:end]; !isPlainHost(u.Host) {
		return u, false
	}
	u.Host = strings.ToLower(u.Host)
	rest, _, _ = strings.Cut(withoutPort(rest[end:]), "#")
	u.Path, u.Query, _ = strings.Cut(rest, "?")
	switch {
	case u.Path == "":
		u.Path = "/"
	case u.Path[0] != '/':
		return u, false
	}
	return u, isPlainPath(u.Path) && isVisible(raw)
}

// withoutPort removes a port of up to four digits from the beginning of a text.
func withoutPort(text string) string {
	if text == "" || text[0] != ':' {
		return text
	}
	end := 1
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	if end == 1 || end > 5 {
		return text
	}
	return text[end:]
}

func isHost(c byte) bool { return isAlphanumeric(c) || c == '.' || c == '-' || c == '_' }

// isPlainHost reports whether a host is neither an IPv4 address, which has many forms, nor
// international.
func isPlainHost(host string) bool {
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	if last == "" || !isLetter(last[0]) {
		return false
	}
	for i := 0; i+4 <= len(host); i++ {
		if host[i+2] == '-' && host[i+3] == '-' && host[i]|0x20 == 'x' && host[i+1]|0x20 == 'n' {
			return false
		}
	}
	return true
}

// isPlainPath reports whether a path has neither dot segments nor backslashes. What else browsers
// replace, Canonical makes the same of.
func isPlainPath(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '\\':
			return false
		case '/':
			if rest := path[i+1:]; strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "%2e") || strings.HasPrefix(rest, "%2E") {
				return false
			}
		}
	}
	return true
}

// isVisible reports whether a text has neither blanks nor control characters of ASCII.
func isVisible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
