// Package sites stores sites and what belongs to them: API keys, share links, goals,
// funnels, segments and annotations. It owns their SQL.
//
// It decides what a site may be (Normalize), how many resources a site may have, and
// when a change of the time zone takes effect. Goals, filters and names are validated
// by the packages that define them before they come here. SQL takes parameters; it is
// never built from input.
package sites

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the zones of sites must be known where no files of the system say them
	"unicode/utf8"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/net/idna"

	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// publicPrefix begins every public id. No domain can begin with it: host names
// have no underscore.
const publicPrefix = "s_"

// MaxSiteName is how many characters the name of a site may have.
const MaxSiteName = 120

// Site is a website whose visits are counted.
type Site struct {
	ID        int32
	PublicID  string // "s_" and lower case letters and digits
	Domain    string // lower case, ASCII (Punycode), no port
	Name      string // for people
	Timezone  string // IANA name; days and hours of the site are local to it, see TimezoneAt
	CreatedAt time.Time

	PreviousTimezone string     // IANA name; in force before TimezoneSince
	TimezoneSince    *time.Time // nil when Timezone always was in force

	Rules  rules.Rules // what the owner lets in
	Public bool        // anyone may read its reports
}

// Draft is what a person says of a site. Normalize makes it fit to be stored.
type Draft struct {
	Domain   string // a URL is cut down to its host
	Name     string // the domain, when empty
	Timezone string
	Rules    rules.Rules
	Public   bool
}

// ErrNoSite means that there is no such site (any more).
var ErrNoSite = errors.New("no such site")

// ExistsError reports that another site already has the domain.
type ExistsError struct {
	Domain string
}

// Error names the domain.
func (e *ExistsError) Error() string { return "there is a site " + e.Domain + " already" }

// Columns are the columns of a Site, in the order of its fields, for a query of the
// table sites.
const Columns = `id, public_id, domain, name, timezone, created_at, previous_timezone, timezone_since, rules, public`

const (
	selectSites = `SELECT ` + Columns + ` FROM sites ORDER BY domain`
	selectSite  = `SELECT ` + Columns + ` FROM sites WHERE domain = $1 OR public_id = $1`
	insertSite  = `
INSERT INTO sites (public_id, domain, name, timezone, rules, public)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING ` + Columns
	holdSite   = `SELECT ` + Columns + ` FROM sites WHERE id = $1 FOR NO KEY UPDATE`
	updateSite = `
UPDATE sites SET domain = $2, name = $3, timezone = $4, previous_timezone = $5, timezone_since = $6, rules = $7, public = $8
WHERE id = $1
RETURNING ` + Columns
)

// deleteSite are the statements that delete a site, given its id. The first waits for
// the transactions that are storing something for it (see HoldSites), so that nothing
// comes after it. A key that may see this site only goes too: with no site left it
// would be a key to all. Goals and the like go with the row of the site, by themselves.
func deleteSite() []string {
	return []string{
		`SELECT FROM sites WHERE id = $1 FOR UPDATE`,
		`DELETE FROM events WHERE site_id = $1`,
		`DELETE FROM day_columns WHERE site_id = $1`,
		`DELETE FROM visits WHERE site_id = $1`,
		`DELETE FROM rollup_hour WHERE site_id = $1`,
		`DELETE FROM rollup_day WHERE site_id = $1`,
		`DELETE FROM rollup_month WHERE site_id = $1`,
		`DELETE FROM drops WHERE site_id = $1`,
		`DELETE FROM day_checks WHERE site_id = $1`,
		`DELETE FROM api_keys WHERE site_ids = ARRAY[$1::integer]`,
		`UPDATE api_keys SET site_ids = array_remove(site_ids, $1::integer) WHERE $1::integer = ANY (site_ids)`,
		`DELETE FROM sites WHERE id = $1`,
	}
}

// Normalize checks a draft and brings it into the form that is stored. What is
// wrong is a problem that names the field.
func Normalize(draft Draft) (Draft, error) {
	domain, err := NormalizeDomain(draft.Domain)
	if err != nil {
		return draft, validation.New("domain", err.Error())
	}
	name := strings.TrimSpace(draft.Name)
	if name == "" {
		name = domain
	}
	if name, err = label.Read("name", name, MaxSiteName); err != nil {
		return draft, err
	}
	if !isTimezone(draft.Timezone) {
		return draft, validation.New("timezone", "must be an IANA time zone such as Europe/Paris or UTC")
	}
	read, err := rules.Read(draft.Rules)
	if err != nil {
		return draft, err
	}
	return Draft{Domain: domain, Name: name, Timezone: draft.Timezone, Rules: read, Public: draft.Public}, nil
}

// isTimezone refuses what LoadLocation takes for this machine's own zone.
func isTimezone(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// NormalizeDomain brings a domain into the form in which it is stored: "Example.com",
// "https://example.com/path" and "example.com" are all "example.com". The error
// says in a few words what would be right.
func NormalizeDomain(text string) (string, error) {
	host := strings.TrimSpace(text)
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if !utf8.ValidString(host) {
		return "", errors.New("must be a domain such as example.com")
	}
	if strings.Contains(host, ":") {
		return "", errors.New("must be a domain without a port, such as example.com or localhost")
	}
	ascii, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true)).ToASCII(host)
	if err != nil {
		return "", errors.New("must be a domain such as example.com")
	}
	return ascii, nil
}

// List returns all sites in the order of their domains.
func List(ctx context.Context, db database.DB) ([]Site, error) {
	rows, err := db.Query(ctx, selectSites)
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	sites, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Site])
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	return sites, nil
}

// Find returns the site with a domain or a public id, or ErrNoSite.
func Find(ctx context.Context, db database.DB, name string) (Site, error) {
	key := strings.ToLower(strings.TrimSpace(name))
	if !strings.HasPrefix(key, publicPrefix) {
		domain, err := NormalizeDomain(name)
		if err != nil {
			return Site{}, ErrNoSite
		}
		key = domain
	}
	if !isText(key) {
		return Site{}, ErrNoSite
	}
	site, err := oneSite(ctx, db, selectSite, key)
	if err != nil && !errors.Is(err, ErrNoSite) {
		err = fmt.Errorf("read site: %w", err)
	}
	return site, err
}

// isText tells whether the database can hold the text at all.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Create adds a site that Normalize has returned. A domain that is taken is a
// problem.
func Create(ctx context.Context, db database.DB, draft Draft) (Site, error) {
	publicID := publicPrefix + strings.ToLower(rand.Text()[:16])
	site, err := oneSite(ctx, db, insertSite, publicID, draft.Domain, draft.Name, draft.Timezone, draft.Rules, draft.Public)
	return site, siteError("create site", draft, err)
}

// Update changes a site at now into a draft that Normalize has returned.
//
// Another time zone takes effect with the next local day of the one in force, but no
// sooner than in five minutes. Events of before keep the days of the zone that they
// came in under, and late ones get them too. Until then the change can be replaced by
// another, and choosing the zone in force takes it back. One change is remembered:
// after the next one, what is late by more gets the days of the zone in between.
func Update(ctx context.Context, db database.DB, id int32, draft Draft, now time.Time) (site Site, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if site, err = oneSite(ctx, tx, holdSite, id); err != nil {
			return err
		}
		if err := site.choose(draft.Timezone, now); err != nil {
			return err
		}
		site, err = oneSite(ctx, tx, updateSite, id, draft.Domain, draft.Name, site.Timezone, site.PreviousTimezone, site.TimezoneSince, draft.Rules, draft.Public)
		return err
	})
	return site, siteError("update site", draft, err)
}

// Delete deletes a site with everything that was ever counted for it. Nothing
// of it can be had back.
func Delete(ctx context.Context, db database.DB, id int32) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := database.LiftDecompressionLimit(ctx, tx); err != nil {
			return fmt.Errorf("delete site: %w", err)
		}
		for _, statement := range deleteSite() {
			if _, err := tx.Exec(ctx, statement, id); err != nil {
				return fmt.Errorf("delete site: %w", err)
			}
		}
		return nil
	})
}

func oneSite(ctx context.Context, db database.DB, sql string, args ...any) (Site, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return Site{}, err
	}
	site, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Site])
	if errors.Is(err, pgx.ErrNoRows) {
		return Site{}, ErrNoSite
	}
	return site, err
}

func siteError(doing string, draft Draft, err error) error {
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == pgerrcode.UniqueViolation {
		return &ExistsError{Domain: draft.Domain}
	}
	if err != nil && !errors.Is(err, ErrNoSite) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return err
}
