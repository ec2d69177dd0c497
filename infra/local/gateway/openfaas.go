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

// OpenFaaS returns a gateway as New does, that treats what is asked of functions as
// OpenFaaS does, its gateway and its provider together, since each of them changes
// something. The functions listen at addresses, by name, as containers do.
//
//   - A path is decoded, twice: a function never sees %2F. One with // or /../ in it is
//     answered with 301.
//   - Methods other than GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS: 405.
//   - Upgrades are taken out: a function sees a plain GET.
//   - Bodies come without their length.
//   - Host is the function's own, and the client's is in X-Forwarded-Host.
//   - The client is in X-Forwarded-For, with its port; what a client says of itself
//     there is passed on as it is.
//   - An answer arrives whole, or with 502 when it isn't there within the timeout.
//   - Where Accept begins with text/event-stream the answer arrives as it is written,
//     and is cut at the timeout. Then Host is the client's, X-Forwarded-Host is left
//     out, and the client and the gateway are added to X-Forwarded-For without ports.
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
	others    http.Handler // what is no function
	transport *http.Transport
	streams   *httputil.ReverseProxy
}

// self is the address of the gateway as it tells it to functions.
const self = "127.0.0.1"

// functionPath has the name of a function, and the rest of the path.
var functionPath = regexp.MustCompile(`^/function/([-a-zA-Z_0-9.]+)(/.*)?$`)

// methods are those that get through.
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
	asked := r.URL
	if !stream { // the gateway makes a new address of the decoded path, and the provider reads that
		again, err := url.Parse(r.URL.Path + "?" + r.URL.RawQuery)
		if err != nil {
			panic(http.ErrAbortHandler) // as it does there
		}
		if redirectToClean(w, again) {
			return
		}
		asked = again
	}
	match := functionPath.FindStringSubmatch(asked.Path)
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
	to.URL = &url.URL{Scheme: "http", Host: address, Path: "/" + strings.TrimPrefix(match[2], "/"), RawQuery: asked.RawQuery}
	if stream {
		o.stream(w, to)
		return
	}
	o.pass(w, to)
}

// redirectToClean sends those who ask for an untidy path to the tidy one.
func redirectToClean(w http.ResponseWriter, asked *url.URL) bool {
	clean := path.Clean(asked.Path)
	if strings.HasSuffix(asked.Path, "/") && clean != "/" {
		clean += "/"
	}
	if clean == asked.Path {
		return false
	}
	to := url.URL{Path: clean, RawQuery: asked.RawQuery}
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusMovedPermanently)
	return true
}

// pass passes a request on and its answer back, when all of it is there.
func (o *openFaaS) pass(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), nil) //nolint:gosec // the address is one of the gateway's own
	if err != nil {
		problem.Write(w, problem.New(http.StatusBadRequest, "malformed", "the address can't be passed on"))
		return
	}
	request.Header = withoutHops(r.Header)
	if request.Header.Get("X-Forwarded-Host") == "" {
		request.Header.Set("X-Forwarded-Host", r.Host)
	}
	if request.Header.Get("X-Forwarded-For") == "" {
		request.Header.Set("X-Forwarded-For", r.RemoteAddr)
	}
	// The provider takes these for streams, and the gateway has not.
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
	_, _ = io.Copy(w, response.Body) // a client that has gone away is nobody's error
}

// withoutHops is what is left of a request's header once what concerns only the two
// at the ends of a connection is taken out.
func withoutHops(header http.Header) http.Header {
	left := header.Clone()
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		left.Del(name)
	}
	return left
}

// stream passes a request on, and its answer back as it comes.
func (o *openFaaS) stream(w http.ResponseWriter, r *http.Request) {
	r.Header = withoutHops(r.Header)
	defer func() {
		// A stream that is cut ends as if it were complete.
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
