package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// The names of the session cookie, over HTTP and HTTPS. Browsers take a cookie whose name has
// the prefix only over HTTPS, so that nobody on the network can replace it.
const (
	CookieName       = "analytics_session"
	SecureCookieName = "__Secure-" + CookieName
)

// cookieName returns the name of the session cookie of a request.
func cookieName(r *http.Request) string {
	if OverHTTPS(r) {
		return SecureCookieName
	}
	return CookieName
}

// A session is a row of the database, and a cookie with its id and a signature by a key that
// is derived from the owner's token. So only those who were signed in can make functions ask
// the database, and all sessions end when the token changes.

// SignIn starts a session if token is the owner's token.
func (a *Access) SignIn(w http.ResponseWriter, r *http.Request, token string) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if err := a.checkToken(r, token); err != nil {
		return err
	}
	id, err := sites.CreateSession(r.Context(), a.db, a.now())
	if err != nil {
		return err
	}
	setCookie(w, r, a.encodeSession(id), sites.SessionLife)
	return nil
}

// SignOut ends the session of the request, if it has one, and makes the browser delete its
// cookie. This Access refuses the session at once, others within cacheTTL.
func (a *Access) SignOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.checkOrigin(r); err != nil {
		return err
	}
	if id, ok := a.sessionOf(r); ok {
		if err := sites.DeleteSession(r.Context(), a.db, id); err != nil {
			return err
		}
		a.sessions.Remove(id)
	}
	setCookie(w, r, "", -time.Second)
	return nil
}

// SignOutEverywhere ends all sessions of the owner, if the owner has sent the request, and
// makes the browser delete its cookie. This Access refuses them at once, others within
// cacheTTL.
func (a *Access) SignOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	grant, err := a.grant(r)
	if err != nil {
		return err
	}
	if !grant.owner {
		return problem.New(http.StatusForbidden, problem.CodeForbidden, "only the owner may end sessions: sign in, or send the owner's token")
	}
	if err := sites.DeleteSessions(r.Context(), a.db); err != nil {
		return err
	}
	a.sessions.Purge()
	setCookie(w, r, "", -time.Second)
	return nil
}

// CheckSession returns an error unless the request belongs to a session.
func (a *Access) CheckSession(r *http.Request) error {
	_, err := a.session(r)
	return err
}

// session returns the grant of a request that belongs to a session.
func (a *Access) session(r *http.Request) (Grant, error) {
	if _, err := r.Cookie(cookieName(r)); err != nil {
		return Grant{}, unauthorized(signIn)
	}
	id, ok := a.sessionOf(r)
	if !ok {
		return Grant{}, unauthorized(sessionEnded)
	}
	session, err := a.useSession(r.Context(), id)
	if err != nil {
		return Grant{}, err
	}
	if err := a.checkOrigin(r); err != nil {
		return Grant{}, err
	}
	check := func(ctx context.Context) error {
		_, err := a.useSession(ctx, id)
		return err
	}
	return Grant{owner: true, credential: Credential{ExpiresAt: &session.ExpiresAt}, check: check}, nil
}

// sessionEnded is the detail of the problem for a request of a session that has ended.
const sessionEnded = "the session has ended, sign in again"

// cachedSession is a session and the time of its lookup.
type cachedSession struct {
	sites.Session
	at time.Time
}

// useSession returns a session from the cache or the database.
func (a *Access) useSession(ctx context.Context, id sites.SessionID) (sites.Session, error) {
	now := a.now()
	if cached, ok := a.sessions.Get(id); ok && now.Sub(cached.at) < cacheTTL && now.Before(cached.ExpiresAt) {
		return cached.Session, nil
	}
	session, err := sites.UseSession(ctx, a.db, id, now)
	if errors.Is(err, sites.ErrNoSession) {
		a.sessions.Remove(id)
		return sites.Session{}, unauthorized(sessionEnded)
	}
	if err != nil {
		return sites.Session{}, err
	}
	a.sessions.Add(id, cachedSession{session, now})
	return session, nil
}

// whileValid calls check every cacheTTL, and returns a context that ends when check answers
// 401, so that a stream does not outlast its credential. Other errors, such as of the database,
// don't end it.
func whileValid(ctx context.Context, check func(context.Context) error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	var repeat func()
	repeat = func() {
		if ctx.Err() != nil {
			return
		}
		if problem.Of(check(ctx)).Status == http.StatusUnauthorized {
			cancel()
			return
		}
		time.AfterFunc(cacheTTL, repeat)
	}
	first := time.AfterFunc(cacheTTL, repeat)
	return ctx, func() {
		first.Stop()
		cancel()
	}
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

// OverHTTPS reports whether the browser sent the request over HTTPS, to this process or to a
// gateway that says so.
func OverHTTPS(r *http.Request) bool {
	proto := forwarded(r, "X-Forwarded-Proto")
	return r.TLS != nil || strings.EqualFold(proto, "https") || strings.EqualFold(proto, "wss") // Traefik's, for WebSockets
}

// forwarded returns the first value of a header that proxies append to.
func forwarded(r *http.Request, header string) string {
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(first)
}

// setCookie sets the session cookie, or deletes it if it lasts for a negative time.
func setCookie(w http.ResponseWriter, r *http.Request, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure must be off where the dashboard is used over plain HTTP
		Name: cookieName(r), Value: value, Path: cookiePath(r), MaxAge: int(lasts / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: OverHTTPS(r),
	})
}

// cookiePath returns the path below which the functions are, such as /function/, so that
// nothing else on the host gets the cookie. It is the parent of the page's folder. Gateways
// strip it from requests, so only Referer has it; without, it is the whole host.
func cookiePath(r *http.Request) string {
	page, err := url.Parse(r.Referer())
	if err != nil {
		return "/"
	}
	path := page.EscapedPath()
	folder := path[:max(strings.LastIndexByte(path, '/'), 0)]
	parent := folder[:strings.LastIndexByte(folder, '/')+1]
	if parent == "" || strings.Contains(parent, ";") { // a cookie's path has no semicolon
		return "/"
	}
	return parent
}

// encodeSession returns the value of the cookie: the id and a signature.
func (a *Access) encodeSession(id sites.SessionID) string {
	return base64.RawURLEncoding.EncodeToString(append(id[:], a.sign(id[:])...))
}

// sessionOf returns the id in the cookie of a request, unless its signature is wrong.
func (a *Access) sessionOf(r *http.Request) (id sites.SessionID, ok bool) {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return sites.SessionID{}, false
	}
	value, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	if err != nil || len(value) != len(id)+sha256.Size || !hmac.Equal(value[len(id):], a.sign(value[:len(id)])) {
		return sites.SessionID{}, false
	}
	return sites.SessionID(value[:len(id)]), true
}

func (a *Access) sign(value []byte) []byte {
	mac := hmac.New(sha256.New, a.sessionKey)
	mac.Write(value)
	return mac.Sum(nil)
}
