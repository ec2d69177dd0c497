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

// RequestTimeout is the time limit of a request, except for streams, from its header to the
// end of its response. The longest request waits for two runs of aggregate, each of less than
// a minute.
const RequestTimeout = 2 * time.Minute

// NewServer returns an HTTP server with the time limits of all functions.
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

// Serve serves a function at an address until ctx ends. Then it shuts the function down: it
// is no longer ready, its streams end, its requests have grace to finish, and it is closed.
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
		err = errors.Join(err, fmt.Errorf("requests did not end within SHUTDOWN_GRACE (%s) and were aborted: %w", grace, shutdown), server.Close())
	}
	// Closing has its own time limit, since requests may have used all of grace.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if closed := instance.Close(closing); closed != nil {
		err = errors.Join(err, fmt.Errorf("close: %w", closed))
	}
	return err
}

// closeTimeout is the time limit of a function's Close.
const closeTimeout = 5 * time.Second
