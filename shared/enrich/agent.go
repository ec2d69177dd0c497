package enrich

import (
	"strings"

	"github.com/mileusna/useragent"
)

// Agent is what a user agent string says. Empty means not known.
type Agent struct {
	Browser        string // e.g. "Chrome"
	BrowserVersion string // major
	OS             string // e.g. "macOS"
	OSVersion      string // major
	Device         string // Desktop, Mobile, Tablet
	Bot            bool   // a program that says that it is one
}

// The values of a device.
const (
	Desktop = "Desktop"
	Mobile  = "Mobile"
	Tablet  = "Tablet"
)

// ReadAgent reads a User-Agent header.
func ReadAgent(header string) Agent {
	ua := useragent.Parse(header)
	a := Agent{
		Browser:        browserName(ua.Name),
		BrowserVersion: major(ua.Version),
		OS:             ua.OS,
		OSVersion:      major(ua.OSVersion),
		Bot:            ua.Bot || automated(header),
	}
	switch {
	case ua.Tablet:
		a.Device = Tablet
	case ua.Mobile:
		a.Device = Mobile
	case ua.Desktop:
		a.Device = Desktop
	}
	if a.OS == "" {
		a.Browser, a.BrowserVersion = known(a.Browser, a.BrowserVersion)
	}
	return a
}

// browserName gives the names that people use to what the library tells apart.
func browserName(name string) string {
	switch name {
	case "Headless Chrome":
		return "Chrome"
	default:
		return name
	}
}

// known drops what the library took for a browser's name when nothing else of the
// header was understood: it may be any text.
func known(browser, version string) (string, string) {
	switch browser {
	case useragent.Chrome, useragent.Firefox, useragent.Safari, useragent.Edge, useragent.Opera:
		return browser, version
	default:
		return "", ""
	}
}

// automated knows the tools that the library takes for browsers.
func automated(header string) bool {
	h := strings.ToLower(header)
	for _, mark := range []string{"bot/", "crawler", "spider", "curl/", "wget/", "python-requests", "go-http-client", "phantomjs"} {
		if strings.Contains(h, mark) {
			return true
		}
	}
	return false
}

// major is the leading number of a version, and "" for what is none.
func major(version string) string {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		version = version[:end]
	}
	return version[:min(len(version), 4)]
}
