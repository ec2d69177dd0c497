package track

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/queue"
)

type metrics struct {
	accepted    prometheus.Counter
	dropped     *prometheus.CounterVec
	changed     *prometheus.CounterVec
	skewed      prometheus.Counter
	unavailable prometheus.Counter
	shed        prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, guard *queue.MemoryGuard) metrics {
	m := metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_events_total",
			Help: "Events that were queued.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "analytics_track_dropped_events_total",
			Help: "Events that were dropped, by site (its public id; empty if it is not known) and reason.",
		}, []string{"site", "reason"}),
		changed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "analytics_track_changed_events_total",
			Help: "Queued events of which something was masked, left out or ignored, by site (its public id) and reason.",
		}, []string{"site", "reason"}),
		skewed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_skewed_events_total",
			Help: "Accepted events whose client's clock was wrong: their time was set to arrival.",
		}),
		unavailable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_unavailable_total",
			Help: "Requests rejected with 503 because their events could not be queued.",
		}),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_shed_total",
			Help: "Requests rejected with 503 because Redis or the function was short of memory.",
		}),
	}
	memory := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "analytics_queue_memory_ratio",
		Help: "Memory that Redis uses, as a share of its limit; 0 if unknown. Above 0.85 events are rejected, until it is below 0.80.",
	}, guard.Ratio)
	evicts := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "analytics_queue_may_evict",
		Help: "1 if the maxmemory-policy of Redis allows it to delete events that are not stored yet, else 0.",
	}, func() float64 {
		if guard.Evicts() {
			return 1
		}
		return 0
	})
	registry.MustRegister(m.accepted, m.dropped, m.changed, m.skewed, m.unavailable, m.shed, memory, evicts)
	return m
}
