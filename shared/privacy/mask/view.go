package mask

import "strings"

// view is a text without its escapes: each percent-encoded byte is the byte, at whatever
// level it is encoded, and full-width characters are those of ASCII.
type view struct {
	text []byte
	at   []int // where each byte of text begins in the original, and where the original ends

	spans []span // what is masked; they don't overlap
}

// span is a part of a view that is masked.
type span struct {
	begin, end int
	kind       Kinds
}

// mask masks a part, which becomes bytes that belong to nothing.
func (v *view) mask(begin, end int, kind Kinds) {
	v.spans = append(v.spans, span{begin, end, kind})
	clear(v.text[begin:end])
}

func decode(original string) view {
	v := view{text: make([]byte, 0, len(original)), at: make([]int, 0, len(original)+1)}
	for i := 0; i < len(original); {
		c, length := unescape(original[i:])
		v.text, v.at = append(v.text, c), append(v.at, i)
		i += length
		v.narrow()
	}
	v.at = append(v.at, len(original))
	return v
}

// unescape returns the first byte of a text, which may be escaped, and the length of its
// escape: %40, %2540 and %252540 are all an @.
func unescape(text string) (c byte, length int) {
	if text[0] == '%' {
		n := 1
		for strings.HasPrefix(text[n:], "25") && n+3 < len(text) && isHex(text[n+2]) && isHex(text[n+3]) {
			n += 2
		}
		if n+1 < len(text) && isHex(text[n]) && isHex(text[n+1]) {
			return hex(text[n])<<4 | hex(text[n+1]), n + 2
		}
	}
	return text[0], 1
}

// narrow replaces a full-width character at the end, U+FF01 to U+FF5E, by that of ASCII.
func (v *view) narrow() {
	n := len(v.text) - 3
	if n < 0 || v.text[n] != 0xef {
		return
	}
	second, third := v.text[n+1], v.text[n+2]
	switch {
	case second == 0xbc && 0x81 <= third && third <= 0xbf:
		v.text[n] = third - 0x80 + 0x20
	case second == 0xbd && 0x80 <= third && third <= 0x9e:
		v.text[n] = third - 0x80 + 0x60
	default:
		return
	}
	v.text, v.at = v.text[:n+1], v.at[:n+1]
}

// byteAt returns the byte at a place, or a space before and after the text.
func (v *view) byteAt(i int) byte {
	if i < 0 || i >= len(v.text) {
		return ' '
	}
	return v.text[i]
}

// plain reports whether the byte at a place is not escaped.
func (v *view) plain(i int) bool { return v.at[i+1]-v.at[i] == 1 }

// while returns the end of the bytes of a kind that begin at a place.
func (v *view) while(i int, is func(byte) bool) int {
	for i < len(v.text) && is(v.text[i]) {
		i++
	}
	return i
}

// before returns the beginning of the bytes of a kind that end before a place.
func (v *view) before(i int, is func(byte) bool) int {
	for i > 0 && is(v.text[i-1]) {
		i--
	}
	return i
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isWord(c byte) bool { return isDigit(c) || isLetter(c) }
