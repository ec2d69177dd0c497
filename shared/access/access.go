// Package access decides who may ask for what: the owner, by the installation's
// token or by a session in the dashboard, and programs, by API keys.
//
// It keeps nothing about who asks: no addresses, no failed secrets. It must never
// put a secret into a log, an error or an answer.
package access

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/analytics-platform/analytics/shared/problem"
	"github.com/analytics-platform/analytics/shared/store"
)

// MinToken is how many characters the owner's token must have.
const MinToken = 16

const (
	// freshFor is how long a key that was looked up is used without another look:
	// within it, a key that was revoked may still be taken.
	freshFor = 5 * time.Second
	// keysHeld bounds how many keys are remembered.
	keysHeld = 10_000
)

// Wrong tokens and unknown keys are counted for the whole process, so that no
// address has to be kept. The token may be chosen by a person and is worth
// guessing, so that too many wrong ones close that way even to the right one for a
// moment; sessions and keys are not concerned. A key can't be guessed: there the
// limit keeps strangers from making work for the database.
const (
	wrongTokensPerSecond  = 5
	wrongTokensAtOnce     = 50
	unknownKeysPerSecond  = 50
	unknownKeysAtOnce     = 200
	retryAfterWrongTokens = "1" // seconds
)

// CodeTooManyAttempts is the code of the problem that answers too many wrong
// tokens.
const CodeTooManyAttempts = "too_many_attempts"

// A LookUp finds the key with a secret and notes that it was used. No such key is
// store.ErrNoKey.
type LookUp func(ctx context.Context, secret string) (store.Key, error)

// Keys looks keys up in the record.
func Keys(db store.DB, now func() time.Time) LookUp {
	return func(ctx context.Context, secret string) (store.Key, error) {
		return store.UseKey(ctx, db, secret, now())
	}
}

// NoKeys is for a function that has no use for API keys.
func NoKeys(context.Context, string) (store.Key, error) { return store.Key{}, store.ErrNoKey }

// Access knows the owner's token and the keys. It is safe for concurrent use.
type Access struct {
	token      [sha256.Size]byte // hashed, so that comparing tells nothing of its length
	sessionKey []byte
	lookUp     LookUp
	log        *slog.Logger
	now        func() time.Time
	origins    http.CrossOriginProtection

	wrongTokens *rate.Limiter
	unknownKeys *rate.Limiter

	known *lru.Cache[[sha256.Size]byte, knownKey]
}

// knownKey is a key that was good when it was last looked up.
type knownKey struct {
	store.Key
	at time.Time
}

// New takes the owner's token, which must have MinToken characters or more.
func New(token string, lookUp LookUp, log *slog.Logger, now func() time.Time) (*Access, error) {
	if len(token) < MinToken {
		return nil, fmt.Errorf("ADMIN_TOKEN must have at least %d characters, e.g. from: openssl rand -hex 24", MinToken)
	}
	sessionKey, err := hkdf.Key(sha256.New, []byte(token), nil, "analytics dashboard session", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of sessions: %w", err)
	}
	known, err := lru.New[[sha256.Size]byte, knownKey](keysHeld)
	if err != nil {
		return nil, fmt.Errorf("make room for keys: %w", err)
	}
	return &Access{
		token:       sha256.Sum256([]byte(token)),
		sessionKey:  sessionKey,
		lookUp:      lookUp,
		log:         log,
		now:         now,
		wrongTokens: rate.NewLimiter(wrongTokensPerSecond, wrongTokensAtOnce),
		unknownKeys: rate.NewLimiter(unknownKeysPerSecond, unknownKeysAtOnce),
		known:       known,
	}, nil
}

// Grant is what whoever made a request may do.
type Grant struct {
	owner  bool
	scopes []store.Scope
	sites  []int32
}

// Owner tells whether it was the owner.
func (g Grant) Owner() bool { return g.owner }

// Everything tells whether all sites, and what belongs to none, may be seen.
func (g Grant) Everything() bool { return g.owner || len(g.sites) == 0 }

// Sees tells whether a site may be seen.
func (g Grant) Sees(site int32) bool { return g.Everything() || slices.Contains(g.sites, site) }

func (g Grant) allows(scope store.Scope) bool { return g.owner || slices.Contains(g.scopes, scope) }

type grantKey struct{}

// Of is the grant of a request that Require has let through. Of any other it
// allows nothing.
func Of(ctx context.Context) Grant {
	if grant, ok := ctx.Value(grantKey{}).(Grant); ok {
		return grant
	}
	return Grant{sites: []int32{0}} // no site has this id
}

// Site finds a site by its domain or public id for a request that Require has let
// through. A key for some sites learns nothing of the others, not even whether
// they exist.
func Site(ctx context.Context, db store.DB, field, name string) (store.Site, error) {
	grant := Of(ctx)
	site, err := store.SiteNamed(ctx, db, name)
	switch {
	case err != nil && !errors.Is(err, store.ErrNoSite):
		return site, err
	case !grant.Everything() && (err != nil || !grant.Sees(site.ID)):
		p := problem.New(http.StatusForbidden, problem.CodeForbidden, "this key is for other sites")
		p.Field = field
		return store.Site{}, p
	case err != nil:
		p := problem.New(http.StatusNotFound, "site_unknown", "no such site: use the domain or the public id of a site of this installation")
		p.Field = field
		return store.Site{}, p
	}
	return site, nil
}

// Require lets through the requests that may ask for things of a scope.
func (a *Access) Require(scope store.Scope, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, err := a.grant(w, r)
		if err == nil && !grant.allows(scope) {
			err = problem.New(http.StatusForbidden, problem.CodeForbidden, fmt.Sprintf("this key has not the scope %s", scope))
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, grant)))
	})
}

// grant finds out who made a request. It may write a cookie, never an answer.
func (a *Access) grant(w http.ResponseWriter, r *http.Request) (Grant, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Grant{}, unauthorized("send the token or key as: Authorization: Bearer TOKEN")
		}
		return a.bearer(r.Context(), strings.TrimSpace(secret))
	}
	if err := a.session(w, r); err != nil {
		return Grant{}, err
	}
	return Grant{owner: true}, nil
}

func (a *Access) bearer(ctx context.Context, secret string) (Grant, error) {
	if strings.HasPrefix(secret, store.KeyPrefix) {
		key, err := a.key(ctx, secret)
		return Grant{scopes: key.Scopes, sites: key.Sites}, err
	}
	return Grant{owner: true}, a.checkToken(secret)
}

// checkToken is nil for the owner's token.
func (a *Access) checkToken(token string) error {
	now := a.now()
	attempt := a.wrongTokens.ReserveN(now, 1)
	if attempt.DelayFrom(now) > 0 {
		attempt.CancelAt(now)
		return tooMany()
	}
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], a.token[:]) != 1 {
		return unauthorized("the token is not the one of this installation")
	}
	attempt.CancelAt(now)
	return nil
}

// key looks a key up, in what is remembered first.
func (a *Access) key(ctx context.Context, secret string) (store.Key, error) {
	hash := sha256.Sum256([]byte(secret))
	now := a.now()
	known, ok := a.known.Get(hash)
	if ok && now.Sub(known.at) < freshFor {
		return known.Key, nil
	}
	if !ok {
		attempt := a.unknownKeys.ReserveN(now, 1)
		if attempt.DelayFrom(now) > 0 {
			attempt.CancelAt(now)
			return store.Key{}, tooMany()
		}
		defer func() {
			if a.known.Contains(hash) {
				attempt.CancelAt(now)
			}
		}()
	}
	key, err := a.lookUp(ctx, secret)
	if errors.Is(err, store.ErrNoKey) {
		a.known.Remove(hash)
		return store.Key{}, unauthorized("there is no such key, or it was revoked")
	}
	if err != nil {
		return store.Key{}, fmt.Errorf("look up a key: %w", err)
	}
	a.known.Add(hash, knownKey{key, now})
	return key, nil
}

// Refuse answers with the problem that an error of this package is.
func (a *Access) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.Of(err)
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="analytics"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfterWrongTokens)
	case http.StatusInternalServerError:
		a.log.ErrorContext(r.Context(), "can't check a key", "error", err)
		p = problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "keys can't be checked right now, try again")
		w.Header().Set("Retry-After", "5")
	}
	problem.Write(w, p)
}

func unauthorized(detail string) problem.Problem {
	return problem.New(http.StatusUnauthorized, problem.CodeUnauthorized, detail)
}

func tooMany() problem.Problem {
	return problem.New(http.StatusTooManyRequests, CodeTooManyAttempts, "too many wrong tokens were sent, try again in a second")
}
