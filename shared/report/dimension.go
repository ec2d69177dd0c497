package report

import "github.com/analytics-platform/analytics/shared/visit"

// Dimension is something that a question groups or filters by: a property of
// events or visits, or time.
type Dimension struct {
	Name string // as questions call it, e.g. visit:source

	value visit.Dimension // of a property
	none  string          // what answers call a value that is not known
	skip  bool            // a row whose value is not known is left out
	grain grain           // of time; noGrain for a property
}

// dimensions lists all that a question can group by. A value that is not known is
// left out where it would only say that there is nothing, as of a page of an event
// without one; where it is a share of the whole, as of visits from no known
// country, it stays, as "" or by the name it has here.
func dimensions() []Dimension {
	return []Dimension{
		{Name: "time", grain: autoGrain},
		{Name: "time:hour", grain: hourGrain},
		{Name: "time:day", grain: dayGrain},
		{Name: "time:week", grain: weekGrain},
		{Name: "time:month", grain: monthGrain},
		{Name: "event:page", value: visit.Page, skip: true},
		{Name: "event:name", value: visit.Name, skip: true},
		{Name: "event:hostname", value: visit.Hostname},
		{Name: "visit:entry_page", value: visit.EntryPage, skip: true},
		{Name: "visit:exit_page", value: visit.ExitPage, skip: true},
		{Name: "visit:referrer", value: visit.Referrer, skip: true},
		{Name: "visit:source", value: visit.Source, none: "Direct / None"},
		{Name: "visit:channel", value: visit.Channel},
		{Name: "visit:utm_source", value: visit.UTMSource, skip: true},
		{Name: "visit:utm_medium", value: visit.UTMMedium, skip: true},
		{Name: "visit:utm_campaign", value: visit.UTMCampaign, skip: true},
		{Name: "visit:utm_term", value: visit.UTMTerm, skip: true},
		{Name: "visit:utm_content", value: visit.UTMContent, skip: true},
		{Name: "visit:country", value: visit.Country},
		{Name: "visit:region", value: visit.Region, skip: true},
		{Name: "visit:city", value: visit.City, skip: true},
		{Name: "visit:browser", value: visit.Browser},
		{Name: "visit:os", value: visit.OS},
		{Name: "visit:device", value: visit.Device},
		{Name: "visit:language", value: visit.Language},
		{Name: "visit:screen", value: visit.Screen},
	}
}

func (d *Dimension) isTime() bool { return d.grain != noGrain }

func dimensionNamed(name string) (Dimension, bool) {
	for _, d := range dimensions() {
		if d.Name == name {
			return d, true
		}
	}
	return Dimension{}, false
}

func dimensionNames(properties bool) []string {
	var names []string
	for _, d := range dimensions() {
		if !properties || !d.isTime() {
			names = append(names, d.Name)
		}
	}
	return names
}
