package enrich

import "strings"

// hosts finds the source of a host or of a parent domain. It also holds the parents of all
// hosts, so that a search from the right ends at the first name that it does not hold.
type hosts map[string]domain

type domain struct {
	source *knownSource // nil for a mere parent
	alone  bool         // the subdomains are not the source
	parent bool         // there are longer names
}

// add adds a host of a source, which has its subdomains too unless it is alone.
func (h hosts) add(host string, source *knownSource, alone bool) error {
	d := h[host]
	if d.source != nil {
		return ambiguous(host)
	}
	d.source, d.alone = source, alone
	h[host] = d
	for _, name, ok := strings.Cut(host, "."); ok; _, name, ok = strings.Cut(name, ".") {
		d := h[name]
		d.parent = true
		h[name] = d
	}
	return nil
}

// find returns the source of the longest name of one at the end of a host, and the length of
// that name.
func (h hosts) find(host string) (source *knownSource, length int) {
	for dot := len(host); dot > 0; {
		dot = strings.LastIndexByte(host[:dot], '.')
		d, ok := h[host[dot+1:]]
		if !ok {
			break
		}
		if d.source != nil && (dot < 0 || !d.alone) {
			source, length = d.source, len(host)-dot-1
		}
		if !d.parent {
			break
		}
	}
	return source, length
}
