package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// CookieName is the cookie of a session.
const CookieName = "analytics_session"

const (
	// sessionFor is how long a session lasts that is not used.
	sessionFor = 7 * 24 * time.Hour
	// renewAfter is how old the cookie of a session in use gets before it is renewed.
	renewAfter = 24 * time.Hour
)

// A session is nothing but its cookie: the time at which it ends, signed with a
// key that follows from the owner's token. Nothing of it is kept here, so it ends
// by time, by a new token, or by the browser forgetting it.

// SignIn begins a session for whoever knows the owner's token.
func (a *Access) SignIn(w http.ResponseWriter, r *http.Request, token string) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if err := a.checkToken(token); err != nil {
		return err
	}
	a.setCookie(w, r, a.now().Add(sessionFor))
	return nil
}

// SignOut has the browser forget its session.
func (a *Access) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	a.setCookie(w, r, time.Time{})
	return nil
}

// SignedIn is nil when the request belongs to a session, which it keeps from
// ending.
func (a *Access) SignedIn(w http.ResponseWriter, r *http.Request) error { return a.session(w, r) }

func (a *Access) session(w http.ResponseWriter, r *http.Request) error {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return unauthorized(signIn)
	}
	now := a.now()
	end, ok := a.readSession(cookie.Value)
	if !ok || !now.Before(end) {
		return unauthorized("the session has ended, sign in again")
	}
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if end.Sub(now) < sessionFor-renewAfter {
		a.setCookie(w, r, now.Add(sessionFor))
	}
	return nil
}

// checkOrigin refuses what a page of another website has a browser change.
func (a *Access) checkOrigin(r *http.Request) error {
	if err := a.origins.Check(AsSent(r)); err != nil {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "a page of another site may not do this")
	}
	return nil
}

// CheckPage refuses what a page of another website has a browser send, reading
// included: a WebSocket is not held to the rule that keeps pages from reading the
// answers of other sites.
func (a *Access) CheckPage(r *http.Request) error {
	sent := AsSent(r)
	sent.Method = http.MethodPost
	return a.checkOrigin(sent)
}

// AsSent is a request with the host to which the browser sent it: behind a gateway
// that is in X-Forwarded-Host, which no page of another website can set.
func AsSent(r *http.Request) *http.Request {
	sent := *r
	if host := forwarded(r, "X-Forwarded-Host"); host != "" {
		sent.Host = host
	}
	return &sent
}

// forwarded is what the first hop said of the request in a header.
func forwarded(r *http.Request, header string) string {
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(first)
}

// setCookie gives the browser a session that lasts until end, or, when end is
// zero, takes it away.
func (a *Access) setCookie(w http.ResponseWriter, r *http.Request, end time.Time) {
	cookie := &http.Cookie{ //nolint:gosec // G124: Secure must be off where the dashboard is used over plain HTTP
		Name: CookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(forwarded(r, "X-Forwarded-Proto"), "https"),
		MaxAge: -1,
	}
	if !end.IsZero() {
		cookie.Value, cookie.MaxAge = a.writeSession(end), int(sessionFor/time.Second)
	}
	http.SetCookie(w, cookie)
}

// writeSession is the cookie's value: the end in Unix seconds, then the signature.
func (a *Access) writeSession(end time.Time) string {
	value := binary.BigEndian.AppendUint64(nil, uint64(end.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(value, a.sign(value)...))
}

func (a *Access) readSession(text string) (end time.Time, ok bool) {
	const stamp = 8
	value, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(value) != stamp+sha256.Size || !hmac.Equal(value[stamp:], a.sign(value[:stamp])) {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(value)), 0), true
}

func (a *Access) sign(value []byte) []byte {
	mac := hmac.New(sha256.New, a.sessionKey)
	mac.Write(value)
	return mac.Sum(nil)
}
