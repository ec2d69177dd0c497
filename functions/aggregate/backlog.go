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

// backlogTimeout bounds a question for the backlog, on which a scrape may wait.
const backlogTimeout = 2 * time.Second

// backlog is what all shards have queued, and the greatest of their ages.
func backlog(ctx context.Context, client redis.UniversalClient) (queue.Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	backlogs, err := queue.Backlogs(ctx, client, time.Now())
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

// queueCollector measures the queue whenever metrics are asked for, so that a queue
// which nobody drains is seen to grow.
type queueCollector struct {
	client                   redis.UniversalClient
	log                      *slog.Logger
	up, events, express, age *prometheus.Desc
}

func newQueueCollector(client redis.UniversalClient, log *slog.Logger) queueCollector {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return queueCollector{
		client: client, log: log,
		up:      desc("analytics_queue_up", "1 when the queue could be measured, else 0, and then the figures of the queue are missing."),
		events:  desc("analytics_queue_events", "Events that wait in the queue to be stored; estimated from the oldest where there are many."),
		express: desc("analytics_queue_express_events", "How many of them are in the express lane, on their way past the events of a site that floods the queue."),
		age:     desc("analytics_queue_age_seconds", "How long the oldest of them has waited; 0 when none waits."),
	}
}

// Describe is part of prometheus.Collector.
func (c queueCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.events, c.express, c.age} {
		to <- d
	}
}

// Collect is part of prometheus.Collector. It never fails: the other metrics are
// wanted most when Redis is away.
func (c queueCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	b, err := backlog(context.Background(), c.client)
	if err != nil {
		c.log.Warn("the queue could not be measured", "error", err)
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	gauge(c.events, float64(b.Length))
	gauge(c.express, float64(b.Priority))
	gauge(c.age, b.Age.Seconds())
}
