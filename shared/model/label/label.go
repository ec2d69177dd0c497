// Package label owns what people may call things: sites, keys, goals and the like.
package label

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Read trims a label of at most so many characters. One that is empty, too long or not
// fit to be shown in a line is a problem of its field.
func Read(field, text string, most int) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", validation.New(field, fmt.Sprintf("must have 1 to %d characters, none of them a control character", most))
	}
	return text, nil
}
