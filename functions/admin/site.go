package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// site is the document of a site.
type site struct {
	ID        string    `json:"id"`
	Domain    string    `json:"domain"`
	Name      string    `json:"name"`
	Timezone  string    `json:"timezone"` // as chosen, maybe not in force yet
	CreatedAt time.Time `json:"created_at"`

	// A change of the time zone that has not taken effect yet.
	PreviousTimezone string     `json:"previous_timezone,omitempty"` // in force until TimezoneSince
	TimezoneSince    *time.Time `json:"timezone_since,omitempty"`

	Rules  rules.Rules `json:"rules"`  // which events are accepted
	Public bool        `json:"public"` // anyone may read the site's reports
}

func (f *function) siteOf(s sites.Site) site {
	out := site{ID: s.PublicID, Domain: s.Domain, Name: s.Name, Timezone: s.Timezone, CreatedAt: s.CreatedAt.UTC(), Rules: s.Rules, Public: s.Public}
	if s.TimezoneSince != nil && f.now().Before(*s.TimezoneSince) {
		out.PreviousTimezone, out.TimezoneSince = s.PreviousTimezone, new(s.TimezoneSince.UTC())
	}
	return out
}

// newSite is the body of a request that creates a site.
type newSite struct {
	Domain   string `json:"domain"`
	Name     string `json:"name"` // defaults to the domain
	Timezone string `json:"timezone"`

	Rules  rules.Rules `json:"rules"`  // defaults to the zero value of rules.Rules
	Public bool        `json:"public"` // anyone may read the site's reports
}

// siteChange is the body of a request that changes a site. Omitted fields keep their
// values. Rules are replaced as a whole.
type siteChange struct {
	Domain   *string `json:"domain"`
	Name     *string `json:"name"`
	Timezone *string `json:"timezone"`

	Rules  *rules.Rules `json:"rules"`
	Public *bool        `json:"public"`
}

type siteList struct {
	Sites []site `json:"sites"`
}

func (f *function) listSites(_ http.ResponseWriter, r *http.Request) (response, error) {
	all, err := sites.List(r.Context(), f.db)
	if err != nil {
		return response{}, err
	}
	grant := access.GrantFrom(r.Context())
	list := siteList{Sites: []site{}}
	for _, s := range all {
		if grant.CanSee(s) {
			list.Sites = append(list.Sites, f.siteOf(s))
		}
	}
	return response{http.StatusOK, list}, nil
}

func (f *function) createSite(w http.ResponseWriter, r *http.Request) (response, error) {
	var body newSite
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return response{}, err
	}
	draft, err := sites.Normalize(sites.Draft(body))
	if err != nil {
		return response{}, err
	}
	created, err := sites.Create(r.Context(), f.db, draft)
	if err != nil {
		return response{}, siteProblem(err)
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "site created", "site", created.PublicID)
	return response{http.StatusCreated, f.siteOf(created)}, nil
}

// requestedSite returns the site that the path of the request names.
func (f *function) requestedSite(r *http.Request) (sites.Site, error) {
	return access.Site(r.Context(), f.db, "", r.PathValue("site"))
}

func (f *function) getSite(_ http.ResponseWriter, r *http.Request) (response, error) {
	found, err := f.requestedSite(r)
	if err != nil {
		return response{}, err
	}
	return response{http.StatusOK, f.siteOf(found)}, nil
}

func (f *function) updateSite(w http.ResponseWriter, r *http.Request) (response, error) {
	found, err := f.requestedSite(r)
	if err != nil {
		return response{}, err
	}
	var change siteChange
	if err := jsonhttp.Read(w, r, maxBody, &change); err != nil {
		return response{}, err
	}
	draft := sites.Draft{Domain: found.Domain, Name: found.Name, Timezone: found.Timezone, Rules: found.Rules, Public: found.Public}
	if change.Rules != nil {
		draft.Rules = *change.Rules
	}
	if change.Public != nil {
		draft.Public = *change.Public
	}
	for _, field := range []struct{ to, from *string }{
		{&draft.Domain, change.Domain}, {&draft.Name, change.Name}, {&draft.Timezone, change.Timezone},
	} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if draft, err = sites.Normalize(draft); err != nil {
		return response{}, err
	}
	changed, err := sites.Update(r.Context(), f.db, found.ID, draft, f.now())
	if err != nil {
		return response{}, siteProblem(err)
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "site changed", "site", changed.PublicID)
	return response{http.StatusOK, f.siteOf(changed)}, nil
}

func (f *function) deleteSite(_ http.ResponseWriter, r *http.Request) (response, error) {
	found, err := f.requestedSite(r)
	if err != nil {
		return response{}, err
	}
	if !strings.EqualFold(r.URL.Query().Get("confirm"), found.Domain) {
		return response{}, problem.Invalid("confirm", "deleting a site deletes all its data for good: confirm with ?confirm="+found.Domain)
	}
	if err := sites.Delete(r.Context(), f.db, found.ID); err != nil {
		return response{}, err
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "site deleted", "site", found.PublicID)
	return response{status: http.StatusNoContent}, nil
}
