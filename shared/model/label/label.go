// Package label validates the names that people give to sites, keys, goals and the like.
package label

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Normalize trims a label. It returns a *validation.Error for the field if the label is
// empty, has more than limit characters or can't be shown in a line.
func Normalize(field, text string, limit int) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", validation.New(field, fmt.Sprintf("must have 1 to %d characters, none of them a control character", limit))
	}
	return text, nil
}
