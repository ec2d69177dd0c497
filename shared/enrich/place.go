package enrich

import (
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Place is where an address is used. Empty means not known.
type Place struct {
	Country string // ISO 3166-1 alpha-2
}

type places struct{ reader *maxminddb.Reader }

func openPlaces(database []byte) (*places, error) {
	if database == nil {
		return nil, nil
	}
	reader, err := maxminddb.OpenBytes(database)
	if err != nil {
		return nil, fmt.Errorf("read the embedded database of countries: %w", err)
	}
	return &places{reader}, nil
}

// Place says where an address is used. It is the last that sees the address.
func (e *Enricher) Place(address netip.Addr) Place {
	if e.places == nil || !address.IsValid() {
		return Place{}
	}
	var record struct {
		Code string `maxminddb:"country_code"`
	}
	if err := e.places.reader.Lookup(address).Decode(&record); err != nil {
		return Place{}
	}
	return Place{Country: record.Code}
}
