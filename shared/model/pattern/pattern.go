// Package pattern compiles the regular expressions that people send, within a budget.
//
// A short text can be a large program: x{1000} repeated ten times is one of 10,000
// instructions. So an expression is measured before it is compiled. Its size is the number
// of instructions, to which its character classes add. That bounds the memory it takes, and
// the time of a match, which package regexp can't interrupt: about ten nanoseconds per unit
// of size and byte of the text.
//
// It is pure.
package pattern

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// MaxSize is the size that all expressions of a question may have together. The longest
// texts have 2 KB, so a match takes some ten milliseconds at most.
const MaxSize = 2000

// ErrTooLarge is the error for an expression that is valid, but larger than what is left of
// a budget.
var ErrTooLarge = errors.New("the regular expression is too large")

// Budget bounds the size of several expressions together. The zero value has room for none.
type Budget struct{ left int }

// NewBudget returns a budget of a size.
func NewBudget(size int) Budget { return Budget{size} }

// Compile compiles an expression in the syntax of package regexp, and takes its size from
// the budget. The error is ErrTooLarge, or one of package regexp/syntax.
func (b *Budget) Compile(expression string) (*regexp.Regexp, error) {
	// Even parsing has a price, which is large for Unicode classes: some ten milliseconds for a
	// few hundred of them.
	classes := strings.Count(expression, `\p`) + strings.Count(expression, `\P`)
	if b.left -= len(expression)/bytesPerUnit + classes*unitsPerClass; b.left < 0 {
		return nil, ErrTooLarge
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if b.left -= size(parsed); b.left < 0 {
		return nil, ErrTooLarge
	}
	return regexp.Compile(expression)
}

const (
	// bytesPerUnit is how many bytes of an expression add 1 to its size.
	bytesPerUnit = 10
	// unitsPerClass is how much a Unicode class such as \pL adds.
	unitsPerClass = 20
	// runesPerUnit is how many bounds of the ranges of a character class add 1.
	runesPerUnit = 64
)

// size returns the size of an expression, before it is simplified, which multiplies what is
// repeated. The parser has refused repetitions of more than 1,000 and trees of more than
// 1,000 levels.
func size(e *syntax.Regexp) int {
	inner := 0
	for _, sub := range e.Sub {
		inner += size(sub)
	}
	switch e.Op {
	case syntax.OpLiteral:
		return max(1, len(e.Rune))
	case syntax.OpCharClass:
		return 1 + len(e.Rune)/runesPerUnit
	case syntax.OpCapture, syntax.OpStar:
		return inner + 2
	case syntax.OpPlus, syntax.OpQuest:
		return inner + 1
	case syntax.OpAlternate:
		return inner + len(e.Sub) - 1
	case syntax.OpRepeat:
		if e.Max < 0 { // x{2,} is xx+, and x{0,} is x*
			return max(1, e.Min)*inner + 2
		}
		return max(1, e.Max*inner+e.Max-e.Min) // x{2,4} is xx(x(x)?)?
	default:
		return max(1, inner)
	}
}
