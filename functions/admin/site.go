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

// site is a site as it is answered.
type site struct {
	ID        string    `json:"id"`
	Domain    string    `json:"domain"`
	Name      string    `json:"name"`
	Timezone  string    `json:"timezone"` // that was chosen
	CreatedAt time.Time `json:"created_at"`

	// Of a change of the time zone that has not taken effect yet.
	PreviousTimezone string     `json:"previous_timezone,omitempty"` // that is in force until then
	TimezoneSince    *time.Time `json:"timezone_since,omitempty"`

	Rules  rules.Rules `json:"rules"`  // what it lets in
	Public bool        `json:"public"` // anyone may read its reports
}

func (f *function) siteOf(s sites.Site) site {
	out := site{ID: s.PublicID, Domain: s.Domain, Name: s.Name, Timezone: s.Timezone, CreatedAt: s.CreatedAt.UTC(), Rules: s.Rules, Public: s.Public}
	if s.TimezoneSince != nil && f.now().Before(*s.TimezoneSince) {
		out.PreviousTimezone, out.TimezoneSince = s.PreviousTimezone, new(s.TimezoneSince.UTC())
	}
	return out
}

// newSite is the body that creates a site.
type newSite struct {
	Domain   string `json:"domain"`
	Name     string `json:"name"` // the domain, when left out
	Timezone string `json:"timezone"`

	Rules  rules.Rules `json:"rules"`  // lets everything in but what visitors forbid, when left out
	Public bool        `json:"public"` // anyone may read its reports
}

// siteChange is the body that changes a site: what is left out stays. The rules are
// replaced as a whole.
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

func (f *function) listSites(_ http.ResponseWriter, r *http.Request) (answer, error) {
	all, err := sites.List(r.Context(), f.db)
	if err != nil {
		return answer{}, err
	}
	grant := access.Of(r.Context())
	list := siteList{Sites: []site{}}
	for _, s := range all {
		if grant.Sees(s) {
			list.Sites = append(list.Sites, f.siteOf(s))
		}
	}
	return answer{http.StatusOK, list}, nil
}

func (f *function) createSite(w http.ResponseWriter, r *http.Request) (answer, error) {
	if err := everything(r.Context()); err != nil {
		return answer{}, err
	}
	var body newSite
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return answer{}, err
	}
	draft, err := sites.Normalize(sites.Draft(body))
	if err != nil {
		return answer{}, err
	}
	created, err := sites.Create(r.Context(), f.db, draft)
	if err != nil {
		return answer{}, siteProblem(err)
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "site created", "site", created.PublicID)
	return answer{http.StatusCreated, f.siteOf(created)}, nil
}

// named is the site that the address names.
func (f *function) named(r *http.Request) (sites.Site, error) {
	return access.Site(r.Context(), f.db, "", r.PathValue("site"))
}

func (f *function) showSite(_ http.ResponseWriter, r *http.Request) (answer, error) {
	found, err := f.named(r)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, f.siteOf(found)}, nil
}

func (f *function) changeSite(w http.ResponseWriter, r *http.Request) (answer, error) {
	found, err := f.named(r)
	if err != nil {
		return answer{}, err
	}
	var change siteChange
	if err := jsonhttp.Read(w, r, maxBody, &change); err != nil {
		return answer{}, err
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
		return answer{}, err
	}
	changed, err := sites.Update(r.Context(), f.db, found.ID, draft, f.now())
	if err != nil {
		return answer{}, siteProblem(err)
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "site changed", "site", changed.PublicID)
	return answer{http.StatusOK, f.siteOf(changed)}, nil
}

func (f *function) deleteSite(_ http.ResponseWriter, r *http.Request) (answer, error) {
	found, err := f.named(r)
	if err != nil {
		return answer{}, err
	}
	if !strings.EqualFold(r.URL.Query().Get("confirm"), found.Domain) {
		return answer{}, problem.Invalid("confirm", "deleting a site deletes all that was ever counted for it: confirm with ?confirm="+found.Domain)
	}
	if err := sites.Delete(r.Context(), f.db, found.ID); err != nil {
		return answer{}, err
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "site deleted", "site", found.PublicID)
	return answer{status: http.StatusNoContent}, nil
}
