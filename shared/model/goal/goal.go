// Package goal defines what a goal is: an event with a name, or a view of a page.
//
// It is pure. Package report counts the visitors that reach a goal.
package goal

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/glob"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/model/weburl"
)

// The limits of a goal.
const (
	MaxName  = 100 // characters
	MaxPage  = 300 // bytes
	MaxProps = 3
)

// Goal is something that the owner of a site wants visitors to do. Normalize prepares it
// for storage.
type Goal struct {
	Name string `json:"name"` // display name, unique within the site
	// Event is the name of the events that reach the goal. Either Event or Page is set.
	Event string `json:"event,omitzero"`
	// Page is a pattern of the pages whose views reach the goal; see package glob. It has the form
	// of weburl.Canonical.
	Page string `json:"page,omitzero"`
	// Props are properties that the event or view must have with exactly these values.
	Props map[string]string `json:"props,omitempty"`
	// Currency (ISO 4217) makes it a revenue goal: its revenue is the sum of its events'
	// amounts in this currency.
	Currency string `json:"currency,omitzero"`
}

// Normalize validates a goal and returns it in the form that is stored. It returns a
// *validation.Error for an invalid field.
func Normalize(g Goal) (Goal, error) {
	var err error
	if g.Name, err = label.Normalize("name", g.Name, MaxName); err != nil {
		return g, err
	}
	switch {
	case g.Event == "" && g.Page == "":
		return g, validation.New("event", "set event, the name of an event, or page, a pattern such as /blog/**")
	case g.Event != "" && g.Page != "":
		return g, validation.New("page", `can't be combined with event: set one of them and leave the other empty`)
	case g.Event != "" && !storable(g.Event, event.MaxName):
		return g, validation.New("event", fmt.Sprintf("must be the name of an event, of at most %d bytes", event.MaxName))
	}
	if g.Page, err = normalizePage(g.Page); err != nil {
		return g, err
	}
	if err := checkProps(g.Props); err != nil {
		return g, err
	}
	g.Currency = strings.ToUpper(strings.TrimSpace(g.Currency))
	switch {
	case g.Currency == "":
	case len(g.Currency) != 3 || strings.Trim(g.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return g, validation.New("currency", "must be an ISO 4217 code of three letters, such as EUR")
	case g.Event == "":
		return g, validation.New("currency", "requires event, since page views have no amount")
	}
	return g, nil
}

// normalizePage gives a pattern the form of the paths that it is compared with.
func normalizePage(pattern string) (string, error) {
	pattern = strings.TrimSpace(pattern)
	if !storable(pattern, MaxPage) {
		return "", validation.New("page", fmt.Sprintf("must be UTF-8 text of at most %d bytes", MaxPage))
	}
	if pattern != "" && !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "*") {
		return "", validation.New("page", "must begin with a slash or a star, such as /blog/**")
	}
	if glob.Stars(pattern) > glob.MaxStars {
		return "", validation.New("page", fmt.Sprintf("may have at most %d stars", glob.MaxStars))
	}
	return weburl.Canonical(pattern), nil
}

func checkProps(props map[string]string) error {
	if len(props) > MaxProps {
		return validation.New("props", fmt.Sprintf("may have at most %d properties", MaxProps))
	}
	for key, value := range props {
		switch {
		case key == "" || !storable(key, event.MaxKey):
			return validation.New("props", fmt.Sprintf("must have keys of 1 to %d bytes", event.MaxKey))
		case !storable(value, utf8.UTFMax*event.MaxValue) || utf8.RuneCountInString(value) > event.MaxValue:
			return validation.New("props."+key, fmt.Sprintf("must be UTF-8 text of at most %d characters", event.MaxValue))
		}
	}
	return nil
}

// storable reports whether an event can hold the text, of at most limit bytes.
func storable(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}
