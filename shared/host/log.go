package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/redis/go-redis/v9"
	"golang.org/x/term"
)

// NewLogger returns a logger that writes JSON, or text if w is a terminal. The variable
// LOG_LEVEL sets the minimum level.
func NewLogger(w io.Writer, variables map[string]string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if text := variables["LOG_LEVEL"]; text != "" {
		var level slog.Level
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, fmt.Errorf("LOG_LEVEL: %q is not debug, info, warn or error", text)
		}
		options.Level = level
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return slog.New(slog.NewJSONHandler(w, options)), nil
}

// AdoptLibraryLogs sends the logs of libraries to the process's log. It changes global
// state of the libraries, so only a main function may call it, once.
func (p *Process) AdoptLibraryLogs() { redis.SetLogger(redisLog{p.log}) }

// redisLog receives the log of the Redis client, which reports every failed connection.
// It logs at the level debug, since functions log the errors that matter.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
	}
}
