// Package access authenticates and authorizes requests. The owner uses the installation's
// token or a session of the dashboard, programs use API keys, guests use share links, and
// anyone may see public sites.
//
// It keeps nothing about clients but hashes of their addresses under a random key, and in
// memory only. It must never put a secret into a log, an error or a response.
package access

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"github.com/analytics-platform/analytics/shared/edge/bearer"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/edge/source"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// cacheTTL is how long a credential is cached. A revoked secret may be accepted for
	// that long.
	cacheTTL = 5 * time.Second
	// cacheSize is the maximum number of cached credentials.
	cacheSize = 10_000
)

// Failed attempts are limited per client. The right token, and a credential that was valid
// before, are never refused, so nobody can lock others out. Guesses are hopeless anyway: a
// token has 32 characters, and keys and links are random.
const (
	wrongTokensPerSecond = 1
	wrongTokensBurst     = 20
	unknownPerSecond     = 5
	unknownBurst         = 50
	// maxLookups is how many secrets are looked up at once. Others wait in line, so that many
	// clients with unknown ones leave most of the database to requests that are authorized.
	maxLookups = 2
)

// CodeTooManyAttempts is the problem code for too many failed attempts.
const CodeTooManyAttempts = "too_many_attempts"

// Credential is what a key or a share link allows.
type Credential struct {
	Scopes    []sites.Scope
	Sites     []int32    // the visible sites; empty for all
	Guest     bool       // it belongs to a share link
	ExpiresAt *time.Time // first moment at which it is invalid; nil for a key
}

// Lookup returns the credential of a secret and records its use. It returns
// sites.ErrNoKey if the secret is unknown.
type Lookup func(ctx context.Context, secret string) (Credential, error)

// Keys returns a Lookup for the stored keys and share links.
func Keys(db database.DB, now func() time.Time) Lookup {
	return func(ctx context.Context, secret string) (Credential, error) {
		if strings.HasPrefix(secret, sites.ShareLinkPrefix) {
			link, err := sites.UseShareLink(ctx, db, secret, now())
			return Credential{Scopes: readScopes(), Sites: []int32{link.Site}, Guest: true, ExpiresAt: link.ExpiresAt}, err
		}
		key, err := sites.UseKey(ctx, db, secret, now())
		return Credential{Scopes: key.Scopes, Sites: key.Sites}, err
	}
}

// readScopes returns the scopes of guests, who may see a site but not change it.
func readScopes() []sites.Scope { return []sites.Scope{sites.ScopeQuery, sites.ScopeLive} }

// Access authenticates requests. It is safe for concurrent use.
type Access struct {
	token      bearer.Token
	sessionKey []byte
	lookup     Lookup
	db         database.DB // has the sessions
	log        *slog.Logger
	now        func() time.Time
	origins    http.CrossOriginProtection

	sources     *source.Sources
	wrongTokens *buckets[source.ID]
	unknown     *buckets[source.ID]

	lookups  *semaphore.Weighted
	cache    *lru.Cache[[sha256.Size]byte, cachedCredential] // by hash of the secret
	sessions *lru.Cache[sites.SessionID, cachedSession]
}

// cachedCredential is a credential and the time of its lookup.
type cachedCredential struct {
	Credential
	at time.Time
}

// New returns an Access for the owner's token, which must be one of package bearer. The
// sessions of the owner are in db.
func New(token string, db database.DB, lookup Lookup, sources *source.Sources, log *slog.Logger, now func() time.Time) (*Access, error) {
	owner, err := bearer.New("ADMIN_TOKEN", token)
	if err != nil {
		return nil, err
	}
	sessionKey, err := hkdf.Key(sha256.New, []byte(token), nil, "analytics dashboard session", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive session key: %w", err)
	}
	cache, err := lru.New[[sha256.Size]byte, cachedCredential](cacheSize)
	if err != nil {
		return nil, fmt.Errorf("create credential cache: %w", err)
	}
	wrongTokens, err := newBuckets[source.ID](wrongTokensPerSecond, wrongTokensBurst, now)
	if err != nil {
		return nil, err
	}
	unknown, err := newBuckets[source.ID](unknownPerSecond, unknownBurst, now)
	if err != nil {
		return nil, err
	}
	sessions, err := lru.New[sites.SessionID, cachedSession](cacheSize)
	if err != nil {
		return nil, fmt.Errorf("create session cache: %w", err)
	}
	return &Access{
		token:       owner,
		sessionKey:  sessionKey,
		lookup:      lookup,
		db:          db,
		log:         log,
		now:         now,
		sources:     sources,
		wrongTokens: wrongTokens,
		unknown:     unknown,
		lookups:     semaphore.NewWeighted(maxLookups),
		cache:       cache,
		sessions:    sessions,
	}, nil
}

// Grant is what a request may do.
type Grant struct {
	owner      bool
	public     bool // the request has no secret and may see public sites
	credential Credential
	check      func(context.Context) error // says whether it is still valid; nil if it never ends

	client client
	rate   *Rate // limits queries; nil for no limit
}

// noSite is an id that no site has.
const noSite int32 = 0

// Owner reports whether the request comes from the owner.
func (g Grant) Owner() bool { return g.owner }

// Guest reports whether the request has neither the owner's token nor a key: it is about a
// public site, or has the secret of a share link.
func (g Grant) Guest() bool { return g.public || g.credential.Guest }

// AllSites reports whether the request may see all sites, and data that belongs to none.
func (g Grant) AllSites() bool { return g.owner || len(g.credential.Sites) == 0 }

// CanSee reports whether the request may see a site.
func (g Grant) CanSee(site sites.Site) bool {
	return g.AllSites() || g.public && site.Public || slices.Contains(g.credential.Sites, site.ID)
}

func (g Grant) allows(scope sites.Scope) bool {
	return g.owner || slices.Contains(g.credential.Scopes, scope)
}

type grantKey struct{}

// GrantFrom returns the grant of an authorized request. For other requests it returns one
// that allows nothing.
func GrantFrom(ctx context.Context) Grant {
	if grant, ok := ctx.Value(grantKey{}).(Grant); ok {
		return grant
	}
	return Grant{credential: Credential{Sites: []int32{noSite}}}
}

// Site finds a site by its domain or public id for an authorized request. For a site that
// the request may not see it returns a problem that does not reveal whether the site
// exists. It counts as a query if queries are limited, see Rate. The field is the field of
// the request to which problems refer.
func Site(ctx context.Context, db database.DB, field, name string) (sites.Site, error) {
	grant := GrantFrom(ctx)
	site, err := sites.Find(ctx, db, name)
	switch {
	case err != nil && !errors.Is(err, sites.ErrNoSite):
		return site, err
	case !grant.AllSites() && (err != nil || !grant.CanSee(site)):
		if grant.public {
			return sites.Site{}, unauthorized(signIn)
		}
		p := problem.New(http.StatusForbidden, problem.CodeForbidden, "this key or link is for other sites")
		p.Field = field
		return sites.Site{}, p
	case err != nil:
		p := problem.New(http.StatusNotFound, "site_unknown", "no such site: use the domain or the public id of a site of this installation")
		p.Field = field
		return sites.Site{}, p
	}
	return site, grant.count(site)
}

// Require calls next for requests that have a scope.
func (a *Access) Require(scope sites.Scope, next http.Handler) http.Handler {
	return a.RequireAny([]sites.Scope{scope}, next)
}

// RequireAny calls next for requests that have one of the scopes.
func (a *Access) RequireAny(scopes []sites.Scope, next http.Handler) http.Handler {
	return a.authorize(scopes, a.grant, next)
}

// RequireAllSites calls next for requests that have a scope for all sites: those of the owner,
// and of keys that are not limited to some sites. What such a handler does or answers concerns
// the whole installation.
func (a *Access) RequireAllSites(scope sites.Scope, next http.Handler) http.Handler {
	return a.authorize([]sites.Scope{scope}, func(r *http.Request) (Grant, error) {
		grant, err := a.grant(r)
		if err == nil && !grant.AllSites() {
			err = problem.New(http.StatusForbidden, problem.CodeForbidden, "this is about all sites, and the key or link is for some of them")
		}
		return grant, err
	}, next)
}

// RequireOrPublic calls next for requests that have a scope, and for requests without a
// secret if it is a scope of guests. The latter may see public sites.
func (a *Access) RequireOrPublic(scope sites.Scope, next http.Handler) http.Handler {
	return a.authorize([]sites.Scope{scope}, func(r *http.Request) (Grant, error) {
		if _, err := r.Cookie(cookieName(r)); err != nil && r.Header.Get("Authorization") == "" {
			return Grant{public: true, credential: Credential{Scopes: readScopes(), Sites: []int32{noSite}}}, nil
		}
		return a.grant(r)
	}, next)
}

// RequireNoGuest calls next for requests that have a scope and come from the owner or a
// program. Share links and public sites show reports, not single visits.
func (a *Access) RequireNoGuest(scope sites.Scope, next http.Handler) http.Handler {
	return a.authorize([]sites.Scope{scope}, func(r *http.Request) (Grant, error) {
		grant, err := a.grant(r)
		if err == nil && grant.credential.Guest {
			err = problem.New(http.StatusForbidden, problem.CodeForbidden, "a share link is for reports, not for single visits or events: send an API key")
		}
		return grant, err
	}, next)
}

// authorize calls next for requests whose grant has one of the scopes. Their contexts end
// when the credential does, so that a stream does not outlast its key, share link or session.
func (a *Access) authorize(scopes []sites.Scope, grantOf func(*http.Request) (Grant, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, err := grantOf(r)
		if err == nil && !slices.ContainsFunc(scopes, grant.allows) {
			err = problem.New(http.StatusForbidden, problem.CodeForbidden, "this key or link lacks the scope "+oneOf(scopes))
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), grantKey{}, grant)
		if grant.credential.ExpiresAt != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, grant.credential.ExpiresAt.Sub(a.now()))
			defer cancel()
		}
		if grant.check != nil {
			var cancel context.CancelFunc
			ctx, cancel = whileValid(ctx, grant.check)
			defer cancel()
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func oneOf(scopes []sites.Scope) string {
	names := make([]string, len(scopes))
	for i, scope := range scopes {
		names[i] = string(scope)
	}
	return strings.Join(names, " or ")
}

// grant authenticates a request.
func (a *Access) grant(r *http.Request) (Grant, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Grant{}, unauthorized("send the token or key as: Authorization: Bearer TOKEN")
		}
		return a.bearer(r, strings.TrimSpace(secret))
	}
	return a.session(r)
}

func (a *Access) bearer(r *http.Request, secret string) (Grant, error) {
	if sites.IsKey(secret) || strings.HasPrefix(secret, sites.ShareLinkPrefix) {
		hash := sha256.Sum256([]byte(secret))
		credential, err := a.credential(r, secret, hash)
		check := func(ctx context.Context) error {
			_, err := a.credential(r.WithContext(ctx), secret, hash)
			return err
		}
		return Grant{credential: credential, check: check, client: client{secret: hash}}, err
	}
	return Grant{owner: true}, a.checkToken(r, secret)
}

// checkToken returns an error unless token is the owner's token.
func (a *Access) checkToken(r *http.Request, token string) error {
	if a.token.Matches(token) {
		return nil
	}
	if wait, _ := a.wrongTokens.take(a.sources.Of(r)); wait > 0 {
		return tooMany(wait)
	}
	return unauthorized("wrong token")
}

// credential returns the credential of a secret from the cache or by a lookup.
func (a *Access) credential(r *http.Request, secret string, hash [sha256.Size]byte) (Credential, error) {
	now := a.now()
	cached, ok := a.cache.Get(hash)
	if ok && now.Sub(cached.at) < cacheTTL && (cached.ExpiresAt == nil || now.Before(*cached.ExpiresAt)) {
		return cached.Credential, nil
	}
	if !ok {
		wait, giveBack := a.unknown.take(a.sources.Of(r))
		if wait > 0 {
			return Credential{}, tooMany(wait)
		}
		defer func() {
			if a.cache.Contains(hash) {
				giveBack()
			}
		}()
	}
	credential, err := a.lookUpInTurn(r.Context(), secret)
	if errors.Is(err, sites.ErrNoKey) {
		a.cache.Remove(hash)
		return Credential{}, unauthorized("unknown, revoked or expired key or share link")
	}
	if err != nil {
		return Credential{}, fmt.Errorf("look up key: %w", err)
	}
	a.cache.Add(hash, cachedCredential{credential, now})
	return credential, nil
}

// lookUpInTurn looks up a secret when fewer than maxLookups are being looked up.
func (a *Access) lookUpInTurn(ctx context.Context, secret string) (Credential, error) {
	if err := a.lookups.Acquire(ctx, 1); err != nil {
		return Credential{}, fmt.Errorf("wait: %w", err)
	}
	defer a.lookups.Release(1) // even after a panic
	return a.lookup(ctx, secret)
}

// Refuse responds with the problem for an error of this package.
func (a *Access) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.Of(err)
	if p.Status == http.StatusInternalServerError {
		if problem.HungUp(r) {
			return
		}
		a.log.ErrorContext(r.Context(), "check key or session failed", "error", err)
		p = problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "keys and sessions can't be checked right now, try again")
		p.RetryAfter = 5 * time.Second
	}
	problem.Write(w, p)
}

// signIn is the detail of the problem for a request without a secret.
const signIn = "sign in, or send a key as: Authorization: Bearer KEY"

func unauthorized(detail string) problem.Problem {
	return problem.New(http.StatusUnauthorized, problem.CodeUnauthorized, detail)
}

func tooMany(wait time.Duration) problem.Problem {
	p := problem.New(http.StatusTooManyRequests, CodeTooManyAttempts, "your address has sent too many wrong tokens or keys: try again later")
	p.RetryAfter = wait
	return p
}
