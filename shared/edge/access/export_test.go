package access

// CacheTTL is how long a credential is cached.
const CacheTTL = cacheTTL

// WhileValid is whileValid.
var WhileValid = whileValid
