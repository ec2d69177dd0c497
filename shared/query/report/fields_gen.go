// Code generated from package catalogue by `make generate`. DO NOT EDIT.

package report

import (
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/table"
)

// fieldColumns are the columns of the fields of an event that follow its type.
func fieldColumns() []table.Column {
	return []table.Column{
		{Name: "name", Kind: table.Text},
		{Name: "hostname", Kind: table.Text},
		{Name: "page", Kind: table.Text},
		{Name: "title", Kind: table.Text},
		{Name: "referrer", Kind: table.Text},
		{Name: "source", Kind: table.Text},
		{Name: "channel", Kind: table.Text},
		{Name: "utm_source", Kind: table.Text},
		{Name: "utm_medium", Kind: table.Text},
		{Name: "utm_campaign", Kind: table.Text},
		{Name: "utm_term", Kind: table.Text},
		{Name: "utm_content", Kind: table.Text},
		{Name: "country", Kind: table.Text},
		{Name: "region", Kind: table.Text},
		{Name: "city", Kind: table.Text},
		{Name: "browser", Kind: table.Text},
		{Name: "browser_version", Kind: table.Text},
		{Name: "os", Kind: table.Text},
		{Name: "os_version", Kind: table.Text},
		{Name: "device", Kind: table.Text},
		{Name: "language", Kind: table.Text},
		{Name: "screen", Kind: table.Text},
		{Name: "props", Kind: table.JSON},
		{Name: "amount", Kind: table.Decimal},
		{Name: "currency", Kind: table.Text},
		{Name: "funnel", Kind: table.Text},
		{Name: "funnel_step", Kind: table.Whole},
		{Name: "engaged", Kind: table.Whole},
		{Name: "scroll", Kind: table.Whole},
		{Name: "passive", Kind: table.Flag},
		{Name: "tag", Kind: table.Text},
	}
}

// appendFieldCells appends the cells of fieldColumns.
func appendFieldCells(cells []table.Cell, e *event.Event) ([]table.Cell, error) {
	props, err := propsCell(e.Props)
	if err != nil {
		return nil, err
	}
	return append(cells,
		table.OfText(e.Name),
		table.OfText(e.Hostname),
		table.OfText(e.Page),
		table.OfText(e.Title),
		table.OfText(e.Referrer),
		table.OfText(e.Source),
		table.OfText(e.Channel),
		table.OfText(e.UTMSource),
		table.OfText(e.UTMMedium),
		table.OfText(e.UTMCampaign),
		table.OfText(e.UTMTerm),
		table.OfText(e.UTMContent),
		table.OfText(e.Country),
		table.OfText(e.Region),
		table.OfText(e.City),
		table.OfText(e.Browser),
		table.OfText(e.BrowserVersion),
		table.OfText(e.OS),
		table.OfText(e.OSVersion),
		table.OfText(e.Device),
		table.OfText(e.Language),
		table.OfText(e.Screen),
		props,
		table.OfDecimal(e.Amount),
		table.OfText(e.Currency),
		table.OfText(e.Funnel),
		table.OfWhole(e.Step),
		table.OfWhole(e.Engaged),
		table.OfWhole(e.Scroll),
		table.OfFlag(e.Passive),
		table.OfText(e.Tag),
	), nil
}
