package track

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/collect"
	"github.com/analytics-platform/analytics/shared/queue"
)

type metrics struct {
	events      *prometheus.CounterVec
	skewed      prometheus.Counter
	unavailable prometheus.Counter
	shed        prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, room *queue.Room) metrics {
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
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_shed_total",
			Help: "Requests that were answered with 503 since Redis was short of memory.",
		}),
	}
	memory := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "analytics_queue_memory_ratio",
		Help: "Memory that Redis uses, as a share of what it may use; 0 when it does not tell. Above 0.85 events are refused, until it is below 0.80.",
	}, room.Ratio)
	evicts := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "analytics_queue_may_evict",
		Help: "1 when the maxmemory-policy of Redis lets it delete events that are not stored yet, else 0.",
	}, func() float64 {
		if room.Evicts() {
			return 1
		}
		return 0
	})
	registry.MustRegister(m.events, m.skewed, m.unavailable, m.shed, memory, evicts)
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
