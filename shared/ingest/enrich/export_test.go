package enrich

import (
	"errors"
	"slices"
)

// ParseNetworks is exported for fuzzing without a file.
var ParseNetworks = parseNetworks

// ListedTwice returns the hosts, apps and names of the list of referrers that our own sources
// have under another name.
func ListedTwice() (twice []string, err error) {
	var own, listed []knownSource
	err = errors.Join(read("sources.json", &own), read("referrers.json", &listed))
	s, indexed := indexSources(own, nil)
	kinds := map[string]kind{}
	for _, k := range slices.Concat(own, listed) {
		if k.Name == "" {
			continue
		}
		if before, ok := kinds[k.Name]; ok && before != k.Kind {
			twice = append(twice, k.Name)
		}
		kinds[k.Name] = k.Kind
	}
	for _, k := range listed {
		for _, host := range k.Hosts {
			if found := s.find(host); found != nil && found != &s.webmail {
				twice = append(twice, host)
			}
		}
		if l, ok := s.name(squash(plain(k.Name))); ok && l.source.Name != k.Name && !l.paid {
			twice = append(twice, k.Name)
		}
	}
	return twice, errors.Join(err, indexed)
}
