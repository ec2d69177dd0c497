package enrich

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Place is the location of an address. An empty field is unknown.
type Place struct {
	Country string // ISO 3166-1 alpha-2
	Region  string // ISO 3166-2, e.g. "GB-ENG"
	City    string // English name
}

type places struct{ reader *maxminddb.Reader }

func openPlaces(database []byte) (*places, error) {
	reader, err := maxminddb.OpenBytes(database)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &places{reader}, nil
}

// placeRecord is a record of MaxMind's and DB-IP's databases, or a flat one of
// ip-location-db's.
type placeRecord struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	City any    `maxminddb:"city"` // an object with names, or a string in a flat record
	Flat string `maxminddb:"country_code"`
}

func (p *places) find(address netip.Addr) Place {
	var record placeRecord
	if p == nil || p.reader.Lookup(address).Decode(&record) != nil {
		return Place{}
	}
	place := Place{Country: record.Country.Code}
	if place.Country == "" {
		place.Country = record.Flat
	}
	if place.Country != "" && len(record.Subdivisions) > 0 && record.Subdivisions[0].Code != "" {
		place.Region = place.Country + "-" + record.Subdivisions[0].Code
	}
	switch city := record.City.(type) {
	case string:
		place.City = city
	case map[string]any:
		names, _ := city["names"].(map[string]any)
		place.City, _ = names["en"].(string)
	}
	return place
}

// Place returns the location of an address. The operator's database takes precedence.
func (e *Enricher) Place(address netip.Addr) Place {
	if !address.IsValid() {
		return Place{}
	}
	address = address.Unmap()
	if e.own != nil {
		if place := e.own.current.Load().find(address); place.Country != "" {
			return place
		}
	}
	return e.places.find(address)
}

// SampleType is the type of the sample database, which programs embed that are built
// without the tag countries.
const SampleType = "Sample-Country"

// NoCountries is the log message of a program with the sample database.
const NoCountries = "built without the country database, so countries are unknown except for a few test networks: build with make"

// LogPlaces logs which databases of places are in use. Programs call it at the start.
func (e *Enricher) LogPlaces(ctx context.Context, log *slog.Logger) {
	if embedded := e.places.reader.Metadata; embedded.DatabaseType == SampleType {
		log.WarnContext(ctx, NoCountries)
	} else {
		log.InfoContext(ctx, "country database", "of", embedded.BuildTime().UTC().Format(time.DateOnly))
	}
	if e.own != nil {
		own := e.own.current.Load().reader.Metadata
		log.InfoContext(ctx, "operator's database of places", "type", own.DatabaseType, "of", own.BuildTime().UTC().Format(time.DateOnly))
	}
}

// ownPlaces is the operator's database. It is read into memory as a whole, so that
// overwriting the file in place does not break readers.
type ownPlaces struct {
	path    string
	current atomic.Pointer[places]

	mu       sync.Mutex
	modified time.Time
	size     int64
}

func (o *ownPlaces) refresh() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	info, err := os.Stat(o.path)
	if err != nil {
		return fmt.Errorf("stat the database of places: %w", err)
	}
	if info.ModTime().Equal(o.modified) && info.Size() == o.size {
		return nil
	}
	raw, err := os.ReadFile(o.path)
	if err != nil {
		return fmt.Errorf("read the database of places: %w", err)
	}
	opened, err := openPlaces(raw)
	if err != nil {
		return fmt.Errorf("%s is not a database in MaxMind's format (.mmdb)", o.path)
	}
	if kind := opened.reader.Metadata.DatabaseType; !hasPlaces(kind) {
		return fmt.Errorf("%s has the type %q: a city or country database is needed", o.path, kind)
	}
	o.current.Store(opened)
	o.modified, o.size = info.ModTime(), info.Size()
	return nil
}

func hasPlaces(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.Contains(kind, "city") || strings.Contains(kind, "country") || strings.Contains(kind, "enterprise")
}
