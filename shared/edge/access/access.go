// Package access decides who may ask for what: the owner, by the installation's
// token or by a session in the dashboard, programs, by API keys, whoever was given a
// share link, and anyone, of public sites.
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

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// MinToken is how many characters the owner's token must have.
const MinToken = 16

const (
	// freshFor is how long a secret that was looked up is used without another look:
	// within it, one that was revoked may still be taken.
	freshFor = 5 * time.Second
	// held bounds how many secrets are remembered.
	held = 10_000
)

// Wrong tokens and unknown keys and links are counted for the whole process, so that no
// address has to be kept. The token may be chosen by a person and is worth
// guessing, so that too many wrong ones close that way even to the right one for a
// moment; sessions, keys and links are not concerned. Those two can't be guessed: there
// the limit keeps strangers from making work for the database.
const (
	wrongTokensPerSecond = 5
	wrongTokensAtOnce    = 50
	unknownPerSecond     = 50
	unknownAtOnce        = 200
)

// CodeTooManyAttempts is the code of the problem that answers too many wrong
// tokens.
const CodeTooManyAttempts = "too_many_attempts"

// Credential is what a key or a share link is good for.
type Credential struct {
	Scopes []sites.Scope
	Sites  []int32    // that it may see; none means all
	Guest  bool       // it was given to a guest, to see reports
	Ends   *time.Time // from then on it is good for nothing; nil for a key
}

// A LookUp finds what a secret is good for and notes that it was used. No such secret
// is sites.ErrNoKey.
type LookUp func(ctx context.Context, secret string) (Credential, error)

// Keys looks keys and share links up in the record.
func Keys(db database.DB, now func() time.Time) LookUp {
	return func(ctx context.Context, secret string) (Credential, error) {
		if strings.HasPrefix(secret, sites.ShareLinkPrefix) {
			link, err := sites.UseShareLink(ctx, db, secret, now())
			return Credential{Scopes: reading(), Sites: []int32{link.Site}, Guest: true, Ends: link.ExpiresAt}, err
		}
		key, err := sites.UseKey(ctx, db, secret, now())
		return Credential{Scopes: key.Scopes, Sites: key.Sites}, err
	}
}

// reading are the scopes of those who may look at a site and change nothing.
func reading() []sites.Scope { return []sites.Scope{sites.ScopeQuery, sites.ScopeLive} }

// NoKeys is for a function that has no use for keys and links.
func NoKeys(context.Context, string) (Credential, error) { return Credential{}, sites.ErrNoKey }

// Access knows the owner's token, the keys and the share links. It is safe for concurrent use.
type Access struct {
	token      [sha256.Size]byte // hashed, so that comparing tells nothing of its length
	sessionKey []byte
	lookUp     LookUp
	log        *slog.Logger
	now        func() time.Time
	origins    http.CrossOriginProtection

	wrongTokens *rate.Limiter
	unknown     *rate.Limiter

	known *lru.Cache[[sha256.Size]byte, known]
}

// known is a credential that was good when it was last looked up.
type known struct {
	Credential
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
	cache, err := lru.New[[sha256.Size]byte, known](held)
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
		unknown:     rate.NewLimiter(unknownPerSecond, unknownAtOnce),
		known:       cache,
	}, nil
}

// Grant is what whoever made a request may do.
type Grant struct {
	owner  bool
	public bool // whoever it is: public sites may be seen
	may    Credential

	asker asker
	rate  *Rate // of questions; nil when they are not counted
}

// noSite is the id of no site.
const noSite int32 = 0

// Owner tells whether it was the owner.
func (g Grant) Owner() bool { return g.owner }

// Everything tells whether all sites, and what belongs to none, may be seen.
func (g Grant) Everything() bool { return g.owner || len(g.may.Sites) == 0 }

// Sees tells whether a site may be seen.
func (g Grant) Sees(site sites.Site) bool {
	return g.Everything() || g.public && site.Public || slices.Contains(g.may.Sites, site.ID)
}

func (g Grant) allows(scope sites.Scope) bool { return g.owner || slices.Contains(g.may.Scopes, scope) }

type grantKey struct{}

// Of is the grant of a request that was let through. Of any other it allows nothing.
func Of(ctx context.Context) Grant {
	if grant, ok := ctx.Value(grantKey{}).(Grant); ok {
		return grant
	}
	return Grant{may: Credential{Sites: []int32{noSite}}}
}

// Site finds a site by its domain or public id for a request that was let through. Who
// may see some sites only learns nothing of the others, not even whether they exist. It
// counts as a question where those are counted, see Rate.
func Site(ctx context.Context, db database.DB, field, name string) (sites.Site, error) {
	grant := Of(ctx)
	site, err := sites.Find(ctx, db, name)
	switch {
	case err != nil && !errors.Is(err, sites.ErrNoSite):
		return site, err
	case !grant.Everything() && (err != nil || !grant.Sees(site)):
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

// Require lets through the requests that may ask for things of a scope.
func (a *Access) Require(scope sites.Scope, next http.Handler) http.Handler {
	return a.RequireAny([]sites.Scope{scope}, next)
}

// RequireAny lets through the requests that may ask for things of one of the scopes.
func (a *Access) RequireAny(scopes []sites.Scope, next http.Handler) http.Handler {
	return a.through(scopes, a.grant, next)
}

// RequireOrPublic lets through the requests that may ask for things of a scope, which is
// one for reading, and those that come with no secret at all: they see public sites.
func (a *Access) RequireOrPublic(scope sites.Scope, next http.Handler) http.Handler {
	return a.through([]sites.Scope{scope}, func(w http.ResponseWriter, r *http.Request) (Grant, error) {
		if _, err := r.Cookie(CookieName); err != nil && r.Header.Get("Authorization") == "" {
			return Grant{public: true, may: Credential{Scopes: reading(), Sites: []int32{noSite}}}, nil
		}
		return a.grant(w, r)
	}, next)
}

// RequireNoGuest lets through the requests that may ask for things of a scope and come from
// the owner or a program: share links and public sites show reports, not single visits.
func (a *Access) RequireNoGuest(scope sites.Scope, next http.Handler) http.Handler {
	return a.through([]sites.Scope{scope}, func(w http.ResponseWriter, r *http.Request) (Grant, error) {
		grant, err := a.grant(w, r)
		if err == nil && grant.may.Guest {
			err = problem.New(http.StatusForbidden, problem.CodeForbidden, "a share link is for reports, not for single visits or events: send an API key")
		}
		return grant, err
	}, next)
}

// through lets through the requests whose grant has one of the scopes. They end with what
// they were let through for: a stream does not outlast its share link.
func (a *Access) through(scopes []sites.Scope, grantOf func(http.ResponseWriter, *http.Request) (Grant, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant, err := grantOf(w, r)
		if err == nil && !slices.ContainsFunc(scopes, grant.allows) {
			err = problem.New(http.StatusForbidden, problem.CodeForbidden, "this key or link has not the scope "+oneOf(scopes))
		}
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), grantKey{}, grant)
		if grant.may.Ends != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, grant.may.Ends.Sub(a.now()))
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
	if strings.HasPrefix(secret, sites.KeyPrefix) || strings.HasPrefix(secret, sites.ShareLinkPrefix) {
		hash := sha256.Sum256([]byte(secret))
		credential, err := a.credential(ctx, secret, hash)
		return Grant{may: credential, asker: asker{secret: hash}}, err
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

// credential looks a secret up, in what is remembered first.
func (a *Access) credential(ctx context.Context, secret string, hash [sha256.Size]byte) (Credential, error) {
	now := a.now()
	remembered, ok := a.known.Get(hash)
	if ok && now.Sub(remembered.at) < freshFor && (remembered.Ends == nil || now.Before(*remembered.Ends)) {
		return remembered.Credential, nil
	}
	if !ok {
		attempt := a.unknown.ReserveN(now, 1)
		if attempt.DelayFrom(now) > 0 {
			attempt.CancelAt(now)
			return Credential{}, tooMany()
		}
		defer func() {
			if a.known.Contains(hash) {
				attempt.CancelAt(now)
			}
		}()
	}
	found, err := a.lookUp(ctx, secret)
	if errors.Is(err, sites.ErrNoKey) {
		a.known.Remove(hash)
		return Credential{}, unauthorized("there is no such key or share link, or no more")
	}
	if err != nil {
		return Credential{}, fmt.Errorf("look up a key: %w", err)
	}
	a.known.Add(hash, known{found, now})
	return found, nil
}

// Refuse answers with the problem that an error of this package is.
func (a *Access) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.Of(err)
	if p.Status == http.StatusInternalServerError {
		a.log.ErrorContext(r.Context(), "can't check a key", "error", err)
		p = problem.New(http.StatusServiceUnavailable, problem.CodeUnavailable, "keys can't be checked right now, try again")
		p.RetryAfter = 5 * time.Second
	}
	problem.Write(w, p)
}

// signIn is what whoever comes with no secret is told.
const signIn = "sign in, or send a key as: Authorization: Bearer KEY"

func unauthorized(detail string) problem.Problem {
	return problem.New(http.StatusUnauthorized, problem.CodeUnauthorized, detail)
}

func tooMany() problem.Problem {
	p := problem.New(http.StatusTooManyRequests, CodeTooManyAttempts, "too many wrong tokens were sent, try again in a second")
	p.RetryAfter = time.Second
	return p
}
