package websocketbridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/live"
)

const (
	// writeTimeout is how long sending one message to a client may take.
	writeTimeout = 10 * time.Second
	// pingEvery keeps a WebSocket open through proxies, and detects clients that have left.
	pingEvery = 30 * time.Second
	// heartbeat does the same for server-sent events.
	heartbeat = 15 * time.Second
	// retryAfter is how long a browser waits before it reconnects.
	retryAfter = 2 * time.Second
)

// webSocket sends messages as text frames.
func (f *function) webSocket(w http.ResponseWriter, r *http.Request, site int32) {
	conn, err := websocket.Accept(w, access.WithForwardedHost(r), nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }() // fails only if closed already
	open := f.open.WithLabelValues("websocket")
	open.Inc()
	defer open.Dec()

	ctx := conn.CloseRead(r.Context()) // clients send nothing
	subscription := f.feed.Subscribe(site, "", f.now())
	defer subscription.Cancel()
	pings := time.NewTicker(pingEvery)
	defer pings.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pings.C:
			if !within(ctx, conn.Ping) {
				return
			}
		case <-subscription.Ready():
			messages, err := subscription.Next()
			if err != nil {
				closeFor(conn, err)
				return
			}
			for _, message := range messages {
				send := func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, message.Data) }
				if !within(ctx, send) {
					return
				}
			}
		}
	}
}

// within reports whether do succeeded within writeTimeout.
func within(ctx context.Context, do func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return do(ctx) == nil
}

// closeFor closes a WebSocket with the reason for the end of its subscription.
func closeFor(conn *websocket.Conn, reason error) {
	code := websocket.StatusGoingAway
	if errors.Is(reason, live.ErrSlow) {
		code = websocket.StatusTryAgainLater
	}
	_ = conn.Close(code, reason.Error()) // fails if the client has left
}

// serverSent sends messages as server-sent events.
func (f *function) serverSent(w http.ResponseWriter, r *http.Request, site int32) {
	if err := host.KeepOpen(w); err != nil {
		f.log.WarnContext(r.Context(), "the server's write timeout will cut a stream", "error", err)
	}
	open := f.open.WithLabelValues("server_sent")
	open.Inc()
	defer open.Dec()

	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Accel-Buffering", "no") // nginx would buffer messages
	subscription := f.feed.Subscribe(site, r.Header.Get("Last-Event-ID"), f.now())
	defer subscription.Cancel()
	beats := time.NewTicker(heartbeat)
	defer beats.Stop()

	out := &eventStream{w, http.NewResponseController(w)}
	err := out.write("retry: %d\n\n", retryAfter.Milliseconds())
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-beats.C:
			err = out.write(":\n\n")
		case <-subscription.Ready():
			var messages []live.Message
			if messages, err = subscription.Next(); err != nil {
				return // the browser reconnects
			}
			err = out.writeMessages(messages)
		}
	}
}

// eventStream writes server-sent events without buffering.
type eventStream struct {
	w          io.Writer
	controller *http.ResponseController
}

func (s *eventStream) write(format string, args ...any) error {
	// A platform without deadlines or buffers returns ErrNotSupported.
	if err := s.controller.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return err
	}
	if err := s.controller.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// writeMessages writes messages as events.
func (s *eventStream) writeMessages(messages []live.Message) error {
	for _, m := range messages {
		if err := s.write("id: %s\nevent: %s\ndata: %s\n\n", m.ID, m.Type, m.Data); err != nil {
			return err
		}
	}
	return nil
}
