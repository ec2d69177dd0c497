// Package enrich turns what a request shows into what reports name: a user agent
// into browser, system and device, a referrer and a campaign into source and
// channel, an address into a place. What it knows stands in data/.
//
// It must never keep what it is given: no cache of addresses or user agents that
// outlives a call.
package enrich

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
)

//go:embed all:data
var data embed.FS

// Enricher holds the data that enrichment needs. It is safe for concurrent use.
type Enricher struct {
	sources sources
	places  *places
}

// Load reads the embedded data.
func Load() (*Enricher, error) {
	raw, err := data.ReadFile("data/sources.json")
	if err != nil {
		return nil, fmt.Errorf("read the embedded sources: %w", err)
	}
	var list []knownSource
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("read the embedded sources: %w", err)
	}
	country, err := fs.ReadFile(data, "data/country.mmdb")
	if err != nil {
		country = nil // built without it; see KnowsPlaces
	}
	places, err := openPlaces(country)
	if err != nil {
		return nil, err
	}
	return &Enricher{sources: indexSources(list), places: places}, nil
}

// KnowsPlaces tells whether the program was built with a database of places.
// Without it every place is unknown.
func (e *Enricher) KnowsPlaces() bool { return e.places != nil }
