package enrich

import (
	"net/netip"
	"strings"
)

// Agent is what a request says of the visitor's program and machine. Empty means not
// known.
type Agent struct {
	Browser        string    // e.g. "Chrome"
	BrowserVersion string    // major
	OS             string    // e.g. "macOS"
	OSVersion      string    // major
	Device         string    // Desktop, Mobile, Tablet, TV, Console
	Bot            BotReason // by what it is known that a program sent the request; empty for a person's
}

// The values of a device.
const (
	Desktop = "Desktop"
	Mobile  = "Mobile"
	Tablet  = "Tablet"
	TV      = "TV"
	Console = "Console"
)

// maxAgent is how many bytes of a user agent are read: browsers send under 500.
const maxAgent = 1024

// program is what data/agents.json says of a browser, an app that shows pages, a
// system or a device: it is what a user agent means that holds one of the marks. The
// first that fits counts.
type program struct {
	Name  string   `json:"name"`
	Marks []string `json:"marks"`
}

// agents are the known programs.
type agents struct {
	Browsers []program `json:"browsers"`
	Systems  []program `json:"systems"`
	Devices  []program `json:"devices"`
}

// Agent reads a User-Agent header, and the client hints beside it, which know more
// where a browser sends them. Of a program's request only Bot is told.
func (e *Enricher) Agent(header string, hints Hints, address netip.Addr) (a Agent) {
	header = header[:min(len(header), maxAgent)]
	marks := e.marks.find(header)
	if a.Bot = e.bot(header, &marks, hints, address); a.Bot != "" {
		return a
	}
	a.OS = marks[systems].name
	if a.OS == "" {
		return a // any text may hold a browser's name
	}
	a.OSVersion = systemVersion(a.OS, marks[systems].behind)
	a.Browser, a.BrowserVersion = marks[browsers].name, major(marks[browsers].behind)
	a.Device = device(a.OS, marks[devices].name)
	hints.refine(&a)
	return a
}

// device is what a system runs on when the user agent names no device but, on phones with
// Android, "Mobile".
func device(system, named string) string {
	switch {
	case named != "" && (named != Mobile || system == "Android"):
		return named
	case system == "Android":
		return Tablet
	case system == "iOS" || system == "Windows Phone" || system == "KaiOS" || system == "HarmonyOS":
		return Mobile
	default:
		return Desktop
	}
}

// systemVersion reads the version behind the mark of a system.
func systemVersion(system, behind string) string {
	behind = strings.TrimLeft(behind, " /")
	switch system {
	case "Windows":
		switch version, _, _ := strings.Cut(behind, ";"); strings.TrimRight(version, ") ") {
		case "10.0":
			return "10" // 11 says so, too: only client hints tell them apart
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
		if _, version, ok := strings.Cut(behind, "OS "); ok {
			return major(strings.TrimPrefix(version, "X "))
		}
		return ""
	case "Android", "HarmonyOS", "KaiOS", "Tizen", "Windows Phone":
		return major(behind)
	default:
		return ""
	}
}

// major is the leading number of a version, and "" for what is none.
func major(version string) string {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		version = version[:end]
	}
	return version[:min(len(version), 4)]
}
