package enrich

import (
	"cmp"
	"net/netip"
	"strings"
)

// Agent describes the visitor's browser and device. An empty field is unknown.
type Agent struct {
	Browser        string    // e.g. "Chrome"
	BrowserVersion string    // major version
	OS             string    // e.g. "macOS"
	OSVersion      string    // major version
	Device         string    // Desktop, Mobile, Tablet, TV, Console
	Bot            BotReason // why the request counts as a program's; "" for a person's
}

// The values of Device.
const (
	Desktop = "Desktop"
	Mobile  = "Mobile"
	Tablet  = "Tablet"
	TV      = "TV"
	Console = "Console"
)

// maxAgent is the number of bytes of a user agent that are read. Browsers send under 500.
const maxAgent = 1024

// program is an entry of data/agents.json: a browser, an app that shows pages, an operating
// system, or a device. It is recognized by any of its marks in a user agent. The first
// entry that matches counts.
type program struct {
	Name    string   `json:"name"`
	Marks   []string `json:"marks"`
	Version string   `json:"version"` // of a browser: what precedes its version, if the mark may not
	Brands  []string `json:"brands"`  // of a browser: its brands in Sec-CH-UA
	Device  string   `json:"device"`  // of a system: the device that it implies; "" for Desktop
}

// agents is the content of data/agents.json.
type agents struct {
	Browsers []program `json:"browsers"`
	Systems  []program `json:"systems"`
	Devices  []program `json:"devices"`
}

// Agent reads a User-Agent header, and the client hints, which are more precise where a
// browser sends them. For a program's request, only Bot is set.
func (e *Enricher) Agent(header string, hints Hints, address netip.Addr) (a Agent) {
	header = header[:min(len(header), maxAgent)]
	marks := e.marks.find(header)
	if a.Bot = e.bot(header, &marks, hints, address); a.Bot != "" {
		return a
	}
	system, browser := marks[systems], marks[browsers]
	if system.is != nil {
		a.OS, a.OSVersion = system.is.Name, systemVersion(system.is.Name, system.after)
		a.Device = device(system.is, marks[devices].is)
	}
	if browser.is != nil {
		a.Browser, a.BrowserVersion = browser.is.Name, browserVersion(header, browser)
	}
	e.refine(&a, hints)
	return a
}

// browserVersion returns the major version of a browser. It follows the text that the browser's
// entry names, as in "Opera/9.80 (Windows NT 6.1) Presto/2.12 Version/12.16", or else the mark.
func browserVersion(header string, browser match) string {
	if browser.is.Version != "" {
		if _, after, ok := strings.Cut(header, browser.is.Version); ok {
			return major(after)
		}
	}
	return major(browser.after)
}

// device returns the device: the named one, or else the one that the operating system
// implies. Every browser may say "Mobile", but only on Android does it mean a phone.
func device(system, named *program) string {
	if named != nil && (named.Name != Mobile || system.Name == "Android") {
		return named.Name
	}
	return cmp.Or(system.Device, Desktop)
}

// systemVersion returns the version of an operating system, given the text after its mark.
func systemVersion(system, after string) string {
	after = strings.TrimLeft(after, " /")
	switch system {
	case "Windows":
		switch version, _, _ := strings.Cut(after, ";"); strings.TrimRight(version, ") ") {
		case "10.0":
			return "10" // Windows 11 sends this too; only client hints distinguish them
		case "6.3":
			return "8.1"
		case "6.2":
			return "8"
		case "6.1":
			return "7"
		case "6.0":
			return "Vista"
		case "5.1", "5.2":
			return "XP"
		}
		return ""
	case "macOS", "iOS":
		// "Intel Mac OS X 10_15_7", "CPU iPhone OS 18_1 like Mac OS X"
		if _, version, ok := strings.Cut(after, "OS "); ok {
			return major(strings.TrimPrefix(version, "X "))
		}
		return ""
	case "Android", "HarmonyOS", "KaiOS", "Tizen", "Windows Phone":
		return major(after)
	default:
		return ""
	}
}

// major returns the leading number of a version, or "" if there is none.
func major(version string) string {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		version = version[:end]
	}
	return version[:min(len(version), 4)]
}
