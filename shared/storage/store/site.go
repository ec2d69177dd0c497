package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // the zones of sites must be known where no files of the system say them
	"unicode/utf8"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/net/idna"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/model/rules"
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

// SiteDraft is what a person says of a site. ReadSite makes it fit to be stored.
type SiteDraft struct {
	Domain   string // a URL is cut down to its host
	Name     string // the domain, when empty
	Timezone string
	Rules    rules.Rules
	Public   bool
}

// ErrNoSite means that there is no such site (any more).
var ErrNoSite = errors.New("no such site")

const (
	siteColumns = `id, public_id, domain, name, timezone, created_at, previous_timezone, timezone_since, rules, public`

	selectSites = `SELECT ` + siteColumns + ` FROM sites ORDER BY domain`
	selectSite  = `SELECT ` + siteColumns + ` FROM sites WHERE domain = $1 OR public_id = $1`
	insertSite  = `
INSERT INTO sites (public_id, domain, name, timezone, rules, public)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING ` + siteColumns
	holdSite   = `SELECT ` + siteColumns + ` FROM sites WHERE id = $1 FOR NO KEY UPDATE`
	updateSite = `
UPDATE sites SET domain = $2, name = $3, timezone = $4, previous_timezone = $5, timezone_since = $6, rules = $7, public = $8
WHERE id = $1
RETURNING ` + siteColumns

	// Segments of compressed chunks go as a whole; the limit on rows that a
	// statement may decompress is meant for other statements.
	liftDecompressionLimit = `SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)`
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

// ReadSite checks a draft and brings it into the form that is stored. What is
// wrong is a problem that names the field.
func ReadSite(draft SiteDraft) (SiteDraft, error) {
	domain, err := ReadDomain(draft.Domain)
	if err != nil {
		return draft, problem.Invalid("domain", err.Error())
	}
	name := strings.TrimSpace(draft.Name)
	if name == "" {
		name = domain
	}
	if name, err = label.Read("name", name, MaxSiteName); err != nil {
		return draft, err
	}
	if !isTimezone(draft.Timezone) {
		return draft, problem.Invalid("timezone", "must be an IANA time zone such as Europe/Paris or UTC")
	}
	read, err := rules.Read(draft.Rules)
	if err != nil {
		return draft, err
	}
	return SiteDraft{Domain: domain, Name: name, Timezone: draft.Timezone, Rules: read, Public: draft.Public}, nil
}

// isTimezone refuses what LoadLocation takes for this machine's own zone.
func isTimezone(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// ReadDomain brings a domain into the form in which it is stored: "Example.com",
// "https://example.com/path" and "example.com" are all "example.com". The error
// says in a few words what would be right.
func ReadDomain(text string) (string, error) {
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

// Sites returns all sites in the order of their domains.
func Sites(ctx context.Context, db DB) ([]Site, error) {
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

// SiteNamed returns the site with a domain or a public id, or ErrNoSite.
func SiteNamed(ctx context.Context, db DB, name string) (Site, error) {
	key := strings.ToLower(strings.TrimSpace(name))
	if !strings.HasPrefix(key, publicPrefix) {
		domain, err := ReadDomain(name)
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

// CreateSite adds a site that ReadSite has returned. A domain that is taken is a
// problem.
func CreateSite(ctx context.Context, db DB, draft SiteDraft) (Site, error) {
	publicID := publicPrefix + strings.ToLower(rand.Text()[:16])
	site, err := oneSite(ctx, db, insertSite, publicID, draft.Domain, draft.Name, draft.Timezone, draft.Rules, draft.Public)
	return site, siteError("create site", draft, err)
}

// UpdateSite changes a site at now into a draft that ReadSite has returned.
//
// Another time zone takes effect with the next local day of the one in force, but no
// sooner than in five minutes. Events of before keep the days of the zone that they
// came in under, and late ones get them too. Until then the change can be replaced by
// another, and choosing the zone in force takes it back. One change is remembered:
// after the next one, what is late by more gets the days of the zone in between.
func UpdateSite(ctx context.Context, db DB, id int32, draft SiteDraft, now time.Time) (site Site, err error) {
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

// DeleteSite deletes a site with everything that was ever counted for it. Nothing
// of it can be had back.
func DeleteSite(ctx context.Context, db DB, id int32) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, liftDecompressionLimit); err != nil {
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

func oneSite(ctx context.Context, db DB, sql string, args ...any) (Site, error) {
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

func siteError(doing string, draft SiteDraft, err error) error {
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == pgerrcode.UniqueViolation {
		return problem.Problem{
			Status: http.StatusConflict, Code: "site_exists", Field: "domain",
			Detail: "there is a site " + draft.Domain + " already",
		}
	}
	if err != nil && !errors.Is(err, ErrNoSite) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return err
}
