// Package accesslog reads the access logs of web servers: the combined format of Apache,
// nginx and others, with the name of the virtual host before it where there is one. It
// tells which lines are views of a page.
//
// It is pure, and must never put a line, or a part of one, into an error: there are
// addresses in it.
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

// Line is what a line says.
type Line struct {
	Host      string // virtual host, without its port; "" when the line has none
	Address   netip.Addr
	Time      time.Time // whole seconds
	Method    string
	Target    string // path and query
	Status    int
	Referrer  string // "" when there was none
	UserAgent string // "" when there was none
}

// Why a line can't be read.
var (
	ErrFields  = errors.New("is not in the combined format: HOST ADDRESS - USER [TIME] \"REQUEST\" STATUS BYTES \"REFERRER\" \"USER AGENT\", where HOST may be missing")
	ErrAddress = errors.New("has no IP address where that of the client should be")
	ErrTime    = errors.New("has no time such as [10/Oct/2026:13:55:36 +0000]")
	ErrRequest = errors.New("has no request such as \"GET /pricing HTTP/1.1\"")
	ErrStatus  = errors.New("has no status such as 200")
)

// timeLayout is how servers write the time.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// Parse reads a line.
func Parse(text string) (Line, error) {
	var l Line
	before, rest, ok := strings.Cut(strings.TrimRight(text, "\r\n"), " [")
	if !ok {
		return Line{}, ErrFields
	}
	words := strings.Fields(before)
	// The user's name comes last and may have spaces: so the address is looked for where it
	// may stand.
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
		if l.Status >= 400 { // whatever was sent, the server didn't take it
			parts = []string{"-", "-"}
		} else {
			return Line{}, ErrRequest
		}
	}
	l.Method, l.Target = parts[0], parts[1]
	_, rest, ok = strings.Cut(rest, ` "`) // behind the number of bytes
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
	l.Referrer, l.UserAgent = given(referrer), given(agent)
	return l, nil
}

// hostOf is a virtual host as logs have it, without its port.
func hostOf(word string) string {
	host, _, _ := strings.Cut(word, ":")
	return given(strings.ToLower(host))
}

// given is "" for the dash that stands for nothing.
func given(text string) string {
	if text == "-" {
		return ""
	}
	return text
}

// quoted reads up to the quotation mark that ends a text, and returns what is behind it.
// Servers write \" and \x22 for one in the text.
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

// Reason says why a line that could be read is no view.
type Reason string

// The reasons.
const (
	Method Reason = "method" // not a GET
	Status Reason = "status" // not answered with the page: neither 200 nor 304
	Asset  Reason = "asset"  // of a path that is not like a page's
)

// NoView says why a line is no view of a page; "" when it is one.
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

// isPage tells whether a request is for what looks like a page: a path without an
// extension, or with one that pages have.
func isPage(target string) bool {
	p, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(p, "/") {
		return false
	}
	switch extension := strings.ToLower(path.Ext(p)); extension {
	case "", ".", ".html", ".htm", ".xhtml", ".shtml", ".php", ".asp", ".aspx", ".jsp", ".do", ".cgi":
		return true
	default:
		// A version or a name such as /about/v1.2 or /john.doe is no extension of a file:
		// those are short, and begin with a letter.
		return len(extension) > 6 || extension[1] >= '0' && extension[1] <= '9' && extension != ".7z" && extension != ".3gp"
	}
}
