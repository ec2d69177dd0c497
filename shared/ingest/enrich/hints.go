package enrich

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// Hints is what a browser says of itself beside its user agent, in headers. Empty
// means that it did not send the header.
type Hints struct {
	Brands          string // Sec-CH-UA
	Mobile          string // Sec-CH-UA-Mobile
	Platform        string // Sec-CH-UA-Platform
	PlatformVersion string // Sec-CH-UA-Platform-Version, sent only to who asked for it
	Purpose         string // Sec-Purpose, Purpose or X-Moz: why a page is loaded ahead
}

// ReadHints takes the hints from a request's headers. Their names are written as net/http
// keeps them, so that none has to be looked through.
func ReadHints(h http.Header) Hints {
	return Hints{
		Brands:          first(h["Sec-Ch-Ua"]),
		Mobile:          first(h["Sec-Ch-Ua-Mobile"]),
		Platform:        strings.Trim(first(h["Sec-Ch-Ua-Platform"]), `"`),
		PlatformVersion: strings.Trim(first(h["Sec-Ch-Ua-Platform-Version"]), `"`),
		Purpose:         cmp.Or(first(h["Sec-Purpose"]), first(h["Purpose"]), first(h["X-Moz"])),
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// refine sets what the user agent hides: Brave calls itself Chrome, Windows 11 calls
// itself 10, and macOS has been 10.15.7 for ever.
func (h Hints) refine(a *Agent) {
	if a.Browser == "Chrome" && strings.Contains(h.Brands, `"Brave"`) {
		a.Browser = "Brave"
	}
	if h.Platform != a.OS || h.PlatformVersion == "" {
		return
	}
	version := major(h.PlatformVersion)
	switch a.OS {
	case "Windows":
		// https://learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11
		if n, err := strconv.Atoi(version); err == nil && n >= 13 {
			a.OSVersion = "11"
		}
	case "macOS", "Android":
		if version != "" {
			a.OSVersion = version
		}
	}
}
