package track

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/collect"
)

type metrics struct {
	events      *prometheus.CounterVec
	skewed      prometheus.Counter
	unavailable prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) metrics {
	m := metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "analytics_track_events_total",
			Help: "Events that clients sent, by outcome: accepted, invalid, or the reason for which they were dropped.",
		}, []string{"outcome"}),
		skewed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_skewed_events_total",
			Help: "Accepted events whose client's clock could not be right: their time was set to arrival.",
		}),
		unavailable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_unavailable_total",
			Help: "Requests that were answered with 503 since the queue could not take their events.",
		}),
	}
	registry.MustRegister(m.events, m.skewed, m.unavailable)
	return m
}

func (m *metrics) dropped(reason collect.Reason, n int) {
	m.events.WithLabelValues(string(reason)).Add(float64(n))
}

func (m *metrics) invalid(n int) { m.events.WithLabelValues("invalid").Add(float64(n)) }

func (m *metrics) count(a answer) {
	m.events.WithLabelValues("accepted").Add(float64(a.Accepted))
	if len(a.Errors) > 0 {
		m.invalid(len(a.Errors))
	}
	for _, d := range a.Dropped {
		m.dropped(d.Reason, 1)
	}
}
