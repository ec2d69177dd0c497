package weburl

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Canonical returns the one form of a path, which is the one that people read. It takes every
// spelling of the path, and its own result.
//
// Spellings are equal if RFC 3986, section 6.2.2, says so: an escape stands for its character,
// and its digits have no case, except that an escaped delimiter, such as the slash in /a%2Fb, is
// another one than the delimiter. So escapes are decoded, unless they stand for a delimiter, for
// a character that nobody sees, or for no UTF-8. A percent sign stands for itself unless two
// hexadecimal digits follow.
func Canonical(path string) string {
	return canonical(path, utf8.AppendRune)
}

// CanonicalPattern is Canonical for a regular expression, in which a decoded character must
// stand for itself.
func CanonicalPattern(expression string) string {
	return canonical(expression, func(out []byte, c rune) []byte { return append(out, regexp.QuoteMeta(string(c))...) })
}

func canonical(path string, decoded func([]byte, rune) []byte) string {
	if isCanonical(path) {
		return path
	}
	const percent = 0 // stands in for a percent sign that is none of an escape, until it is known what follows
	out := make([]byte, 0, len(path))
	for rest := path; rest != ""; {
		if _, ok := escape(rest); !ok {
			c, size := utf8.DecodeRuneInString(rest)
			switch {
			case c == '%':
				out = append(out, percent)
			case c == utf8.RuneError && size == 1, isInvisible(c):
				out = appendEscapes(out, rest[:size])
			default:
				out = append(out, rest[:size]...)
			}
			rest = rest[size:]
			continue
		}
		var bytes []byte
		for b, ok := escape(rest); ok; b, ok = escape(rest) {
			bytes, rest = append(bytes, b), rest[3:]
		}
		for len(bytes) > 0 {
			c, size := utf8.DecodeRune(bytes)
			switch {
			case c == '%':
				out = append(out, percent)
			case c == utf8.RuneError && size == 1, isInvisible(c), isDelimiter(c):
				out = appendEscapes(out, string(bytes[:size]))
			default:
				out = decoded(out, c)
			}
			bytes = bytes[size:]
		}
	}
	result := make([]byte, 0, len(out)+8)
	for i, c := range out {
		if c != percent {
			result = append(result, c)
			continue
		}
		result = append(result, '%')
		if _, ok := escape("%" + string(out[i+1:min(i+3, len(out))])); ok {
			result = append(result, "25"...)
		}
	}
	return string(result)
}

// isCanonical reports quickly that a path has its form. It reports false for others and for a few
// that have it.
func isCanonical(path string) bool {
	for i := range len(path) {
		if c := path[i]; c == '%' || c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// isDelimiter reports whether a character may delimit parts of an address: those that RFC 3986
// reserves, but for the brackets, which browsers don't escape and paths are not divided by;
// and the backslash, which browsers take for a slash.
func isDelimiter(c rune) bool { return strings.ContainsRune(`:/?#@!$&'()*+,;=\`, c) }

// isInvisible reports whether nobody sees a character, so that different paths would look alike:
// controls, breaks of lines, and marks that turn the direction of text.
func isInvisible(c rune) bool {
	switch {
	case c < ' ', c >= 0x7f && c < 0xa0,
		c == 0x061c, c == 0x200e, c == 0x200f, c >= 0x2028 && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0xfeff:
		return true
	default:
		return false
	}
}

func appendEscapes(out []byte, text string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		out = append(out, '%', digits[text[i]>>4], digits[text[i]&15])
	}
	return out
}
