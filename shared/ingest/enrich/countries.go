//go:build countries

package enrich

import _ "embed" // for the database

// countries is the database of countries, which `make` puts there. A slice, since a file of
// an embed.FS would be in memory twice.
//
//go:embed data/country.mmdb
var countries []byte
