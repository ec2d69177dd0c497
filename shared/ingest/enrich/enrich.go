// Package enrich derives the dimensions of reports from a request: browser, operating
// system and device from the user agent and client hints, or the reason why the request is
// a program's; source and channel from the referrer and the campaign; the place from the
// address. Its data is in data/; docs/enrichment.md lists the origins.
//
// It must never store its arguments: no cache of addresses or user agents may outlive a
// call.
package enrich

import (
	"embed"
	"encoding/json"
	"fmt"

	"go4.org/netipx"
)

//go:embed data/*.json
var data embed.FS

// Files are the paths of an operator's additions to the embedded data; "" for none.
type Files struct {
	Places      string // a city or country database in MaxMind's format
	Datacenters string // networks of datacenters, one per line
}

// Enricher holds the data that enrichment needs. It is safe for concurrent use.
type Enricher struct {
	marks       *marks
	brands      map[string]string // browsers by their brands in Sec-CH-UA
	datacenters *netipx.IPSet     // nil if there are none
	sources     *sources
	places      *places
	own         *ownPlaces
}

// Load reads the embedded data and the operator's files. The error about a file contains
// its path and the environment variable that sets it.
func Load(files Files) (*Enricher, error) {
	e := &Enricher{}
	var agents agents
	var crawlers []string
	var bots bots
	var referrers, sources []knownSource
	for name, into := range map[string]any{
		"agents.json": &agents, "crawlers.json": &crawlers, "bots.json": &bots, "referrers.json": &referrers, "sources.json": &sources,
	} {
		if err := read(name, into); err != nil {
			return nil, err
		}
	}
	var err error
	if e.marks, err = indexMarks(agents, bots, crawlers); err != nil {
		return nil, err
	}
	e.brands = indexBrands(agents.Browsers)
	if e.sources, err = indexSources(sources, referrers); err != nil {
		return nil, err
	}
	if e.places, err = openPlaces(countries); err != nil {
		return nil, fmt.Errorf("read the embedded country database: %w", err)
	}
	if files.Datacenters != "" {
		if e.datacenters, err = readNetworks(files.Datacenters); err != nil {
			return nil, fmt.Errorf("DATACENTER_NETWORKS: %w", err)
		}
	}
	if files.Places != "" {
		e.own = &ownPlaces{path: files.Places}
		if err := e.own.refresh(); err != nil {
			return nil, fmt.Errorf("GEO_DATABASE: %w", err)
		}
	}
	return e, nil
}

func indexMarks(agents agents, bots bots, crawlers []string) (*marks, error) {
	m := newMarks()
	for of, known := range [lists][]program{
		browsers: agents.Browsers,
		systems:  agents.Systems,
		devices:  agents.Devices,
		headless: {{Name: "headless", Marks: bots.Headless}},
		programs: {{Name: "program", Marks: append(bots.Programs, crawlers...)}},
	} {
		for i := range known {
			if err := m.add(list(of), &known[i]); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// indexBrands returns the browsers by their brands in Sec-CH-UA.
func indexBrands(browsers []program) map[string]string {
	names := map[string]string{}
	for _, b := range browsers {
		for _, brand := range b.Brands {
			names[brand] = b.Name
		}
	}
	return names
}

func read(name string, into any) error {
	raw, err := data.ReadFile("data/" + name)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return fmt.Errorf("read the embedded %s: %w", name, err)
	}
	return nil
}

// Refresh reloads the operator's database of places if the file has changed. After an
// error, the previous database stays in use.
func (e *Enricher) Refresh() error {
	if e.own == nil {
		return nil
	}
	return e.own.refresh()
}
