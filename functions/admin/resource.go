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

// resource is a kind of thing that belongs to a site and of which it has many, such as
// goals. Row is one in the record, Body what makes or changes one.
type resource[Row, Body any] struct {
	one, many string        // "share link", "share-links"; many is as addresses have it
	most      int           // that a site may have
	readers   []sites.Scope // who may list them; to change them takes the scope admin

	show func(Row) any
	list func(ctx context.Context, db database.DB, site int32) ([]Row, error)
	add  func(ctx context.Context, db database.DB, site int32, body Body) (any, error) // what is shown

	// Of what can be changed: body is what would make the row again, of which the request
	// replaces what it names.
	find   func(ctx context.Context, db database.DB, site, id int32) (Row, error)
	body   func(Row) Body
	change func(ctx context.Context, db database.DB, site int32, row Row, body Body) (Row, error)

	remove func(ctx context.Context, db database.DB, site, id int32) error
}

// serveAll adds the addresses of a kind to a mux.
func serveAll[Row, Body any](f *function, mux *http.ServeMux, b resource[Row, Body]) {
	all := "/v1/sites/{site}/" + b.many
	mux.Handle("GET "+all, f.serveTo(b.readers, func(_ http.ResponseWriter, r *http.Request) (answer, error) { return b.listed(f, r) }))
	mux.Handle("POST "+all, f.serve(func(w http.ResponseWriter, r *http.Request) (answer, error) { return b.added(f, w, r) }))
	mux.Handle("DELETE "+all+"/{id}", f.serve(func(_ http.ResponseWriter, r *http.Request) (answer, error) { return b.removed(f, r) }))
	if b.change != nil {
		mux.Handle("PATCH "+all+"/{id}", f.serve(func(w http.ResponseWriter, r *http.Request) (answer, error) { return b.changed(f, w, r) }))
	}
}

// readers are the scopes that may list what a dashboard shows.
func readers() []sites.Scope { return []sites.Scope{sites.ScopeQuery, sites.ScopeAdmin} }

func (b *resource[Row, Body]) listed(f *function, r *http.Request) (answer, error) {
	site, err := f.named(r)
	if err != nil {
		return answer{}, err
	}
	rows, err := b.list(r.Context(), f.db, site.ID)
	if err != nil {
		return answer{}, err
	}
	shown := make([]any, len(rows))
	for i, row := range rows {
		shown[i] = b.show(row)
	}
	return answer{http.StatusOK, map[string][]any{strings.ReplaceAll(b.many, "-", "_"): shown}}, nil
}

func (b *resource[Row, Body]) added(f *function, w http.ResponseWriter, r *http.Request) (answer, error) {
	site, err := f.named(r)
	if err != nil {
		return answer{}, err
	}
	var body Body
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return answer{}, err
	}
	shown, err := b.add(r.Context(), f.db, site.ID, body)
	if err != nil {
		return answer{}, b.problem(err)
	}
	f.log.InfoContext(r.Context(), b.one+" created", "site", site.PublicID)
	return answer{http.StatusCreated, shown}, nil
}

func (b *resource[Row, Body]) changed(f *function, w http.ResponseWriter, r *http.Request) (answer, error) {
	site, id, err := b.named(f, r)
	if err != nil {
		return answer{}, err
	}
	row, err := b.find(r.Context(), f.db, site.ID, id)
	if err != nil {
		return answer{}, b.problem(err)
	}
	body := b.body(row)
	if err := jsonhttp.Read(w, r, maxBody, &body); err != nil {
		return answer{}, err
	}
	if row, err = b.change(r.Context(), f.db, site.ID, row, body); err != nil {
		return answer{}, b.problem(err)
	}
	f.log.InfoContext(r.Context(), b.one+" changed", "site", site.PublicID, "id", id)
	return answer{http.StatusOK, b.show(row)}, nil
}

func (b *resource[Row, Body]) removed(f *function, r *http.Request) (answer, error) {
	site, id, err := b.named(f, r)
	if err != nil {
		return answer{}, err
	}
	if err := b.remove(r.Context(), f.db, site.ID, id); err != nil {
		return answer{}, b.problem(err)
	}
	f.log.InfoContext(r.Context(), b.one+" deleted", "site", site.PublicID, "id", id)
	return answer{status: http.StatusNoContent}, nil
}

// named is the site and the id that the address names.
func (b *resource[Row, Body]) named(f *function, r *http.Request) (sites.Site, int32, error) {
	site, err := f.named(r)
	if err != nil {
		return sites.Site{}, 0, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return sites.Site{}, 0, b.problem(sites.ErrNotFound)
	}
	return site, int32(id), nil
}
