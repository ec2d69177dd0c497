// Package validation defines the error for an invalid value, from a tracker, a user or an
// operator. Packages that know the rule return it; only the HTTP layer turns it into a
// problem document (see problem.Of).
package validation

// Error names an invalid field and describes a valid value. It never contains the value
// itself, which may be personal data or a secret.
type Error struct {
	Field  string // dotted path of the field, such as props.plan; empty for the document as a whole
	Code   string // stable name of the rule, such as too_long; may be empty
	Detail string // description of a valid value, without the field, such as "must be a string, not a number"
}

// New returns an Error without a code.
func New(field, detail string) *Error { return &Error{Field: field, Detail: detail} }

// Error returns the field and the detail on one line.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

// The codes of rules. The meaning of a released code never changes.
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
