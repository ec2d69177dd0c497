// Package enrich turns what a request shows into what reports name: a user agent
// and client hints into browser, system and device, or into the reason why it is a
// program's; a referrer and a campaign into source and channel; an address into a
// place. What it knows stands in data/; docs/enrichment.md says from where.
//
// It must never keep what it is given: no cache of addresses or user agents that
// outlives a call.
package enrich

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"

	"go4.org/netipx"
)

//go:embed data/*.json
var data embed.FS

// Files are what an operator may add to the embedded data, by path. Empty is none.
type Files struct {
	Places      string // a database of cities or countries, in MaxMind's format
	Datacenters string // networks of which programs send, one a line
}

// Enricher holds the data that enrichment needs. It is safe for concurrent use.
type Enricher struct {
	marks       *marks
	datacenters *netipx.IPSet // nil when there are none
	sources     sources
	places      *places
	own         *ownPlaces
}

// Load reads the embedded data and the operator's files. A file that can't be used is
// an error that names it, and the variable by which operators know it.
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
	e.sources = indexSources(referrers, sources)
	if e.places, err = openPlaces(countries); err != nil {
		return nil, fmt.Errorf("read the embedded database of countries: %w", err)
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
	for of, known := range [][]program{browsers: agents.Browsers, systems: agents.Systems, devices: agents.Devices} {
		for _, p := range known {
			if err := m.add(list(of), p.Name, p.Marks...); err != nil {
				return nil, err
			}
		}
	}
	return m, errors.Join(m.add(headless, "headless", bots.Headless...), m.add(programs, "program", append(bots.Programs, crawlers...)...))
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

// Refresh reads the operator's database of places again if the file has changed. When
// it can't be used, what was read before stays in use.
func (e *Enricher) Refresh() error {
	if e.own == nil {
		return nil
	}
	return e.own.refresh()
}
