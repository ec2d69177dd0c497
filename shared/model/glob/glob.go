// Package glob matches patterns of pages. A star matches any run of characters without a
// slash, two stars match any run; everything else matches itself, and case matters.
package glob

import (
	"math/bits"
	"strings"
)

// MaxStars is how many stars a pattern should have at most; two in a row are one. The time
// to match a page is about its length times the number of stars.
const MaxStars = 10

// Stars returns how many stars a pattern has; two in a row are one.
func Stars(pattern string) (n int) {
	for at := 0; at < len(pattern); at++ {
		if pattern[at] == '*' {
			n++
			at += starsAt(pattern, at) - 1
		}
	}
	return n
}

// Match reports whether a pattern matches a whole page. It takes no memory: anyone may send
// pages, and a site has many patterns.
func Match(pattern, page string) bool {
	// Nearly every pattern begins like no other, so nearly every page ends here.
	start := strings.IndexByte(pattern, '*')
	if start < 0 {
		return pattern == page
	}
	if !strings.HasPrefix(page, pattern[:start]) {
		return false
	}
	var buffers [2][16]uint64 // for the patterns that validation accepts
	live, next := positions(buffers[0][:]), positions(buffers[1][:])
	if size := len(pattern)/64 + 1; size > len(live) {
		live, next = make(positions, size), make(positions, size)
	}
	live.add(pattern, start)
	for i := start; i < len(page); i++ {
		clear(next)
		alive := false
		for word, set := range live {
			for ; set != 0; set &= set - 1 {
				at := 64*word + bits.TrailingZeros64(set)
				switch {
				case at == len(pattern): // nothing may follow
				case pattern[at:] == "**":
					return true
				case pattern[at] != '*':
					if pattern[at] == page[i] {
						next.add(pattern, at+1)
						alive = true
					}
				case page[i] != '/' || starsAt(pattern, at) == 2:
					next.add(pattern, at)
					alive = true
				}
			}
		}
		if !alive {
			return false
		}
		live, next = next, live
	}
	return live[len(pattern)/64]&(1<<(len(pattern)%64)) != 0
}

// starsAt returns whether one or two stars stand at a position that has one.
func starsAt(pattern string, at int) int {
	if strings.HasPrefix(pattern[at:], "**") {
		return 2
	}
	return 1
}

// positions is a set of positions in a pattern: those that the page so far can have reached.
type positions []uint64

// add adds a position, and those behind the stars that begin there, which may match nothing.
func (p positions) add(pattern string, at int) {
	for {
		p[at/64] |= 1 << (at % 64)
		if at == len(pattern) || pattern[at] != '*' {
			return
		}
		at += starsAt(pattern, at)
	}
}
