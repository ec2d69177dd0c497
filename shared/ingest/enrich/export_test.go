package enrich

// ParseNetworks is exported for fuzzing without a file.
var ParseNetworks = parseNetworks
