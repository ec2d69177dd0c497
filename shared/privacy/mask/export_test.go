package mask

// What only tests use.
var (
	Apply    = apply
	Prefixes = prefixes
)
