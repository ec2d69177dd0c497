package admin

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/analytics-platform/analytics/shared/edge/jsonhttp"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// resource describes a kind of site resource, such as goals. Row is a stored resource and
// Body the body of a request that creates or changes one.
type resource[Row, Body any] struct {
	singular string        // such as "share link"
	plural   string        // as in paths, such as "share-links"
	limit    int           // maximum number for a site
	readers  []sites.Scope // scopes that may list them; changes need the scope admin

	document func(Row) any
	list     func(ctx context.Context, db database.DB, site int32) ([]Row, error)
	create   func(ctx context.Context, db database.DB, site int32, body Body) (document any, err error)
	remove   func(ctx context.Context, db database.DB, site, id int32) error

	// Nil for resources that can't be changed. A request is decoded over the body that
	// would recreate the row, so that omitted fields keep their values.
	find   func(ctx context.Context, db database.DB, site, id int32) (Row, error)
	body   func(Row) Body
	update func(ctx context.Context, db database.DB, site int32, row Row, body Body) (Row, error)
}

// handleResource adds the routes of a kind of resource to mux.
func handleResource[Row, Body any](f *function, mux *http.ServeMux, k resource[Row, Body]) {
	path := "/v1/sites/{site}/" + k.plural
	mux.Handle("GET "+path, f.serveTo(k.readers, func(_ http.ResponseWriter, r *http.Request) (response, error) { return k.handleList(f, r) }))
	mux.Handle("POST "+path, f.serve(func(w http.ResponseWriter, r *http.Request) (response, error) { return k.handleCreate(f, w, r) }))
	mux.Handle("DELETE "+path+"/{id}", f.serve(func(_ http.ResponseWriter, r *http.Request) (response, error) { return k.handleDelete(f, r) }))
	if k.update != nil {
		mux.Handle("PATCH "+path+"/{id}", f.serve(func(w http.ResponseWriter, r *http.Request) (response, error) { return k.handleUpdate(f, w, r) }))
	}
}

// readers returns the scopes that may list the resources that a dashboard shows.
func readers() []sites.Scope { return []sites.Scope{sites.ScopeQuery, sites.ScopeAdmin} }

func (k *resource[Row, Body]) handleList(f *function, r *http.Request) (response, error) {
	site, err := f.requestedSite(r)
	if err != nil {
		return response{}, err
	}
	rows, err := k.list(r.Context(), f.db, site.ID)
	if err != nil {
		return response{}, err
	}
	documents := make([]any, len(rows))
	for i, row := range rows {
		documents[i] = k.document(row)
	}
	return response{http.StatusOK, map[string][]any{strings.ReplaceAll(k.plural, "-", "_"): documents}}, nil
}

func (k *resource[Row, Body]) handleCreate(f *function, w http.ResponseWriter, r *http.Request) (response, error) {
	site, err := f.requestedSite(r)
	if err != nil {
		return response{}, err
	}
	var body Body
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return response{}, err
	}
	document, err := k.create(r.Context(), f.db, site.ID, body)
	if err != nil {
		return response{}, k.problem(err)
	}
	f.log.InfoContext(r.Context(), k.singular+" created", "site", site.PublicID)
	return response{http.StatusCreated, document}, nil
}

func (k *resource[Row, Body]) handleUpdate(f *function, w http.ResponseWriter, r *http.Request) (response, error) {
	site, id, err := k.requested(f, r)
	if err != nil {
		return response{}, err
	}
	row, err := k.find(r.Context(), f.db, site.ID, id)
	if err != nil {
		return response{}, k.problem(err)
	}
	body := k.body(row)
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return response{}, err
	}
	if row, err = k.update(r.Context(), f.db, site.ID, row, body); err != nil {
		return response{}, k.problem(err)
	}
	f.log.InfoContext(r.Context(), k.singular+" changed", "site", site.PublicID, "id", id)
	return response{http.StatusOK, k.document(row)}, nil
}

func (k *resource[Row, Body]) handleDelete(f *function, r *http.Request) (response, error) {
	site, id, err := k.requested(f, r)
	if err != nil {
		return response{}, err
	}
	if err := k.remove(r.Context(), f.db, site.ID, id); err != nil {
		return response{}, k.problem(err)
	}
	f.log.InfoContext(r.Context(), k.singular+" deleted", "site", site.PublicID, "id", id)
	return response{status: http.StatusNoContent}, nil
}

// requested returns the site and the resource's id that the path of the request names.
func (k *resource[Row, Body]) requested(f *function, r *http.Request) (sites.Site, int32, error) {
	site, err := f.requestedSite(r)
	if err != nil {
		return sites.Site{}, 0, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return sites.Site{}, 0, k.problem(sites.ErrNotFound)
	}
	return site, int32(id), nil
}
