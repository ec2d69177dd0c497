// Package goal owns what reaches a goal: an event of a name, or a view of a page.
//
// It is pure. How many visitors reached one is for package report.
package goal

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// What a goal may say at most.
const (
	MaxName  = 100 // characters
	MaxPage  = 300 // bytes
	MaxProps = 3
)

// Goal is something that a site's owner wants visitors to do. Read makes it fit to be
// stored.
type Goal struct {
	Name string `json:"name"` // for people; a site has no two of the same name
	// Event is the name of the events that reach it. Either it or Page is set.
	Event string `json:"event,omitzero"`
	// Page is a pattern, as package glob reads it, of the pages whose views reach it.
	Page string `json:"page,omitzero"`
	// Props are properties that the event or view must have, with exactly these values.
	Props map[string]string `json:"props,omitempty"`
	// Currency makes it a revenue goal: the amounts of its events in this currency (ISO
	// 4217) are what it has brought in.
	Currency string `json:"currency,omitzero"`
}

// Read checks a goal and brings it into the form that is stored. What is wrong is a
// problem that names the field.
func Read(g Goal) (Goal, error) {
	var err error
	if g.Name, err = label.Read("name", g.Name, MaxName); err != nil {
		return g, err
	}
	switch {
	case g.Event == "" && g.Page == "":
		return g, validation.New("event", "say what reaches the goal: event, the name of an event, or page, a pattern such as /blog/**")
	case g.Event != "" && g.Page != "":
		return g, validation.New("page", `goes without event: a goal is reached by the one or the other, which leaves the other ""`)
	case g.Event != "" && !storable(g.Event, event.MaxName):
		return g, validation.New("event", fmt.Sprintf("must be the name of an event, of at most %d bytes", event.MaxName))
	}
	if g.Page, err = readPage(g.Page); err != nil {
		return g, err
	}
	if err := checkProps(g.Props); err != nil {
		return g, err
	}
	g.Currency = strings.ToUpper(strings.TrimSpace(g.Currency))
	switch {
	case g.Currency == "":
	case len(g.Currency) != 3 || strings.Trim(g.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return g, validation.New("currency", "must be the three letters of ISO 4217, e.g. EUR")
	case g.Event == "":
		return g, validation.New("currency", "goes with event: views of pages have no amount")
	}
	return g, nil
}

// readPage writes a pattern as pages are written: what is not ASCII is escaped in their
// addresses.
func readPage(pattern string) (string, error) {
	pattern = strings.TrimSpace(pattern)
	if !storable(pattern, MaxPage) {
		return "", validation.New("page", fmt.Sprintf("must be UTF-8 text of at most %d bytes", MaxPage))
	}
	if pattern != "" && !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "*") {
		return "", validation.New("page", "must begin with a slash or a star, such as /blog/**")
	}
	var escaped strings.Builder
	for _, b := range []byte(pattern) {
		if b > ' ' && b < utf8.RuneSelf {
			escaped.WriteByte(b)
		} else {
			fmt.Fprintf(&escaped, "%%%02X", b)
		}
	}
	return escaped.String(), nil
}

func checkProps(props map[string]string) error {
	if len(props) > MaxProps {
		return validation.New("props", fmt.Sprintf("may have at most %d properties", MaxProps))
	}
	for key, value := range props {
		switch {
		case key == "" || !storable(key, event.MaxKey):
			return validation.New("props", fmt.Sprintf("must have keys of 1 to %d bytes", event.MaxKey))
		case !storable(value, event.MaxValue):
			return validation.New("props."+key, fmt.Sprintf("must be UTF-8 text of at most %d bytes", event.MaxValue))
		}
	}
	return nil
}

// storable tells whether a text of at most so many bytes can be in an event.
func storable(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}
