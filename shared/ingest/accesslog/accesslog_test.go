package accesslog_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/analytics-platform/analytics/shared/ingest/accesslog"
)

const common = `203.0.113.9 - - [10/Oct/2026:13:55:36 +0200] "GET /pricing?utm_source=a HTTP/1.1" 200 2326 "https://www.google.com/" "Mozilla/5.0 (X11)"`

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 10, 11, 55, 36, 0, time.UTC)
	view := accesslog.Line{
		Address: netip.MustParseAddr("203.0.113.9"), Time: at, Method: "GET", Target: "/pricing?utm_source=a", Status: 200,
		Referrer: "https://www.google.com/", UserAgent: "Mozilla/5.0 (X11)",
	}
	with := func(change func(*accesslog.Line)) accesslog.Line {
		l := view
		change(&l)
		return l
	}
	for name, test := range map[string]struct {
		text string
		want accesslog.Line
	}{
		"combined":                {common, view},
		"CR LF":                   {common + "\r\n", view},
		"extra field":             {common + ` "-" 0.003`, view},
		"virtual host":            {"WWW.Example.com:443 " + common, with(func(l *accesslog.Line) { l.Host = "www.example.com" })},
		"user with a space":       {strings.Replace(common, "- -", "- Ann Lee", 1), view},
		"IPv6":                    {strings.Replace(common, "203.0.113.9", "2001:db8::1", 1), with(func(l *accesslog.Line) { l.Address = netip.MustParseAddr("2001:db8::1") })},
		"IPv4 in IPv6":            {strings.Replace(common, "203.0.113.9", "::ffff:203.0.113.9", 1), view},
		"no referrer":             {strings.Replace(common, "https://www.google.com/", "-", 1), with(func(l *accesslog.Line) { l.Referrer = "" })},
		"escaped quotation marks": {strings.Replace(common, "(X11)", `\"a\x22`, 1), with(func(l *accesslog.Line) { l.UserAgent = `Mozilla/5.0 "a"` })},
		"no bytes":                {strings.Replace(common, "200 2326", "304 -", 1), with(func(l *accesslog.Line) { l.Status = 304 })},
		"malformed request":       {strings.Replace(common, "GET /pricing?utm_source=a HTTP/1.1\" 200", `\x16\x03 a b c" 400`, 1), with(func(l *accesslog.Line) { l.Method, l.Target, l.Status = "-", "-", 400 })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := accesslog.Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"empty":          {"", accesslog.ErrFields},
		"another format": {`{"time":"2026-10-10T13:55:36Z"}`, accesslog.ErrFields},
		"no user agent":  {common[:strings.LastIndex(common, ` "`)], accesslog.ErrFields},
		"truncated":      {common[:len(common)-4], accesslog.ErrFields},
		"no address":     {strings.Replace(common, "203.0.113.9", "client.example", 1), accesslog.ErrAddress},
		"no time":        {strings.Replace(common, "10/Oct/2026", "2026-10-10", 1), accesslog.ErrTime},
		"no request":     {strings.Replace(common, "GET /pricing?utm_source=a HTTP/1.1", "GET", 1), accesslog.ErrRequest},
		"no status":      {strings.Replace(common, " 200 ", " OK ", 1), accesslog.ErrStatus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := accesslog.Parse(test.text); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestNoView(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		line accesslog.Line
		want accesslog.Reason
	}{
		"page":          {accesslog.Line{Method: "GET", Target: "/pricing", Status: 200}, ""},
		"front page":    {accesslog.Line{Method: "GET", Target: "/?a=b.png", Status: 200}, ""},
		"not modified":  {accesslog.Line{Method: "GET", Target: "/a/index.html", Status: 304}, ""},
		"version":       {accesslog.Line{Method: "GET", Target: "/docs/v1.2", Status: 200}, ""},
		"POST":          {accesslog.Line{Method: "POST", Target: "/pricing", Status: 200}, accesslog.Method},
		"redirect":      {accesslog.Line{Method: "GET", Target: "/old", Status: 301}, accesslog.Status},
		"not found":     {accesslog.Line{Method: "GET", Target: "/no", Status: 404}, accesslog.Status},
		"image":         {accesslog.Line{Method: "GET", Target: "/a.PNG?v=1", Status: 200}, accesslog.Asset},
		"robots":        {accesslog.Line{Method: "GET", Target: "/robots.txt", Status: 200}, accesslog.Asset},
		"proxy request": {accesslog.Line{Method: "GET", Target: "http://other.example/", Status: 200}, accesslog.Asset},
		"asterisk":      {accesslog.Line{Method: "GET", Target: "*", Status: 200}, accesslog.Asset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.line.NoView(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzParse checks that parsed lines are complete, and that errors don't contain the line.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		common, "example.com:443 " + common, common + ` "-" 0.003`, strings.Replace(common, "203.0.113.9", "2001:db8::1", 1),
		strings.Replace(common, "(X11)", `\"a\x22\`, 1), strings.Replace(common, "GET /pricing?utm_source=a HTTP/1.1", `\x16\x03`, 1), "", " [] \"", "- - - [",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := accesslog.Parse(text)
		if err != nil {
			if l != (accesslog.Line{}) || len(text) > 200 && strings.Contains(err.Error(), text) {
				t.Errorf("error %v with line %+v", err, l)
			}
			return
		}
		if !l.Address.IsValid() || l.Time.Nanosecond() != 0 || l.Method == "" || l.Target == "" || l.Status < 100 || l.Status > 999 {
			t.Errorf("%+v", l)
		}
		l.NoView()
	})
}
