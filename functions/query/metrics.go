package query

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/query/admission"
)

// addMetrics measures how many questions are being answered and how many wait.
func addMetrics(registry prometheus.Registerer, gate *admission.Gate) error {
	for kind, turns := range gate.Turns() {
		for state, count := range map[string]func() int{
			"taken":   func() int { taken, _ := turns.Taken(); return taken },
			"waiting": func() int { _, waiting := turns.Taken(); return waiting },
		} {
			gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "analytics_query_turns", Help: "Questions that are being answered or wait for their turn: small ones, large ones, and files.",
				ConstLabels: prometheus.Labels{"kind": kind, "state": state},
			}, func() float64 { return float64(count()) })
			if err := registry.Register(gauge); err != nil {
				return fmt.Errorf("register metrics: %w", err)
			}
		}
	}
	return nil
}
