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

// CookieName is the name of the session cookie.
const CookieName = "analytics_session"

const (
	// sessionTTL is how long an unused session lasts.
	sessionTTL = 7 * 24 * time.Hour
	// renewAfter is the age at which the cookie of a used session is renewed.
	renewAfter = 24 * time.Hour
)

// A session exists only as a cookie: its time of expiry, signed with a key derived from
// the owner's token. It ends when it expires, when the token changes or when the browser
// deletes the cookie.

// SignIn starts a session if token is the owner's token.
func (a *Access) SignIn(w http.ResponseWriter, r *http.Request, token string) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if err := a.checkToken(r, token); err != nil {
		return err
	}
	a.setCookie(w, r, a.now().Add(sessionTTL))
	return nil
}

// SignOut makes the browser delete its session cookie.
func (a *Access) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	a.setCookie(w, r, time.Time{})
	return nil
}

// CheckSession returns an error unless the request belongs to a session. It renews the
// session if necessary.
func (a *Access) CheckSession(w http.ResponseWriter, r *http.Request) error { return a.session(w, r) }

func (a *Access) session(w http.ResponseWriter, r *http.Request) error {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return unauthorized(signIn)
	}
	now := a.now()
	end, ok := a.decodeSession(cookie.Value)
	if !ok || !now.Before(end) {
		return unauthorized("the session has ended, sign in again")
	}
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if end.Sub(now) < sessionTTL-renewAfter {
		a.setCookie(w, r, now.Add(sessionTTL))
	}
	return nil
}

// checkOrigin returns an error for a request that changes something and was sent by a page
// of another website.
func (a *Access) checkOrigin(r *http.Request) error {
	if err := a.origins.Check(WithForwardedHost(r)); err != nil {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "pages of other sites may not send this request")
	}
	return nil
}

// CheckOrigin returns an error for any request that was sent by a page of another website,
// even if it only reads: the same-origin policy of browsers does not cover WebSockets.
func (a *Access) CheckOrigin(r *http.Request) error {
	post := WithForwardedHost(r)
	post.Method = http.MethodPost
	return a.checkOrigin(post)
}

// WithForwardedHost returns a copy of the request with the host to which the browser sent
// it. Behind a gateway that is X-Forwarded-Host, which a page of another website can't set.
func WithForwardedHost(r *http.Request) *http.Request {
	out := *r
	if host := forwarded(r, "X-Forwarded-Host"); host != "" {
		out.Host = host
	}
	return &out
}

// forwarded returns the first value of a header that proxies append to.
func forwarded(r *http.Request, header string) string {
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(first)
}

// setCookie sets a session cookie that is valid until end, or deletes it if end is zero.
func (a *Access) setCookie(w http.ResponseWriter, r *http.Request, end time.Time) {
	cookie := &http.Cookie{ //nolint:gosec // G124: Secure must be off where the dashboard is used over plain HTTP
		Name: CookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(forwarded(r, "X-Forwarded-Proto"), "https"),
		MaxAge: -1,
	}
	if !end.IsZero() {
		cookie.Value, cookie.MaxAge = a.encodeSession(end), int(sessionTTL/time.Second)
	}
	http.SetCookie(w, cookie)
}

// encodeSession returns the value of the cookie: the end in Unix seconds and a signature.
func (a *Access) encodeSession(end time.Time) string {
	value := binary.BigEndian.AppendUint64(nil, uint64(end.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(value, a.sign(value)...))
}

func (a *Access) decodeSession(text string) (end time.Time, ok bool) {
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
