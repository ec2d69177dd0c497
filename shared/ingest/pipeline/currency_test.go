package pipeline_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
)

// TestCurrencies checks that an amount in a currency that the site does not take is left out,
// whether or not the site masks, and that the event stays.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rules    rules.Rules
		amount   string
		currency string
		changes  []pipeline.Change
	}{
		"any currency": {rules.Rules{}, "12.5", "USD", nil},
		"taken":        {rules.Rules{Currencies: []string{"EUR", "USD"}}, "12.5", "USD", nil},
		"not taken":    {rules.Rules{Currencies: []string{"EUR"}}, "", "", []pipeline.Change{{Field: "value.currency", Reason: pipeline.OtherCurrency}}},
		"no masks":     {rules.Rules{Currencies: []string{"EUR"}, Mask: new(false)}, "", "", []pipeline.Change{{Field: "value.currency", Reason: pipeline.OtherCurrency}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d, r := setup(t)
			d.site.Rules = filter(t, test.rules)
			got, err := p.Run(d, r, event.Input{
				Site: "example.com", Type: "conversion", Name: "Order", Value: &event.Value{Amount: jsontext.Value(`12.5`), Currency: "USD"},
			})
			if err != nil || got.Dropped != "" || got.Event.Name != "Order" {
				t.Fatalf("%+v, %v", got, err)
			}
			if got.Event.Amount != test.amount || got.Event.Currency != test.currency {
				t.Errorf("the amount is %q %q", got.Event.Amount, got.Event.Currency)
			}
			if diff := cmp.Diff(test.changes, got.Changes); diff != "" {
				t.Error(diff)
			}
		})
	}
}
