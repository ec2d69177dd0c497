// Package accesslog parses access logs of web servers in the combined format of Apache,
// nginx and others, with an optional virtual host in front, and finds the page views.
//
// It is pure. Errors must never contain a line or a part of one, since it holds addresses.
package accesslog

import (
	"errors"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
)

// Line is a parsed line.
type Line struct {
	Host      string // virtual host, without port; "" if the line has none
	Address   netip.Addr
	Time      time.Time // whole seconds
	Method    string
	Target    string // path and query
	Status    int
	Referrer  string // "" if there was none
	UserAgent string // "" if there was none
}

// The errors of Parse.
var (
	ErrFields  = errors.New("is not in the combined format: HOST ADDRESS - USER [TIME] \"REQUEST\" STATUS BYTES \"REFERRER\" \"USER AGENT\", where HOST may be missing")
	ErrAddress = errors.New("has no IP address in the client's place")
	ErrTime    = errors.New("has no time such as [10/Oct/2026:13:55:36 +0000]")
	ErrRequest = errors.New("has no request such as \"GET /pricing HTTP/1.1\"")
	ErrStatus  = errors.New("has no status such as 200")
)

// timeLayout is the layout of a line's time.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// Parse parses a line. The error is one of this package's.
func Parse(text string) (Line, error) {
	var l Line
	before, rest, ok := strings.Cut(strings.TrimRight(text, "\r\n"), " [")
	if !ok {
		return Line{}, ErrFields
	}
	words := strings.Fields(before)
	// The user name comes last and may contain spaces, so the address is found by its
	// position from the start.
	if len(words) < 3 {
		return Line{}, ErrFields
	}
	var err error
	if l.Address, err = netip.ParseAddr(words[0]); err != nil {
		l.Host = hostOf(words[0])
		if l.Address, err = netip.ParseAddr(words[1]); err != nil {
			return Line{}, ErrAddress
		}
	}
	l.Address = l.Address.Unmap().WithZone("")
	clock, rest, ok := strings.Cut(rest, `] "`)
	if !ok {
		return Line{}, ErrFields
	}
	if l.Time, err = time.Parse(timeLayout, clock); err != nil {
		return Line{}, ErrTime
	}
	request, rest, ok := quoted(rest)
	if !ok {
		return Line{}, ErrFields
	}
	status, rest, ok := strings.Cut(strings.TrimPrefix(rest, " "), " ")
	if !ok {
		return Line{}, ErrFields
	}
	if l.Status, err = strconv.Atoi(status); err != nil || l.Status < 100 || l.Status > 999 {
		return Line{}, ErrStatus
	}
	parts := strings.Fields(request)
	if len(parts) < 2 || len(parts) > 3 {
		if l.Status >= 400 { // the server rejected it, whatever it was
			parts = []string{"-", "-"}
		} else {
			return Line{}, ErrRequest
		}
	}
	l.Method, l.Target = parts[0], parts[1]
	_, rest, ok = strings.Cut(rest, ` "`) // skip the number of bytes
	if !ok {
		return Line{}, ErrFields
	}
	referrer, rest, ok := quoted(rest)
	if !ok || !strings.HasPrefix(rest, ` "`) {
		return Line{}, ErrFields
	}
	agent, _, ok := quoted(rest[2:])
	if !ok {
		return Line{}, ErrFields
	}
	l.Referrer, l.UserAgent = dashToEmpty(referrer), dashToEmpty(agent)
	return l, nil
}

// hostOf returns the virtual host of a log field, without its port.
func hostOf(word string) string {
	host, _, _ := strings.Cut(word, ":")
	return dashToEmpty(strings.ToLower(host))
}

// dashToEmpty returns "" for the dash, which stands for an absent value.
func dashToEmpty(text string) string {
	if text == "-" {
		return ""
	}
	return text
}

// quoted returns the text up to the closing quotation mark, and the rest after it. Servers
// escape a quotation mark in the text as \" or \x22.
func quoted(text string) (value, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return unescape(text[:i]), text[i+1:], true
		}
	}
	return "", "", false
}

func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		if text[i] == 'x' && i+2 < len(text) {
			if b, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// Reason is the reason why a valid line is not a page view.
type Reason string

// The reasons of NoView.
const (
	Method Reason = "method" // not a GET
	Status Reason = "status" // neither 200 nor 304
	Asset  Reason = "asset"  // the path is not a page's
)

// NoView returns the reason why a line is not a page view, or "" if it is one.
func (l *Line) NoView() Reason {
	switch {
	case l.Method != http.MethodGet:
		return Method
	case l.Status != http.StatusOK && l.Status != http.StatusNotModified:
		return Status
	case !isPage(l.Target):
		return Asset
	default:
		return ""
	}
}

// isPage reports whether a request looks like one for a page: its path has no extension,
// or one that pages have.
func isPage(target string) bool {
	p, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(p, "/") {
		return false
	}
	switch extension := strings.ToLower(path.Ext(p)); extension {
	case "", ".", ".html", ".htm", ".xhtml", ".shtml", ".php", ".asp", ".aspx", ".jsp", ".do", ".cgi":
		return true
	default:
		// A file extension is short and begins with a letter, unlike the end of a version
		// or a name, as in /about/v1.2 or /john.appleseed.
		return len(extension) > 6 || extension[1] >= '0' && extension[1] <= '9' && extension != ".7z" && extension != ".3gp"
	}
}
