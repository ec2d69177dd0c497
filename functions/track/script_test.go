package track_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// get requests a URL without decompressing the response.
func get(t *testing.T, url string, headers ...string) (response *http.Response, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	if response, err = client.Do(request); err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

func TestScript(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	plain, core := get(t, c.url+"/script.js")
	sum := sha256.Sum256(core)
	version := hex.EncodeToString(sum[:8])
	for name, test := range map[string]struct {
		path    string
		headers []string
		status  int
		cache   string // what Cache-Control must hold
	}{
		"plain":                   {"/script.js", nil, 200, "max-age=3600, stale-while-revalidate"},
		"extension":               {"/script.outbound.js", nil, 200, "max-age=3600"},
		"all extensions":          {"/script.404.downloads.engagement.forms.outbound.vitals.js", nil, 200, "max-age=3600"},
		"versioned":               {"/script." + version + ".js", nil, 200, "immutable"},
		"other version":           {"/script.0123456789abcdef.js", nil, 200, "max-age=3600"},
		"conditional":             {"/script.js", []string{"If-None-Match", plain.Header.Get("ETag")}, 304, "max-age=3600"},
		"conditional, compressed": {"/script.js", []string{"If-None-Match", plain.Header.Get("ETag"), "Accept-Encoding", "gzip"}, 304, "max-age=3600"},
		"unknown extension":       {"/script.core.js", nil, 404, ""},
		"empty extension":         {"/script..js", nil, 404, ""},
		"other file":              {"/scripts.js", nil, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, _ := get(t, c.url+test.path, test.headers...)
			if got := response.Header.Get("Cache-Control"); response.StatusCode != test.status || !strings.Contains(got, test.cache) {
				t.Errorf("status %d, Cache-Control %q; want %d, %q", response.StatusCode, got, test.status, test.cache)
			}
			if test.status == 200 && response.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
				t.Errorf("Content-Type %q", response.Header.Get("Content-Type"))
			}
		})
	}
	if _, body := get(t, c.url+"/script.pdf.js"); !bytes.Contains(body, []byte("404, downloads, engagement, forms, outbound, vitals")) {
		t.Errorf("unknown extension: got %s, want the list of extensions", body)
	}
	one, _ := get(t, c.url+"/script.forms.outbound.js")
	other, _ := get(t, c.url+"/script.outbound.forms.outbound.js")
	if one.Header.Get("ETag") == "" || one.Header.Get("ETag") != other.Header.Get("ETag") {
		t.Error("the script depends on the order of the extensions")
	}

	compressed, body := get(t, c.url+"/script.js", "Accept-Encoding", "gzip")
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	decompressed, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(decompressed, core) || compressed.Header.Get("Content-Encoding") != "gzip" || compressed.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v, %v; want the same script, compressed", err, compressed.Header)
	}
}

// TestScriptSize limits the size of the script that pages load.
func TestScriptSize(t *testing.T) {
	t.Parallel()
	c := start(t, localtest.Redis(t))
	for _, name := range []string{"", ".404", ".downloads", ".engagement", ".forms", ".outbound", ".vitals"} {
		_, body := get(t, c.url+"/script"+name+".js")
		var compressed bytes.Buffer
		w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("script%s.js: %d bytes, %d gzipped", name, len(body), compressed.Len())
		if name == "" && compressed.Len() >= 1000 {
			t.Errorf("the core has %d bytes gzipped, want less than 1000", compressed.Len())
		}
		if comment := regexp.MustCompile(`/\*|\n//`); comment.Match(body) {
			t.Errorf("script%s.js has comments", name)
		}
	}
}
