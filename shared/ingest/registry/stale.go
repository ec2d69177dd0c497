package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// staleKey exists while Redis's append-only file may hold a salt that the copy no longer
// has. Its value is due, or names the servers that are rewriting their files.
const (
	staleKey = "analytics:registry:stale"
	due      = "due"
)

func markStale(ctx context.Context, client redis.UniversalClient) error {
	return client.Set(ctx, staleKey, due, 0).Err()
}

// Forget makes Redis rewrite its append-only file if that may hold a salt that the copy no
// longer has. It does not wait for the end: a later call checks that, and tries again if
// the server failed or restarted. It returns nil when there is nothing to do.
func Forget(ctx context.Context, client redis.UniversalClient) error {
	state, err := client.Get(ctx, staleKey).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rewrite the append-only file: %w", err)
	}
	files, err := appendOnlyFiles(ctx, client)
	if err != nil {
		return fmt.Errorf("rewrite the append-only file: %w", err)
	}
	switch {
	case files.busy:
		return nil
	case state == files.started() && !files.failed:
		err = client.Del(ctx, staleKey).Err()
	default:
		for _, server := range files.servers {
			err = errors.Join(err, server.BgRewriteAOF(ctx).Err())
		}
		if err == nil {
			err = client.Set(ctx, staleKey, files.started(), 0).Err()
		}
	}
	if err != nil {
		return fmt.Errorf("rewrite the append-only file: %w", err)
	}
	return nil
}

// fileStates is the state of the append-only files of all servers that have one.
type fileStates struct {
	servers []*redis.Client
	runs    []string // ids of the servers' processes
	busy    bool     // a file is being rewritten
	failed  bool     // the last rewrite of a file failed
}

// started returns the value of staleKey once the rewrites have begun. It changes when a
// server restarts, which ends a rewrite.
func (s *fileStates) started() string {
	slices.Sort(s.runs)
	return strings.Join(s.runs, " ")
}

func appendOnlyFiles(ctx context.Context, client redis.UniversalClient) (*fileStates, error) {
	var mu sync.Mutex
	var all fileStates
	err := each(ctx, client, func(ctx context.Context, server *redis.Client) error {
		info, err := server.InfoMap(ctx, "server", "persistence").Result()
		if err != nil {
			return err
		}
		persistence := info["Persistence"]
		if persistence["aof_enabled"] == "0" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		all.servers = append(all.servers, server)
		all.runs = append(all.runs, info["Server"]["run_id"])
		all.busy = all.busy || persistence["aof_rewrite_in_progress"] == "1" || persistence["aof_rewrite_scheduled"] == "1"
		all.failed = all.failed || persistence["aof_last_bgrewrite_status"] != "ok"
		return nil
	})
	return &all, err
}

// each calls do for every server: one, or those of a cluster, side by side.
func each(ctx context.Context, client redis.UniversalClient, do func(context.Context, *redis.Client) error) error {
	switch client := client.(type) {
	case *redis.ClusterClient:
		return client.ForEachShard(ctx, do)
	case *redis.Client:
		return do(ctx, client)
	default:
		return fmt.Errorf("unknown kind of client %T", client)
	}
}
