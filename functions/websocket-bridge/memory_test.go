package websocketbridge_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestMemoryOfHostileQueue checks that the program stays within the memory that it is deployed
// with while it reads a long backlog of large events at its start, and follows a flood of them
// with many clients that read nothing.
func TestMemoryOfHostileQueue(t *testing.T) {
	t.Parallel()
	const backlog, flood, clients = 9500, 4000, 500
	database, redisURL := localtest.Postgres(t), localtest.Redis(t)
	site, err := sites.Create(t.Context(), localtest.Record(t, database), sites.Draft{Domain: "example.com", Name: "Example", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{site: site}
	writer := queue.NewWriter(localtest.Client(t, redisURL))
	t.Cleanup(writer.Close)
	send := func(from, n int) {
		for i := range n {
			e := b.view(int64(from + i))
			e.Page, e.Props = fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 2000)), map[string]string{}
			for key := range 18 {
				e.Props[strconv.Itoa(key)] = strings.Repeat("x", 1000)
			}
			if err := writer.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(0, backlog)
	p := platformtest.Start(t, "websocket-bridge", "DATABASE_URL="+database, "REDIS_URL="+redisURL, "ADMIN_TOKEN="+token)
	for range clients {
		response, err := http.DefaultClient.Do(request(t, http.MethodGet, p.URL+"/v1/live?site=example.com", map[string]string{"Accept": "text/event-stream"}))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
	}
	reader := listen(t, &bridge{url: p.URL, site: site}, "")
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, &scanned{reader})
		ended <- err
	}()
	send(backlog, flood)
	p.CheckMemory(t)
	select {
	case err := <-ended:
		t.Errorf("the stream of a client that reads ended: %v", err)
	default:
	}
}

// scanned reads the lines of a stream.
type scanned struct{ *stream }

func (s *scanned) Read(p []byte) (int, error) {
	if !s.lines.Scan() {
		return 0, io.EOF
	}
	return copy(p, s.lines.Bytes()), nil
}
