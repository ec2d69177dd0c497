package enrich

import "strings"

// Agent is what a request says of the visitor's program and machine. Empty means not
// known.
type Agent struct {
	Browser        string // e.g. "Chrome"
	BrowserVersion string // major
	OS             string // e.g. "macOS"
	OSVersion      string // major
	Device         string // Desktop, Mobile, Tablet, TV, Console
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

// find gives the first program with a mark in the user agent, and what stands behind
// the mark.
func find(list []program, header string) (name, behind string) {
	for i := range list {
		for _, mark := range list[i].Marks {
			if at := strings.Index(header, mark); at >= 0 {
				return list[i].Name, header[at+len(mark):]
			}
		}
	}
	return "", ""
}

// Agent reads a User-Agent header, and the client hints beside it, which know more
// where a browser sends them.
func (e *Enricher) Agent(header string, hints Hints) Agent {
	header = header[:min(len(header), maxAgent)]
	var a Agent
	var version string
	a.Browser, version = find(e.agents.Browsers, header)
	a.BrowserVersion = major(version)
	a.OS, version = find(e.agents.Systems, header)
	a.OSVersion = systemVersion(a.OS, version)
	if a.OS == "" {
		return Agent{} // any text may hold a browser's name
	}
	a.Device = e.device(a.OS, header)
	hints.refine(&a)
	return a
}

func (e *Enricher) device(system, header string) string {
	if device, _ := find(e.agents.Devices, header); device != "" {
		return device
	}
	switch system {
	case "iOS", "Windows Phone", "KaiOS", "HarmonyOS":
		return Mobile
	case "Android":
		if strings.Contains(header, "Mobile") {
			return Mobile
		}
		return Tablet
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
