package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// OpenFaaS returns a gateway as New does, which changes requests to functions as OpenFaaS's
// gateway and provider do together. The functions listen at addresses, by name.
//
//   - A path is decoded twice, so a function never sees %2F. A path with // or /../ is
//     redirected with 301.
//   - Methods other than GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS get 405.
//   - Upgrades are removed: a function sees a plain GET.
//   - Bodies have no Content-Length.
//   - Host is the function's address, and the client's Host is in X-Forwarded-Host.
//   - The client's address is in X-Forwarded-For, with its port. If the client sends the
//     header, it is forwarded unchanged.
//   - Responses are buffered. One that is not complete within the timeout becomes a 502.
//   - If Accept begins with text/event-stream, the response is streamed, and is cut at the
//     timeout. Then Host is the client's, X-Forwarded-Host is not added, and the client and
//     the gateway are appended to X-Forwarded-For without ports.
func OpenFaaS(functions map[string]Function, addresses map[string]string, home string, timeout time.Duration) http.Handler {
	o := &openFaaS{
		addresses: addresses,
		timeout:   timeout,
		others:    New(functions, home),
		transport: &http.Transport{DialContext: new(net.Dialer).DialContext, MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Minute},
	}
	o.streams = &httputil.ReverseProxy{
		Transport:    o.transport,
		Rewrite:      rewriteStream,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {},
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	return o
}

type openFaaS struct {
	addresses map[string]string
	timeout   time.Duration
	others    http.Handler // for all but functions
	transport *http.Transport
	streams   *httputil.ReverseProxy
}

// self is the address of the gateway in X-Forwarded-For.
const self = "127.0.0.1"

// functionPath matches the name of a function and the rest of the path.
var functionPath = regexp.MustCompile(`^/function/([-a-zA-Z_0-9.]+)(/.*)?$`)

// methods returns the methods that are forwarded.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
}

func (o *openFaaS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, prefix) {
		o.others.ServeHTTP(w, r)
		return
	}
	if redirectToClean(w, r.URL) {
		return
	}
	stream := strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
	target := r.URL
	if !stream { // the gateway builds a new URL from the decoded path, which the provider parses
		again, err := url.Parse(r.URL.Path + "?" + r.URL.RawQuery)
		if err != nil {
			panic(http.ErrAbortHandler) // as OpenFaaS does
		}
		if redirectToClean(w, again) {
			return
		}
		target = again
	}
	match := functionPath.FindStringSubmatch(target.Path)
	if match == nil {
		o.others.ServeHTTP(w, r)
		return
	}
	address, ok := o.addresses[strings.TrimSuffix(match[1], ".openfaas-fn")]
	if !ok {
		o.others.ServeHTTP(w, r)
		return
	}
	if !slices.Contains(methods(), r.Method) {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), o.timeout)
	defer cancel()
	to := r.WithContext(ctx)
	to.URL = &url.URL{Scheme: "http", Host: address, Path: "/" + strings.TrimPrefix(match[2], "/"), RawQuery: target.RawQuery}
	if stream {
		o.stream(w, to)
		return
	}
	o.forward(w, to)
}

// redirectToClean redirects a request for an unclean path to the clean one, and reports
// whether it did.
func redirectToClean(w http.ResponseWriter, target *url.URL) bool {
	clean := path.Clean(target.Path)
	if strings.HasSuffix(target.Path, "/") && clean != "/" {
		clean += "/"
	}
	if clean == target.Path {
		return false
	}
	to := url.URL{Path: clean, RawQuery: target.RawQuery}
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusMovedPermanently)
	return true
}

// forward forwards a request, and then the complete response.
func (o *openFaaS) forward(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), nil) //nolint:gosec // the address is one of the gateway's functions
	if err != nil {
		problem.Write(w, problem.New(http.StatusBadRequest, "malformed", "the URL can't be forwarded"))
		return
	}
	request.Header = withoutHopHeaders(r.Header)
	if request.Header.Get("X-Forwarded-Host") == "" {
		request.Header.Set("X-Forwarded-Host", r.Host)
	}
	if request.Header.Get("X-Forwarded-For") == "" {
		request.Header.Set("X-Forwarded-For", r.RemoteAddr)
	}
	// The provider treats these as streams, unlike the gateway.
	if accept := strings.ToLower(r.Header.Get("Accept")); strings.Contains(accept, "text/event-stream") || strings.Contains(accept, "application/x-ndjson") {
		request.Header.Set("X-Forwarded-For", request.Header.Get("X-Forwarded-For")+", "+self)
	}
	request.Body = r.Body // without its length

	response, err := o.transport.RoundTrip(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = response.Body.Close() }()
	if response.Header.Get("Content-Type") == "" {
		kind := r.Header.Get("Content-Type")
		if kind == "" {
			kind = "text/plain"
		}
		response.Header.Set("Content-Type", kind)
	}
	for name, values := range response.Header {
		w.Header()[name] = slices.Clone(values)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body) // fails only if the client is gone
}

// withoutHopHeaders returns a copy of a header without the hop-by-hop headers.
func withoutHopHeaders(header http.Header) http.Header {
	h := header.Clone()
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		h.Del(name)
	}
	return h
}

// stream forwards a request, and the response while it is written.
func (o *openFaaS) stream(w http.ResponseWriter, r *http.Request) {
	r.Header = withoutHopHeaders(r.Header)
	defer func() {
		// A stream that is cut at the timeout ends as if it were complete.
		if reason := recover(); reason != nil {
			if err, ok := reason.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(reason)
			}
		}
	}()
	o.streams.ServeHTTP(w, r)
}

func rewriteStream(r *httputil.ProxyRequest) {
	client, _, err := net.SplitHostPort(r.In.RemoteAddr)
	if err != nil {
		client = r.In.RemoteAddr
	}
	hops := append(slices.Clone(r.In.Header.Values("X-Forwarded-For")), client, self)
	r.Out.Header.Set("X-Forwarded-For", strings.Join(hops, ", "))
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		if values := r.In.Header.Values(name); len(values) > 0 {
			r.Out.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
	}
}
