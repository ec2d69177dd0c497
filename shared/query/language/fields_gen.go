// Code generated from package catalogue by `make generate`. DO NOT EDIT.

package language

import (
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
)

// fieldDimensions returns the dimensions that are fields of events and visits.
func fieldDimensions() []Dimension {
	return []Dimension{
		{Name: "event:page", column: columns.Page, rollup: visit.Page, skip: true, form: pathForm},
		{Name: "event:name", column: columns.Name, rollup: visit.Name, skip: true},
		{Name: "event:hostname", column: columns.Hostname, rollup: visit.Hostname, form: hostForm},
		{Name: "event:tag", column: columns.Tag, rollup: visit.Tag, skip: true},
		{Name: "event:currency", column: columns.Currency, skip: true},
		{Name: "visit:entry_page", column: columns.EntryPage, rollup: visit.EntryPage, skip: true, form: pathForm},
		{Name: "visit:exit_page", column: columns.ExitPage, rollup: visit.ExitPage, skip: true, form: pathForm},
		{Name: "visit:entry_page_hostname", column: columns.EntryHostname, skip: true, form: hostForm},
		{Name: "visit:exit_page_hostname", column: columns.ExitHostname, skip: true, form: hostForm},
		{Name: "visit:referrer", column: columns.Referrer, rollup: visit.Referrer, none: "Direct / None", form: pathForm},
		{Name: "visit:source", column: columns.Source, rollup: visit.Source, none: "Direct / None"},
		{Name: "visit:channel", column: columns.Channel, rollup: visit.Channel},
		{Name: "visit:utm_source", column: columns.UTMSource, rollup: visit.UTMSource, none: "(not set)"},
		{Name: "visit:utm_medium", column: columns.UTMMedium, rollup: visit.UTMMedium, none: "(not set)"},
		{Name: "visit:utm_campaign", column: columns.UTMCampaign, rollup: visit.UTMCampaign, none: "(not set)"},
		{Name: "visit:utm_term", column: columns.UTMTerm, rollup: visit.UTMTerm, none: "(not set)"},
		{Name: "visit:utm_content", column: columns.UTMContent, rollup: visit.UTMContent, none: "(not set)"},
		{Name: "visit:country", column: columns.Country, rollup: visit.Country},
		{Name: "visit:country_name", column: columns.Country, rollup: visit.Country, names: true},
		{Name: "visit:region", column: columns.Region, rollup: visit.Region, skip: true},
		{Name: "visit:region_name", column: columns.Region, rollup: visit.Region, skip: true},
		{Name: "visit:city", column: columns.City, rollup: visit.City, skip: true},
		{Name: "visit:city_name", column: columns.City, rollup: visit.City, skip: true},
		{Name: "visit:browser", column: columns.Browser, rollup: visit.Browser, none: "(not set)"},
		{Name: "visit:browser_version", column: columns.BrowserVersion, none: "(not set)"},
		{Name: "visit:os", column: columns.OS, rollup: visit.OS, none: "(not set)"},
		{Name: "visit:os_version", column: columns.OSVersion, none: "(not set)"},
		{Name: "visit:device", column: columns.Device, rollup: visit.Device, none: "(not set)"},
		{Name: "visit:language", column: columns.Language, rollup: visit.Language},
		{Name: "visit:screen", column: columns.Screen, rollup: visit.Screen},
	}
}
