// Package validation holds the one error for a value that breaks a rule, whoever
// sent it: a tracker, an analyst, an operator. Packages that know the rule return
// it, and only the HTTP edge turns it into a problem document (see problem.Of).
package validation

// Error says which field is wrong and what would be right. It never holds the value
// itself, which may be personal or a secret.
type Error struct {
	Field  string // dotted path of the field, such as props.plan; empty for the document as a whole
	Code   string // stable name of the rule, such as too_long; empty when the field says it all
	Detail string // what would be right, without the field, such as "must be a string, not a number"
}

// New returns an Error without a code.
func New(field, detail string) *Error { return &Error{Field: field, Detail: detail} }

// Error is the field and the detail in one line.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

// The codes that name a rule. Once released, a code never changes its meaning.
const (
	CodeRequired     = "required"
	CodeTooLong      = "too_long"
	CodeTooMany      = "too_many"
	CodeWrongType    = "wrong_type"
	CodeWrongValue   = "wrong_value"
	CodeUnknownField = "unknown_field"
	CodeUnknownSite  = "unknown_site"
	CodeMalformed    = "malformed"
	CodeOutOfRange   = "out_of_range"
)
