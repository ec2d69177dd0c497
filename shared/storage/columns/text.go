package columns

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// byFrequency is the same column with its values in another order: after "" those come
// first that most rows have, and none is there that no row has.
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

// encodeText returns what is kept of a column of texts; says is false when that says
// nothing.
func encodeText(d *Day, c Column) (out []byte, says bool) {
	text, from := d.texts[c], d.texts[c.predictedFrom()]
	switch {
	case c.ofOneEvent():
		return encodeTextOf(text, from, d.predictFromEvents(c))
	case c.predictedFrom() != "":
		return encodeTextBy(text, from)
	default:
		out = appendValues([]byte{kindText}, text.Values[1:])
		return appendChoices(out, text.Index, len(text.Values)), len(text.Values) > 1
	}
}

// encodeTextBy guesses that a row has the same text as the last one with the same text in
// another column.
func encodeTextBy(text, from Text) (out []byte, says bool) {
	latest := make([]uint32, len(from.Values))
	choices := make([]uint32, len(text.Index))
	for row, n := range text.Index {
		if prediction := &latest[from.Index[row]]; *prediction != n {
			*prediction, choices[row] = n, n+1
			says = true
		}
	}
	out = appendValues([]byte{kindTextBy}, text.Values[1:])
	return appendChoices(out, choices, len(text.Values)+1), says
}

// encodeTextOf is given the prediction as numbers of the values of the other column.
func encodeTextOf(text, from Text, prediction []uint32) (out []byte, says bool) {
	numbers := make(map[string]uint32, len(from.Values))
	for n, value := range from.Values {
		numbers[value] = uint32(n)
	}
	var more []string
	inOther := make([]uint32, len(text.Values))
	for n, value := range text.Values {
		number, ok := numbers[value]
		if !ok {
			number = uint32(len(from.Values) + len(more))
			more = append(more, value)
		}
		inOther[n] = number
	}
	choices := make([]uint32, len(text.Index))
	for row, n := range text.Index {
		if inOther[n] != prediction[row] {
			choices[row] = inOther[n] + 1
			says = true
		}
	}
	out = appendValues([]byte{kindTextOf}, more)
	return appendChoices(out, choices, len(from.Values)+len(more)+1), says
}

// decodeText reads a column of texts, of which nothing is kept when kind is 0.
func (d *Day) decodeText(c Column, kind byte, data []byte) (Text, error) {
	from, index := d.texts[c.predictedFrom()], make([]uint32, d.rows(c))
	if kind == 0 {
		if c.ofOneEvent() {
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
	case kind == kindTextBy && c.predictedFrom() != "" && !c.ofOneEvent():
		text := Text{append([]string{""}, values...), index}
		return text, decodeTextBy(text, data, from)
	case kind == kindTextOf && c.ofOneEvent():
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

// readValues reads texts, not more of them than there are rows.
func readValues(data []byte, rows int) (values []string, rest []byte, err error) {
	n, data, err := readUvarint(data)
	if err != nil || n > uint64(len(data)) {
		return nil, nil, errShort
	}
	if n > uint64(rows) {
		return nil, nil, errWrong
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

// Choices are numbers below n, of which the smallest are the most frequent. Up to 256
// take a byte. Up to maxTwo take one or two: a first byte from the last of the 256 on says
// that a second follows, all of which stand behind all first ones. More take four.
const maxTwo = 255*256 + 1

// single is how many of n numbers take one byte.
func single(n int) uint32 {
	if n <= 1<<8 {
		return 1 << 8
	}
	return uint32(256 - (n-256+254)/255)
}

func appendChoices(out []byte, choices []uint32, n int) []byte {
	if n > maxTwo {
		for _, choice := range choices {
			out = binary.LittleEndian.AppendUint32(out, choice)
		}
		return out
	}
	one := single(n)
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
	if n > maxTwo {
		if len(data) != 4*len(choices) {
			return errWrong
		}
		for i := range choices {
			choices[i] = binary.LittleEndian.Uint32(data[4*i:])
		}
	} else {
		if len(data) < len(choices) {
			return errShort
		}
		one := single(n)
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
			return errWrong
		}
	}
	if len(choices) > 0 && int(slices.Max(choices)) >= n {
		return errWrong
	}
	return nil
}
