package websocketbridge_test

import (
	"net/http"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/live"
)

// TestStreamsOfAnAddress opens as many streams of a public site as one address may have.
// Another one is refused, and neither another address nor the owner.
func TestStreamsOfAnAddress(t *testing.T) {
	t.Parallel()
	b := start(t, localtest.Redis(t), nil)
	if _, err := b.db.Exec(t.Context(), `UPDATE sites SET public = true`); err != nil {
		t.Fatal(err)
	}
	open := func(address, secret string) *http.Response {
		t.Helper()
		headers := map[string]string{"Accept": "text/event-stream", "Authorization": secret, "X-Forwarded-For": address}
		response, err := http.DefaultClient.Do(request(t, http.MethodGet, b.url+"/v1/live?site=example.com", headers))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	const crowded = "203.0.113.7"
	var streams []*http.Response
	for i := range live.MostOfClient {
		streams = append(streams, open(crowded, ""))
		if got := streams[i].StatusCode; got != http.StatusOK {
			t.Fatalf("stream %d: status %d", i, got)
		}
	}
	if got := open(crowded, ""); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("one more: status %d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	if got := open("203.0.113.8", "").StatusCode; got != http.StatusOK {
		t.Errorf("another address: status %d", got)
	}
	if got := open(crowded, "Bearer "+token).StatusCode; got != http.StatusOK {
		t.Errorf("the owner: status %d", got)
	}
	_ = streams[0].Body.Close()
	localtest.Eventually(t, "a closed stream makes room", func() bool { return open(crowded, "").StatusCode == http.StatusOK })
}
