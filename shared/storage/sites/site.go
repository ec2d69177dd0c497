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
	_ "time/tzdata" // the time zones of sites must load on systems without zone files

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/sitename"
	"github.com/analytics-platform/analytics/shared/model/validation"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxSiteName is the maximum length of a site's name in characters.
const MaxSiteName = 120

// Site is a website that is measured.
type Site struct {
	ID        int32
	PublicID  string // "s_" and lower case letters and digits
	Domain    string // lower case, ASCII (Punycode), no port
	Name      string // display name
	Timezone  string // IANA name; the site's days and hours are local to it, see TimezoneAt
	CreatedAt time.Time

	PreviousTimezone string     // IANA name; in force before TimezoneSince
	TimezoneSince    *time.Time // nil if the time zone never changed

	Rules  rules.Rules // which events are accepted
	Public bool        // anyone may read the site's reports
}

// Draft is a site as an administrator describes it. Normalize prepares it for storage.
type Draft struct {
	Domain   string // a domain or a URL, which is reduced to its host
	Name     string // the domain if empty
	Timezone string
	Rules    rules.Rules
	Public   bool
}

// ErrNoSite is returned if the site does not exist.
var ErrNoSite = errors.New("no such site")

// ExistsError reports that another site already has the domain.
type ExistsError struct {
	Domain string
}

// Error names the domain.
func (e *ExistsError) Error() string { return "there is a site " + e.Domain + " already" }

// Columns are the columns of the table sites, in the order of the fields of Site.
const Columns = `id, public_id, domain, name, timezone, created_at, previous_timezone, timezone_since, rules, public`

const (
	selectSites = `SELECT ` + Columns + ` FROM sites ORDER BY domain`
	selectSite  = `SELECT ` + Columns + ` FROM sites WHERE domain = ANY ($1::text[]) OR public_id = ANY ($1::text[]) ORDER BY domain = ($1::text[])[1] DESC LIMIT 1`
	insertSite  = `
INSERT INTO sites (public_id, domain, name, timezone, rules, public)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING ` + Columns
	lockSite   = `SELECT ` + Columns + ` FROM sites WHERE id = $1 FOR NO KEY UPDATE`
	updateSite = `
UPDATE sites SET domain = $2, name = $3, timezone = $4, previous_timezone = $5, timezone_since = $6, rules = $7, public = $8
WHERE id = $1
RETURNING ` + Columns
)

// deleteStatements returns the statements that delete a site, given its id. The first one
// waits for transactions that store events of the site (see store.LockSites), so that
// nothing is stored after it. A key for this site alone is deleted too, since without a
// site it would be valid for all; keys are locked first, so that of two sites that are deleted
// at the same time the second one finds the key without the first. Foreign keys delete the
// site's resources.
func deleteStatements() []string {
	return []string{
		`SELECT FROM sites WHERE id = $1 FOR UPDATE`,
		`DELETE FROM events WHERE site_id = $1`,
		`DELETE FROM day_columns WHERE site_id = $1`,
		`DELETE FROM visits WHERE site_id = $1`,
		`DELETE FROM rollup_hour WHERE site_id = $1`,
		`DELETE FROM rollup_day WHERE site_id = $1`,
		`DELETE FROM rollup_month WHERE site_id = $1`,
		`DELETE FROM rollup_kept WHERE site_id = $1`,
		`DELETE FROM drops WHERE site_id = $1`,
		`DELETE FROM day_checks WHERE site_id = $1`,
		`SELECT FROM api_keys WHERE $1::integer = ANY (site_ids) ORDER BY id FOR UPDATE`,
		`DELETE FROM api_keys WHERE site_ids = ARRAY[$1::integer]`,
		`UPDATE api_keys SET site_ids = array_remove(site_ids, $1::integer) WHERE $1::integer = ANY (site_ids)`,
		`DELETE FROM sites WHERE id = $1`,
	}
}

// Normalize validates a draft and returns it in the form that is stored. It returns a
// *validation.Error for an invalid field.
func Normalize(draft Draft) (Draft, error) {
	domain, err := sitename.Domain(draft.Domain)
	if err != nil {
		return draft, validation.New("domain", err.Error())
	}
	name := strings.TrimSpace(draft.Name)
	if name == "" {
		name = domain
	}
	if name, err = label.Normalize("name", name, MaxSiteName); err != nil {
		return draft, err
	}
	if !isTimezone(draft.Timezone) {
		return draft, validation.New("timezone", "must be an IANA time zone such as Europe/Paris or UTC")
	}
	normalized, err := rules.Normalize(draft.Rules)
	if err != nil {
		return draft, err
	}
	return Draft{Domain: domain, Name: name, Timezone: draft.Timezone, Rules: normalized, Public: draft.Public}, nil
}

// isTimezone reports whether name is an IANA time zone. It excludes the names that
// time.LoadLocation resolves to UTC or to the zone of this machine.
func isTimezone(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// List returns all sites, sorted by domain.
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

// Find returns the site with the given domain or public id, or ErrNoSite. A domain that begins
// with "www." is also the name of the site without it, unless there is one with it.
func Find(ctx context.Context, db database.DB, name string) (Site, error) {
	names := sitename.Lookup(name)
	if len(names) == 0 {
		return Site{}, ErrNoSite
	}
	site, err := selectOneSite(ctx, db, selectSite, names)
	if err != nil && !errors.Is(err, ErrNoSite) {
		err = fmt.Errorf("read site: %w", err)
	}
	return site, err
}

// Create adds a site, given a draft that Normalize has returned. It returns an
// *ExistsError if another site has the domain.
func Create(ctx context.Context, db database.DB, draft Draft) (Site, error) {
	publicID := sitename.PublicPrefix + strings.ToLower(rand.Text()[:16])
	site, err := selectOneSite(ctx, db, insertSite, publicID, draft.Domain, draft.Name, draft.Timezone, draft.Rules, draft.Public)
	return site, siteError("create site", draft, err)
}

// Update changes a site to a draft that Normalize has returned. It returns ErrNoSite if
// the site does not exist, and an *ExistsError if another site has the domain.
//
// A new time zone takes effect at the next midnight of the zone in force that is at least
// five minutes after now. Events before that moment keep their days, and so do events that
// arrive late. Until then the change can be replaced, or undone by choosing the zone in
// force. Only one change is remembered: after a second one, events from before the first
// that arrive late get the days of the zone in between.
func Update(ctx context.Context, db database.DB, id int32, draft Draft, now time.Time) (site Site, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if site, err = selectOneSite(ctx, tx, lockSite, id); err != nil {
			return err
		}
		if err := site.setTimezone(draft.Timezone, now); err != nil {
			return err
		}
		site, err = selectOneSite(ctx, tx, updateSite, id, draft.Domain, draft.Name, site.Timezone, site.PreviousTimezone, site.TimezoneSince, draft.Rules, draft.Public)
		return err
	})
	return site, siteError("update site", draft, err)
}

// Delete deletes a site and everything that was stored for it, for good.
func Delete(ctx context.Context, db database.DB, id int32) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := database.LiftDecompressionLimit(ctx, tx); err != nil {
			return fmt.Errorf("delete site: %w", err)
		}
		for _, statement := range deleteStatements() {
			if _, err := tx.Exec(ctx, statement, id); err != nil {
				return fmt.Errorf("delete site: %w", err)
			}
		}
		return nil
	})
}

func selectOneSite(ctx context.Context, db database.DB, sql string, args ...any) (Site, error) {
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

func siteError(op string, draft Draft, err error) error {
	if violation, ok := errors.AsType[*pgconn.PgError](err); ok && violation.Code == pgerrcode.UniqueViolation {
		return &ExistsError{Domain: draft.Domain}
	}
	if err != nil && !errors.Is(err, ErrNoSite) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return err
}
