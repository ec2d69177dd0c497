package mask

// cards masks the numbers of payment cards.
func (v *view) cards() {
	for i := 0; i < len(v.text); {
		if !isDigit(v.text[i]) {
			i++
			continue
		}
		if end := v.card(i); end > 0 && v.begins(i) {
			v.mask(i, end, Card)
			i = end
			continue
		}
		i = v.while(i, isDigit)
	}
}

// begins reports whether a number that begins at a place is not part of a word or of a
// decimal fraction.
func (v *view) begins(i int) bool {
	return !isWord(v.byteAt(i-1)) && (v.byteAt(i-1) != '.' || !isDigit(v.byteAt(i-2)))
}

// printed returns the lengths of the groups in which numbers of cards are printed.
func printed() [8][]int {
	return [8][]int{{14}, {15}, {16}, {19}, {4, 4, 4, 4, 3}, {4, 4, 4, 4}, {4, 6, 5}, {4, 6, 4}}
}

// card returns the end of the number of a card that begins at a place, or 0 if none does.
func (v *view) card(i int) int {
	for _, groups := range printed() {
		var digits [19]byte
		if end, n := v.groups(i, groups, &digits); end > 0 && issued(digits[:n]) && luhn(digits[:n]) {
			return end
		}
	}
	return 0
}

// groups reads groups of digits with one and the same separator between them. It returns
// where they end, or 0 if they are not there, and how many digits they have.
func (v *view) groups(i int, lengths []int, digits *[19]byte) (end, n int) {
	separator := byte(0)
	for g, length := range lengths {
		if g > 0 {
			switch c := v.byteAt(i); {
			case i >= len(v.text), c != ' ' && c != '-' && c != '+' && c != '_', separator != 0 && c != separator:
				return 0, 0
			default:
				separator = c
			}
			i++
		}
		for range length {
			if !isDigit(v.byteAt(i)) {
				return 0, 0
			}
			digits[n] = v.text[i] - '0'
			n++
			i++
		}
	}
	if isWord(v.byteAt(i)) || v.byteAt(i) == '.' && isDigit(v.byteAt(i+1)) {
		return 0, 0
	}
	return i, n
}

// issued reports whether a number is in a range of an issuer and has its length. The lengths
// that only few cards have are left out: numbers of 13 digits are those of articles, and of 17
// and 18 digits those of messages.
func issued(digits []byte) bool {
	prefix := 0
	for _, d := range digits[:4] {
		prefix = prefix*10 + int(d)
	}
	in := func(first, last int) bool { return first <= prefix && prefix <= last }
	switch len(digits) {
	case 14: // Diners Club
		return in(3000, 3059) || in(3600, 3699) || in(3800, 3999)
	case 15: // American Express
		return in(3400, 3499) || in(3700, 3799)
	case 16: // Visa, Mastercard, JCB, Maestro, Discover, UnionPay
		return in(4000, 4999) || in(5100, 5599) || in(2221, 2720) || in(3528, 3589) ||
			in(5018, 5018) || in(5020, 5020) || in(5038, 5038) || in(5893, 5893) || in(6304, 6304) || in(6759, 6759) || in(6761, 6763) ||
			in(6011, 6011) || in(6440, 6599) || in(6200, 6299)
	case 19: // Visa, UnionPay, Discover
		return in(4000, 4999) || in(6200, 6299) || in(6011, 6011) || in(6440, 6599)
	default:
		return false
	}
}

// luhn reports whether the last digit checks the others.
func luhn(digits []byte) bool {
	sum, double := 0, false
	for i := len(digits) - 1; i >= 0; i-- {
		d := int(digits[i])
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return sum%10 == 0
}
