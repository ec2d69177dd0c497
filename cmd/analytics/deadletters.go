package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/analytics-platform/analytics/shared/aggregate/deadletter"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

type listCommand struct {
	Limit int `default:"100" placeholder:"N" help:"Maximum number (${default})."`
}

// Run lists dead letters.
func (c *listCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	if c.Limit < 1 {
		return errors.New("--limit must be 1 or more")
	}
	db, err := env.Record(ctx)
	if err != nil {
		return err
	}
	list, err := deadletter.Read(ctx, db, 0, c.Limit)
	if err != nil {
		return err
	}
	return p.print(list, func(to io.Writer) error {
		t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "ID\tSHARD\tCREATED\tBYTES\tREASON") // Flush returns the error
		for _, l := range list.Letters {
			_, _ = fmt.Fprintf(t, "%d\t%d\t%s\t%d\t%s\n", l.ID, l.Shard, l.CreatedAt.Format(time.DateTime), l.Size, l.Reason)
		}
		_, _ = fmt.Fprintf(t, "%d of %d\n", len(list.Letters), list.Total)
		if err := t.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}

type replayCommand struct {
	Limit *int `placeholder:"N" help:"Maximum number; defaults to all."`
}

// replayResult is printed as JSON.
type replayResult struct {
	Replayed int   `json:"replayed"` // number that was put back into the queue
	Left     int64 `json:"left"`     // number that is still stored
}

// Run puts dead letters back into the queue.
func (c *replayCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	if c.Limit != nil && *c.Limit < 1 {
		return errors.New("--limit must be 1 or more")
	}
	db, err := env.Record(ctx)
	if err != nil {
		return err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return err
	}
	count, _, err := store.CountDeadLetters(ctx, db)
	if err != nil {
		return err
	}
	limit := int(count)
	if c.Limit != nil {
		limit = min(limit, *c.Limit)
	}
	bar, done := progress(limit, "replaying", "letters")
	n, err := deadletter.Replay(ctx, db, client, limit, func(n int) { _ = bar.Set(n) }) // affects only what it shows
	done()
	if err != nil {
		return fmt.Errorf("replayed %d dead letters, then: %w", n, err)
	}
	left, _, err := store.CountDeadLetters(ctx, db)
	if err != nil {
		return err
	}
	return p.print(replayResult{n, left}, func(to io.Writer) error {
		if _, err := fmt.Fprintf(to, "replayed %d dead letters, %d left\n", n, left); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}
