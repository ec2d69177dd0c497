package track_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/platformtest"
	"github.com/analytics-platform/analytics/shared/model/event"
)

// program starts the function's program, with the site example.com.
func program(t *testing.T, settings ...string) *platformtest.Program {
	t.Helper()
	database := localtest.Postgres(t)
	if _, err := localtest.Record(t, database).Exec(t.Context(), `INSERT INTO sites (public_id, domain, timezone) VALUES ('s_1', 'example.com', 'UTC')`); err != nil {
		t.Fatal(err)
	}
	return platformtest.Start(t, "track", append([]string{"DATABASE_URL=" + database, "REDIS_URL=" + localtest.Redis(t), "TRUSTED_PROXY_HOPS=1"}, settings...)...)
}

// postTo posts a body to the program. It returns the status, 0 if there was no answer.
func postTo(t *testing.T, p *platformtest.Program, path, encoding string, body []byte, address string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", agent)
	request.Header.Set("X-Forwarded-For", address)
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// atOnce calls do n times at once.
func atOnce(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

const smallEvent = `{"site":"example.com","type":"view","url":"https://example.com/"}`

// TestMemoryOfZstd sends many small bodies at once that declare a window of 8 MB.
func TestMemoryOfZstd(t *testing.T) {
	t.Parallel()
	p := program(t)
	// A frame with a window of 8 MB, without a content size or checksum, and a raw block.
	block := len(smallEvent)<<3 | 1
	frame := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, byte(block), byte(block >> 8), 0}, smallEvent...)
	for range 4 {
		atOnce(200, func(i int) {
			if status, answer := postTo(t, p, "/", "zstd", frame, fmt.Sprint("203.0.113.", i)); status != http.StatusAccepted {
				t.Errorf("status %d: %s", status, answer)
			}
		})
	}
	p.CheckMemory(t)
}

// TestMemoryOfBombs sends many bodies at once that unpack to a megabyte of properties.
func TestMemoryOfBombs(t *testing.T) {
	t.Parallel()
	p := program(t)
	var one strings.Builder
	one.WriteString(`{"site":"example.com","type":"view","url":"https://example.com/","props":{`)
	for i := 0; one.Len() < event.MaxEvent-100; i++ {
		fmt.Fprintf(&one, `"%x":1,`, i)
	}
	one.WriteString(`"z":1}}`)
	all := "[" + strings.Repeat(one.String()+",", event.MaxBody/(one.Len()+1)-1) + one.String() + "]"
	bodies := map[string][]byte{"gzip": zip(t, all), "": []byte(all)}
	for encoding, body := range bodies {
		atOnce(100, func(i int) {
			switch status, answer := postTo(t, p, "/", encoding, body, fmt.Sprint("203.0.113.", i)); status {
			case http.StatusAccepted, http.StatusServiceUnavailable:
			default:
				t.Errorf("status %d: %s", status, answer)
			}
		})
	}
	p.CheckMemory(t)
	if status, answer := postTo(t, p, "/", "", []byte(smallEvent), "203.0.113.7"); status != http.StatusAccepted {
		t.Errorf("afterwards: status %d: %s", status, answer)
	}
}

// TestMemoryOfSharedContext sends small batches at once whose messages share a large context.
func TestMemoryOfSharedContext(t *testing.T) {
	t.Parallel()
	p := program(t)
	page := fmt.Sprintf(`{"url":"https://example.com/%s","referrer":"https://x.example/%[1]s","title":"%s"}`, strings.Repeat("x", 1900), strings.Repeat("t", 500))
	body := zip(t, `{"writeKey":"s_1","context":{"page":`+page+`},"batch":[`+strings.Repeat(`{"type":"track","event":"a"},`, 999)+`{"type":"track","event":"a"}]}`)
	atOnce(150, func(i int) {
		switch status, answer := postTo(t, p, "/v1/batch", "gzip", body, fmt.Sprint("203.0.113.", i)); status {
		case http.StatusOK, http.StatusServiceUnavailable:
		default:
			t.Errorf("status %d: %s", status, answer)
		}
	})
	p.CheckMemory(t)
}

// TestMemoryOfHalfSentBodies sends many bodies halfway. Events in small bodies are accepted
// meanwhile, and the slow ones are ended.
func TestMemoryOfHalfSentBodies(t *testing.T) {
	t.Parallel()
	p := program(t)
	var conns []net.Conn
	atOnce(1, func(int) {
		for range 300 {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			conns = append(conns, conn)
		}
	})
	atOnce(len(conns), func(i int) {
		_, _ = fmt.Fprintf(conns[i], "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", event.MaxBody)
		_, _ = conns[i].Write(make([]byte, event.MaxBody-1)) // fails if the function has refused the body
	})
	if status, answer := postTo(t, p, "/", "", []byte(smallEvent), "203.0.113.7"); status != http.StatusAccepted {
		t.Errorf("an event meanwhile: status %d: %s", status, answer)
	}
	statuses := map[string]int{}
	for _, conn := range conns {
		answer, _ := io.ReadAll(conn) // until the function closes the connection
		line, _, _ := strings.Cut(string(answer), "\r\n")
		statuses[line]++
		_ = conn.Close()
	}
	t.Logf("answers: %v", statuses)
	if statuses["HTTP/1.1 408 Request Timeout"] == 0 || statuses["HTTP/1.1 503 Service Unavailable"] == 0 {
		t.Errorf("answers %v, want some with 408 and some with 503", statuses)
	}
	p.CheckMemory(t)
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return zipped.Bytes()
}
