package columns

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// byFrequency returns the column with its values sorted by the number of rows that have
// them, the most frequent first. The first value remains ""; unused values are removed.
func (t Text) byFrequency() Text {
	counts := make([]int, len(t.Values))
	for _, n := range t.Index {
		counts[n]++
	}
	order := make([]uint32, 1, len(t.Values))
	for n := 1; n < len(t.Values); n++ {
		if counts[n] > 0 {
			order = append(order, uint32(n))
		}
	}
	slices.SortFunc(order[1:], func(a, b uint32) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(t.Values[a], t.Values[b]))
	})
	out := Text{Values: make([]string, len(order)), Index: make([]uint32, len(t.Index))}
	numbers := make([]uint32, len(t.Values))
	for i, n := range order {
		out.Values[i], numbers[n] = t.Values[n], uint32(i)
	}
	for row, n := range t.Index {
		out.Index[row] = numbers[n]
	}
	return out
}

// encodeText returns the piece of a column of texts. It is not needed if the column equals
// its prediction.
func encodeText(d *Day, c Column) (out []byte, needed bool) {
	text, from := d.texts[c], d.texts[c.predictedFrom()]
	switch {
	case c.fromEvent():
		return encodeTextOf(text, from, d.predictFromEvents(c))
	case c.predictedFrom() != "":
		return encodeTextBy(text, from)
	default:
		out = appendValues([]byte{kindText}, text.Values[1:])
		return appendChoices(out, text.Index, len(text.Values)), len(text.Values) > 1
	}
}

// encodeTextBy predicts that a row has the same text as the previous row that has the same
// text in the source column.
func encodeTextBy(text, from Text) (out []byte, needed bool) {
	latest := make([]uint32, len(from.Values))
	choices := make([]uint32, len(text.Index))
	for row, n := range text.Index {
		if prediction := &latest[from.Index[row]]; *prediction != n {
			*prediction, choices[row] = n, n+1
			needed = true
		}
	}
	out = appendValues([]byte{kindTextBy}, text.Values[1:])
	return appendChoices(out, choices, len(text.Values)+1), needed
}

// encodeTextOf encodes a column given its prediction, which are indexes into the values of
// the source column.
func encodeTextOf(text, from Text, prediction []uint32) (out []byte, needed bool) {
	numbers := make(map[string]uint32, len(from.Values))
	for n, value := range from.Values {
		numbers[value] = uint32(n)
	}
	var more []string
	inSource := make([]uint32, len(text.Values))
	for n, value := range text.Values {
		number, ok := numbers[value]
		if !ok {
			number = uint32(len(from.Values) + len(more))
			more = append(more, value)
		}
		inSource[n] = number
	}
	choices := make([]uint32, len(text.Index))
	for row, n := range text.Index {
		if inSource[n] != prediction[row] {
			choices[row] = inSource[n] + 1
			needed = true
		}
	}
	out = appendValues([]byte{kindTextOf}, more)
	return appendChoices(out, choices, len(from.Values)+len(more)+1), needed
}

// decodeText decodes a column of texts. The kind is 0 if the column has no piece.
func (d *Day) decodeText(c Column, kind byte, data []byte) (Text, error) {
	from, index := d.texts[c.predictedFrom()], make([]uint32, d.rows(c))
	if kind == 0 {
		if c.fromEvent() {
			return Text{from.Values, d.predictFromEvents(c)}, nil
		}
		return Text{[]string{""}, index}, nil
	}
	values, data, err := readValues(data, len(index))
	if err != nil {
		return Text{}, err
	}
	switch {
	case kind == kindText:
		text := Text{append([]string{""}, values...), index}
		return text, readChoices(index, data, len(text.Values))
	case kind == kindTextBy && c.predictedFrom() != "" && !c.fromEvent():
		text := Text{append([]string{""}, values...), index}
		return text, decodeTextBy(text, data, from)
	case kind == kindTextOf && c.fromEvent():
		text := Text{slices.Concat(from.Values, values), index}
		return text, decodeTextOf(text, data, d.predictFromEvents(c))
	default:
		return Text{}, errKind
	}
}

func decodeTextBy(text Text, data []byte, from Text) error {
	if err := readChoices(text.Index, data, len(text.Values)+1); err != nil {
		return err
	}
	latest := make([]uint32, len(from.Values))
	for row, choice := range text.Index {
		prediction := &latest[from.Index[row]]
		if choice > 0 {
			*prediction = choice - 1
		}
		text.Index[row] = *prediction
	}
	return nil
}

func decodeTextOf(text Text, data []byte, prediction []uint32) error {
	if err := readChoices(text.Index, data, len(text.Values)+1); err != nil {
		return err
	}
	for row, choice := range text.Index {
		if choice > 0 {
			text.Index[row] = choice - 1
		} else {
			text.Index[row] = prediction[row]
		}
	}
	return nil
}

func appendValues(out []byte, values []string) []byte {
	out = binary.AppendUvarint(out, uint64(len(values)))
	for _, value := range values {
		out = binary.AppendUvarint(out, uint64(len(value)))
		out = append(out, value...)
	}
	return out
}

// readValues reads distinct texts. A column can't have more of them than rows.
func readValues(data []byte, rows int) (values []string, rest []byte, err error) {
	n, data, err := readUvarint(data)
	if err != nil || n > uint64(len(data)) {
		return nil, nil, errShort
	}
	if n > uint64(rows) {
		return nil, nil, errMismatch
	}
	values = make([]string, n)
	for i := range values {
		var length uint64
		if length, data, err = readUvarint(data); err != nil || length > uint64(len(data)) {
			return nil, nil, errShort
		}
		values[i], data = string(data[:length]), data[length:]
	}
	return values, data, nil
}

// Choices are numbers below n; the smallest are the most frequent. With n up to 256 each
// takes one byte. With n up to maxTwoBytes each takes one or two: a first byte of at least
// oneByte(n) is followed by a second. All second bytes stand after all first ones. With a
// larger n each takes four bytes.
const maxTwoBytes = 255*256 + 1

// oneByte returns how many of n choices take one byte.
func oneByte(n int) uint32 {
	if n <= 1<<8 {
		return 1 << 8
	}
	return uint32(256 - (n-256+254)/255)
}

func appendChoices(out []byte, choices []uint32, n int) []byte {
	if n > maxTwoBytes {
		for _, choice := range choices {
			out = binary.LittleEndian.AppendUint32(out, choice)
		}
		return out
	}
	one := oneByte(n)
	for _, choice := range choices {
		if choice < one {
			out = append(out, byte(choice))
		} else {
			out = append(out, byte(one+(choice-one)>>8))
		}
	}
	for _, choice := range choices {
		if choice >= one {
			out = append(out, byte(choice-one))
		}
	}
	return out
}

func readChoices(choices []uint32, data []byte, n int) error {
	if n > maxTwoBytes {
		if len(data) != 4*len(choices) {
			return errMismatch
		}
		for i := range choices {
			choices[i] = binary.LittleEndian.Uint32(data[4*i:])
		}
	} else {
		if len(data) < len(choices) {
			return errShort
		}
		one := oneByte(n)
		firsts, seconds := data[:len(choices)], data[len(choices):]
		for i, first := range firsts {
			choice := uint32(first)
			if choice >= one {
				if len(seconds) == 0 {
					return errShort
				}
				choice = one + (choice-one)<<8 + uint32(seconds[0])
				seconds = seconds[1:]
			}
			choices[i] = choice
		}
		if len(seconds) > 0 {
			return errMismatch
		}
	}
	if len(choices) > 0 && int(slices.Max(choices)) >= n {
		return errMismatch
	}
	return nil
}
