package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/analytics-platform/analytics/infra/local/internal/secret"
)

// Memory is an in-process stand-in for a Redis server. Its data is lost when it stops.
type Memory struct {
	server   *miniredis.Miniredis
	password string
	cancel   context.CancelFunc
	clock    sync.WaitGroup
}

// InProcess starts a stand-in on a free port of 127.0.0.1.
func InProcess() (*Memory, error) {
	server, password := miniredis.NewMiniRedis(), secret.New()
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the in-process Redis: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Memory{server: server, password: password, cancel: cancel}
	m.clock.Go(func() { expire(ctx, server) })
	return m, nil
}

// expire advances the clock of the stand-in, which does not run by itself, so that keys
// expire.
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

// URL returns the URL of the stand-in with its password, in the form of REDIS_URL.
func (m *Memory) URL() string { return urlOf(m.server.Addr(), m.password) }

// Stop stops the stand-in.
func (m *Memory) Stop(context.Context) error {
	m.cancel()
	m.clock.Wait()
	m.server.Close()
	return nil
}
