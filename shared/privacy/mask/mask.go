// Package mask replaces what looks like personal data or a secret in texts that clients send:
// e-mail addresses, tokens and numbers of payment cards.
//
// It is pure, and its time is linear in the length of a text. Most texts hold nothing of the
// kind, which one look at each byte tells.
//
// It prefers a readable report to a perfect one: what has another usual meaning stays, such as
// a handle (@user@host), a version (pkg@1.2.3), a UUID, or an order number.
package mask

import "slices"

// Kinds is a set of what was masked.
type Kinds uint8

// The kinds of masked data.
const (
	Email Kinds = 1 << iota // an e-mail address
	Token                   // a token, a password or another secret
	Card                    // the number of a payment card
)

// Text masks a text: a path, an address, a title or any other value. It also recognises what
// is percent-encoded, even repeatedly, or written in full-width characters. It returns the
// text with [email], [token] and [card] in the place of what it has masked, and their kinds.
//
// If the masked text were longer than limit bytes and longer than the text, it would not fit
// where the text did; then the result is a replacement alone. A masked text does not change
// when it is masked again.
func Text(text string, limit int) (masked string, kinds Kinds) {
	if !suspicious(text) {
		return text, 0
	}
	return apply(text, limit)
}

// apply masks a text, whether or not it is suspicious.
func apply(text string, limit int) (masked string, kinds Kinds) {
	v := decode(text)
	// What one of them masks the next ones don't see, as when the text is masked again.
	v.parameters()
	v.secrets()
	v.segments()
	v.cards()
	v.emails()
	if len(v.spans) == 0 {
		return text, 0
	}
	slices.SortFunc(v.spans, func(a, b span) int { return a.begin - b.begin })
	out, written := make([]byte, 0, len(text)+16), 0
	for _, s := range v.spans {
		out = append(out, text[written:v.at[s.begin]]...)
		out = append(out, s.kind.replacement()...)
		written = v.at[s.end]
		kinds |= s.kind
	}
	out = append(out, text[written:]...)
	if len(out) > max(limit, len(text)) {
		kinds = v.spans[0].kind
		return kinds.replacement(), kinds
	}
	return string(out), kinds
}

// replacement returns what stands in the place of data of one kind.
func (k Kinds) replacement() string {
	switch k {
	case Email:
		return "[email]"
	case Card:
		return "[card]"
	default:
		return "[token]"
	}
}

// The classes of the bytes of a text.
const (
	other  = ' ' // separates words
	lower  = 'l' // lower-case letter, or part of a letter that is not ASCII
	upper  = 'U' // upper-case letter
	digit  = '9' // decimal digit
	marked = '@' // @, = and %, and 0xef, which begins full-width characters
)

// classes has the class of each byte.
const classes = "" +
	"                                " +
	"     @          9999999999   @  " +
	"@UUUUUUUUUUUUUUUUUUUUUUUUUU     " +
	" llllllllllllllllllllllllll     " +
	"llllllllllllllllllllllllllllllll" +
	"llllllllllllllllllllllllllllllll" +
	"llllllllllllllllllllllllllllllll" +
	"lllllllllllllll@llllllllllllllll"

// What a text has at least, if it holds a secret or the number of a card.
const (
	fewestChanges = 3 // from letter to digit or back, inside words
	fewestUpper   = 6
	fewestDigits  = 14
)

// suspicious reports whether a text may hold something to mask.
func suspicious(text string) bool {
	var digits, uppers, changes int
	previous := byte(other)
	for i := range len(text) {
		c := classes[text[i]]
		if c == lower && previous == lower {
			continue
		}
		switch c {
		case marked:
			return true
		case upper:
			uppers++
		case digit:
			digits++
		}
		if previous != other && c != other && (previous == digit) != (c == digit) {
			changes++
		}
		previous = c
	}
	return changes >= fewestChanges || uppers >= fewestUpper || digits >= fewestDigits
}
