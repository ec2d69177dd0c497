//go:build countries

package enrich

import _ "embed" // for go:embed

// countries is the country database, which `make` downloads. It is a slice, since a file of
// an embed.FS would be in memory twice.
//
//go:embed data/country.mmdb
var countries []byte
