package track

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/analytics-platform/analytics/shared/queue"
)

type metrics struct {
	accepted    prometheus.Counter
	dropped     *prometheus.CounterVec
	skewed      prometheus.Counter
	unavailable prometheus.Counter
	shed        prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, room *queue.MemoryGuard) metrics {
	m := metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "analytics_track_events_total",
			Help: "Events that were queued.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "analytics_track_dropped_events_total",
			Help: "Events that were left out, by site (its domain; empty when it is not known) and reason.",
		}, []string{"site", "reason"}),
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
	registry.MustRegister(m.accepted, m.dropped, m.skewed, m.unavailable, m.shed, memory, evicts)
	return m
}
