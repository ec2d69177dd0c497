//go:build !countries

package enrich

import _ "embed" // for go:embed

// countries is the sample database, which is in Git so that a build and the tests need Go
// only. Releases are built with the tag countries.
//
//go:embed data/sample.mmdb
var countries []byte
