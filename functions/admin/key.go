package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// maxKeyName is the maximum length of a key's name in characters.
const maxKeyName = 120

// key is the document of an API key.
type key struct {
	ID         int32         `json:"id"`
	Name       string        `json:"name"`
	Scopes     []sites.Scope `json:"scopes"`
	Sites      []string      `json:"sites"` // domains; empty for all sites
	CreatedAt  time.Time     `json:"created_at"`
	LastUsedAt *time.Time    `json:"last_used_at"`  // accurate to a minute; null if never used, and for a write key
	Key        string        `json:"key,omitempty"` // the secret; only in the response that creates the key
}

// newKey is the body of a request that creates a key.
type newKey struct {
	Name   string        `json:"name"`
	Scopes []sites.Scope `json:"scopes"`
	Sites  []string      `json:"sites"` // domains or public ids; empty for all sites
}

type keyList struct {
	Keys []key `json:"keys"`
}

// keyOf returns the document of a key, given the domains of its sites.
func keyOf(k sites.Key, domains map[int32]string) key {
	out := key{ID: k.ID, Name: k.Name, Scopes: k.Scopes, Sites: []string{}, CreatedAt: k.CreatedAt.UTC(), LastUsedAt: inUTC(k.LastUsedAt)}
	for _, id := range k.Sites {
		out.Sites = append(out.Sites, domains[id])
	}
	return out
}

func (f *function) listKeys(_ http.ResponseWriter, r *http.Request) (response, error) {
	all, err := sites.Keys(r.Context(), f.db)
	if err != nil {
		return response{}, err
	}
	sites, err := sites.List(r.Context(), f.db)
	if err != nil {
		return response{}, err
	}
	domains := make(map[int32]string, len(sites))
	for _, s := range sites {
		domains[s.ID] = s.Domain
	}
	list := keyList{Keys: []key{}}
	for _, k := range all {
		list.Keys = append(list.Keys, keyOf(k, domains))
	}
	return response{http.StatusOK, list}, nil
}

func (f *function) createKey(w http.ResponseWriter, r *http.Request) (response, error) {
	var body newKey
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return response{}, err
	}
	if err := body.normalize(); err != nil {
		return response{}, err
	}
	ids, domains, err := f.resolveSites(r.Context(), body.Sites)
	if err != nil {
		return response{}, err
	}
	created, secret, err := sites.CreateKey(r.Context(), f.db, body.Name, body.Scopes, ids)
	if err != nil {
		return response{}, err
	}
	f.publish(r.Context()) // a write key takes effect in track
	f.log.InfoContext(r.Context(), "key created", "key", created.ID)
	document := keyOf(created, domains)
	document.Key = secret
	return response{http.StatusCreated, document}, nil
}

// normalize validates the body and brings it into the form that is stored.
func (k *newKey) normalize() error {
	var err error
	if k.Name, err = label.Normalize("name", k.Name, maxKeyName); err != nil {
		return err
	}
	allowed := sites.Scopes()
	if len(k.Scopes) == 0 {
		return problem.Invalid("scopes", fmt.Sprintf("must contain at least one of %v", allowed))
	}
	for i, scope := range k.Scopes {
		field := fmt.Sprintf("scopes.%d", i)
		if !slices.Contains(allowed, scope) {
			return problem.Invalid(field, fmt.Sprintf("must be one of %v", allowed))
		}
		if slices.Contains(k.Scopes[:i], scope) {
			return problem.Invalid(field, "must not be repeated")
		}
		if scope == sites.ScopeWrite && len(k.Scopes) > 1 {
			return problem.Invalid(field, "write must be the only scope of a key, since such a key is on the servers of a site")
		}
	}
	return nil
}

// resolveSites returns the ids of the named sites, without duplicates, and their domains.
func (f *function) resolveSites(ctx context.Context, names []string) (ids []int32, domains map[int32]string, err error) {
	domains = map[int32]string{}
	for i, name := range names {
		found, err := access.Site(ctx, f.db, fmt.Sprintf("sites.%d", i), name)
		if err != nil {
			return nil, nil, err
		}
		if _, duplicate := domains[found.ID]; !duplicate {
			ids = append(ids, found.ID)
		}
		domains[found.ID] = found.Domain
	}
	return ids, domains, nil
}

func (f *function) deleteKey(_ http.ResponseWriter, r *http.Request) (response, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err == nil {
		err = sites.DeleteKey(r.Context(), f.db, int32(id))
	} else {
		err = sites.ErrNoKey
	}
	if err != nil {
		return response{}, keyProblem(err)
	}
	f.publish(r.Context())
	f.log.InfoContext(r.Context(), "key revoked", "key", id)
	return response{status: http.StatusNoContent}, nil
}
