package pattern_test

import (
	"errors"
	"regexp/syntax"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/model/pattern"
)

func TestCompile(t *testing.T) {
	t.Parallel()
	for expression, fits := range map[string]bool{
		"":                                     true,
		"^/blog/[0-9]+$":                       true,
		`(?i)^/(de|fr)/\p{L}+/[^/]*$`:          true,
		strings.Repeat("a", 1000):              true,
		"x{1000}":                              true,
		"x{1000}x{1000}":                       false,
		"x{0,1000}y{0,1000}":                   false,
		"(?:x{100}){10}":                       true,
		"(?:xyz){1000}":                        false,
		"(?:(?:a|b|c|d|e)?f){300}":             true, // a class has size 1
		"(?:(?:ab|cd|ef)?f){300}":              false,
		".*(?:x?.?){500}":                      false,
		strings.Repeat("x{1000}", 142):         false,
		strings.Repeat(`\pL`, 333):             false,
		`[` + strings.Repeat(`\PL`, 332) + `]`: false,
		`[\x{0}-\x{10ffff}]{900}`:              true,
		`(?:[\pL\pN]|\pS{3}){2,40}`:            false,
		strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300): true,
	} {
		budget := pattern.NewBudget(pattern.MaxSize)
		compiled, err := budget.Compile(expression)
		if (compiled != nil) != fits || !fits && !errors.Is(err, pattern.ErrTooLarge) {
			t.Errorf("%.30q: got %v", expression, err)
		}
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{"(", "a{1001}", `\8`, "(?:a{100}){11}", "\xff"} {
		budget := pattern.NewBudget(pattern.MaxSize)
		_, err := budget.Compile(expression)
		if invalid, ok := errors.AsType[*syntax.Error](err); !ok {
			t.Errorf("%q: got %v, %v", expression, invalid, err)
		}
	}
}

// TestBudget checks that expressions add up.
func TestBudget(t *testing.T) {
	t.Parallel()
	budget := pattern.NewBudget(pattern.MaxSize)
	for n := range 30 {
		if _, err := budget.Compile("^x{99}$"); (err == nil) != (n < 19) {
			t.Fatalf("after %d expressions: %v", n, err)
		}
	}
	var none pattern.Budget
	if _, err := none.Compile("a"); !errors.Is(err, pattern.ErrTooLarge) {
		t.Errorf("without a budget: got %v", err)
	}
}

// TestSize compares the size of expressions with that of their programs: a budget of a size
// must not let a larger program pass.
func TestSize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		expression := drawExpression(t, 4)
		parsed, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			return
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		const ends = 3 // of every program: fail, match, and one that can't be reached
		budget := pattern.NewBudget(len(program.Inst) - ends - 1)
		if _, err := budget.Compile(expression); err == nil && len(program.Inst) > ends+1 {
			t.Fatalf("%q has %d instructions, and fits where there is room for fewer", expression, len(program.Inst))
		}
	})
}

// drawExpression draws an expression of some levels.
func drawExpression(t *rapid.T, levels int) string {
	if levels == 0 {
		return rapid.SampledFrom([]string{"a", "bcd", ".", `\d`, "[^/]", `\pL`, "(?i:ab)", "^", `\b`, ""}).Draw(t, "leaf")
	}
	inner := func() string { return drawExpression(t, levels-1) }
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return inner() + inner()
	case 1:
		return "(?:" + inner() + "|" + inner() + ")"
	case 2:
		return "(" + inner() + ")"
	case 3:
		return "(?:" + inner() + ")" + rapid.SampledFrom([]string{"*", "+", "?", "*?"}).Draw(t, "repeated")
	case 4:
		return "(?:" + inner() + ")" + rapid.SampledFrom([]string{"{3}", "{2,}", "{0,4}", "{2,5}", "{0}", "{1}"}).Draw(t, "repeated")
	default:
		return drawExpression(t, 0)
	}
}
