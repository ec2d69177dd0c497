package enrich

// ParseNetworks is for fuzzing: from outside it takes a file.
var ParseNetworks = parseNetworks
