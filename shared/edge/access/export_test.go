package access

// CacheTTL is how long a credential is cached.
const CacheTTL = cacheTTL
