package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Memory is a stand-in for a Redis server, inside this process. What it holds is
// gone when it stops.
type Memory struct {
	server *miniredis.Miniredis
	cancel context.CancelFunc
	clock  sync.WaitGroup
}

// InProcess starts a stand-in on a free port of 127.0.0.1.
func InProcess() (*Memory, error) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the in-process Redis: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Memory{server: server, cancel: cancel}
	m.clock.Go(func() { expire(ctx, server) })
	return m, nil
}

// expire moves the stand-in's clock, by which keys expire: it doesn't do so itself.
func expire(ctx context.Context, server *miniredis.Miniredis) {
	const step = 100 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// URL is the stand-in's address, as REDIS_URL takes it.
func (m *Memory) URL() string { return "redis://" + m.server.Addr() + "/0" }

// Stop ends the stand-in.
func (m *Memory) Stop(context.Context) error {
	m.cancel()
	m.clock.Wait()
	m.server.Close()
	return nil
}
