//go:build !countries

package enrich

import _ "embed" // for the database

// countries is a sample, which is in Git: so Go alone builds and tests everything. What is
// to be run is built with the tag countries.
//
//go:embed data/sample.mmdb
var countries []byte
