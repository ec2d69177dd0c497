package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// RequestTimeout bounds a request that isn't a stream, from its head to the end of
// its answer: a handler's context ends when the time for reading does. The longest
// is a run of aggregate, below a minute.
const RequestTimeout = 2 * time.Minute

// NewServer returns an HTTP server with the time limits that all functions have.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       RequestTimeout,
		WriteTimeout:      RequestTimeout,
		IdleTimeout:       RequestTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Serve serves a function at an address until ctx ends, and then ends it in good
// order: it is no longer ready, its streams end, requests get grace to be
// finished, and it is closed.
func Serve(ctx context.Context, instance *Instance, address string, grace time.Duration) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		_, port, _ := net.SplitHostPort(address)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return errors.Join(fmt.Errorf("PORT: cannot listen on port %s (%s): set PORT to a free one", port, reason(err)),
			instance.Close(closing))
	}
	server := NewServer(instance, instance.log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	instance.log.Info("serving", "address", listener.Addr().String())
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		instance.log.Info("shutting down", "grace", grace.String())
	}

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	instance.Drain()
	if shutdown := server.Shutdown(ending); shutdown != nil {
		err = errors.Join(err, fmt.Errorf("requests did not end within SHUTDOWN_GRACE (%s) and were cut: %w", grace, shutdown), server.Close())
	}
	// The rest is short, and has to happen even when requests took all the time.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if closed := instance.Close(closing); closed != nil {
		err = errors.Join(err, fmt.Errorf("close: %w", closed))
	}
	return err
}

// closeTimeout bounds a function's Close.
const closeTimeout = 5 * time.Second
