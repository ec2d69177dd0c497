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

// Place is where an address is used. Empty means not known.
type Place struct {
	Country string // ISO 3166-1 alpha-2
	Region  string // ISO 3166-2, e.g. "GB-ENG"
	City    string // its English name
}

type places struct{ reader *maxminddb.Reader }

func openPlaces(database []byte) (*places, error) {
	reader, err := maxminddb.OpenBytes(database)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &places{reader}, nil
}

// placeRecord is a record of MaxMind's and DB-IP's databases, and the flat one of
// ip-location-db's.
type placeRecord struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	City any    `maxminddb:"city"` // an object with names, or flat a text
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

// Place says where an address is used, by the operator's database first. It is the
// last that sees the address.
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

// SampleType is the type of the database of countries that a program has which was built
// without the real one.
const SampleType = "Sample-Country"

// NoCountries is what the log of such a program says.
const NoCountries = "this program was built without the database of countries, and knows a few networks for tests alone: build it with make"

// LogPlaces says which data of places there is. It is for the start of a program.
func (e *Enricher) LogPlaces(ctx context.Context, log *slog.Logger) {
	if embedded := e.places.reader.Metadata; embedded.DatabaseType == SampleType {
		log.WarnContext(ctx, NoCountries)
	} else {
		log.InfoContext(ctx, "the database of countries", "of", embedded.BuildTime().UTC().Format(time.DateOnly))
	}
	if e.own != nil {
		own := e.own.current.Load().reader.Metadata
		log.InfoContext(ctx, "the database of places", "type", own.DatabaseType, "of", own.BuildTime().UTC().Format(time.DateOnly))
	}
}

// ownPlaces is the operator's database. It is read into memory whole: a file that is
// overwritten in place, not replaced, must not harm those who read it.
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
		return fmt.Errorf("look at the database of places: %w", err)
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
		return fmt.Errorf("%s is no database in MaxMind's format (.mmdb)", o.path)
	}
	if kind := opened.reader.Metadata.DatabaseType; !ofPlaces(kind) {
		return fmt.Errorf("%s is a database of the type %q: one of cities or countries is needed", o.path, kind)
	}
	o.current.Store(opened)
	o.modified, o.size = info.ModTime(), info.Size()
	return nil
}

func ofPlaces(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.Contains(kind, "city") || strings.Contains(kind, "country") || strings.Contains(kind, "enterprise")
}
