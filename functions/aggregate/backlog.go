package aggregate

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/queue"
)

// backlogTimeout bounds reading the backlog, which delays a scrape.
const backlogTimeout = 2 * time.Second

// backlog returns the sum of the shards' backlogs at now, with the greatest age.
func backlog(ctx context.Context, client redis.UniversalClient, now time.Time) (queue.Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	backlogs, err := queue.Backlogs(ctx, client, now)
	if err != nil {
		return queue.Backlog{}, fmt.Errorf("measure the backlog: %w", err)
	}
	var total queue.Backlog
	for _, b := range backlogs {
		total.Length += b.Length
		total.Priority += b.Priority
		total.Age = max(total.Age, b.Age)
	}
	return total, nil
}

// queueCollector measures the queue at each scrape, so that metrics show a queue that grows
// because no run empties it.
type queueCollector struct {
	client                    redis.UniversalClient
	log                       *slog.Logger
	up, events, priority, age *prometheus.Desc
}

func newQueueCollector(client redis.UniversalClient, log *slog.Logger) queueCollector {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return queueCollector{
		client: client, log: log,
		up:       desc("analytics_queue_up", "1 if the queue could be measured, else 0; then the other metrics of the queue are missing."),
		events:   desc("analytics_queue_events", "Events in the queue that wait to be stored; an estimate if there are many."),
		priority: desc("analytics_queue_express_events", "Queued events in the priority streams, promoted past the events of a site that floods the queue."),
		age:      desc("analytics_queue_age_seconds", "Age of the oldest queued event; 0 if there is none."),
	}
}

// Describe implements prometheus.Collector.
func (c queueCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.events, c.priority, c.age} {
		to <- d
	}
}

// Collect implements prometheus.Collector. It never fails, because the other metrics matter
// most while Redis is unavailable.
func (c queueCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	b, err := backlog(context.Background(), c.client, time.Now())
	if err != nil {
		c.log.Warn("measure the queue failed", "error", err)
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	gauge(c.events, float64(b.Length))
	gauge(c.priority, float64(b.Priority))
	gauge(c.age, b.Age.Seconds())
}
