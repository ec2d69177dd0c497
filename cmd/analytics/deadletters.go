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
	Limit int `default:"100" placeholder:"N" help:"How many at most (${default})."`
}

// Run lists dead letters.
func (c *listCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	if c.Limit < 1 {
		return errors.New("--limit must be 1 or more")
	}
	db, err := env.Database(ctx)
	if err != nil {
		return err
	}
	list, err := deadletter.Read(ctx, db, 0, c.Limit)
	if err != nil {
		return err
	}
	return p.print(list, func(to io.Writer) error {
		t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "ID\tSHARD\tKEPT SINCE\tBYTES\tREASON") // Flush tells
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
	Limit *int `placeholder:"N" help:"How many at most; all when left out."`
}

// replayed is what is printed as JSON.
type replayed struct {
	Replayed int   `json:"replayed"` // put back into the queue
	Left     int64 `json:"left"`     // in the record
}

// Run puts dead letters back.
func (c *replayCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	if c.Limit != nil && *c.Limit < 1 {
		return errors.New("--limit must be 1 or more")
	}
	db, err := env.Database(ctx)
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
	bar, done := progress(limit, "putting back", "letters")
	n, err := deadletter.Replay(ctx, db, client, limit, func(n int) { _ = bar.Set(n) }) // it only draws
	done()
	if err != nil {
		return fmt.Errorf("%d letters were put back, then: %w", n, err)
	}
	left, _, err := store.CountDeadLetters(ctx, db)
	if err != nil {
		return err
	}
	return p.print(replayed{n, left}, func(to io.Writer) error {
		if _, err := fmt.Fprintf(to, "%d dead letters were put back, %d are left\n", n, left); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}
