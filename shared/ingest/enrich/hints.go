package enrich

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
)

// Hints are the client hints of a browser. A field is empty if the header was not sent.
type Hints struct {
	Brands          string // Sec-CH-UA
	Mobile          string // Sec-CH-UA-Mobile
	Platform        string // Sec-CH-UA-Platform
	PlatformVersion string // Sec-CH-UA-Platform-Version, sent only to servers that request it
	Purpose         string // Sec-Purpose, Purpose or X-Moz: why a page is loaded ahead
}

// ReadHints reads the hints from a request's headers. The names are in net/http's canonical
// form, which spares Header.Get's conversion.
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

// refine corrects what user agents hide: Brave and others claim to be Chrome, Windows 11
// claims to be Windows 10, and every macOS claims to be 10.15.7.
func (e *Enricher) refine(a *Agent, h Hints) {
	if a.Browser == "Chrome" {
		if name, version := e.brand(h.Brands); name != "" {
			a.Browser, a.BrowserVersion = name, cmp.Or(version, a.BrowserVersion)
		}
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

// brand returns the browser that Sec-CH-UA names beside its engine, and its major version:
// `"Chromium";v="131", "Brave";v="131", "Not_A Brand";v="24"`. The name is "" for Chrome and
// for unknown ones.
func (e *Enricher) brand(brands string) (name, version string) {
	for {
		_, after, _ := strings.Cut(brands, `"`)
		brand, after, ok := strings.Cut(after, `"`)
		if !ok {
			return "", ""
		}
		version = ""
		if rest, ok := strings.CutPrefix(after, `;v="`); ok {
			version, after, _ = strings.Cut(rest, `"`)
		}
		if name := e.brands[brand]; name != "" {
			return name, major(version)
		}
		brands = after
	}
}
