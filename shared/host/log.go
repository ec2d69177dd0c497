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

// NewLogger returns a log that writes JSON, or text when w is a terminal, from
// the level that the variable LOG_LEVEL names.
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

// AdoptLibraryLogs sends what libraries log on their own to the process's log.
// Theirs is one for the whole program, so only a program may do it, once.
func (p *Process) AdoptLibraryLogs() { redis.SetLogger(redisLog{p.log}) }

// redisLog takes the log of the Redis client, which tells of every failed try to
// connect: for debugging only, the functions tell what came of it.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
	}
}
