package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// siteProblem returns the problem for an error of package sites about a site.
func siteProblem(err error) error {
	if exists, ok := errors.AsType[*sites.ExistsError](err); ok {
		return problem.Problem{Status: http.StatusConflict, Code: "site_exists", Field: "domain", Detail: exists.Error()}
	}
	return err
}

// keyProblem returns the problem for an error of package sites about a key.
func keyProblem(err error) error {
	if errors.Is(err, sites.ErrNoKey) {
		return problem.New(http.StatusNotFound, "key_unknown", "no such key: GET /v1/keys lists them")
	}
	return err
}

// problem returns the problem for an error of package sites about a resource.
func (k *resource[Row, Body]) problem(err error) error {
	code := strings.ReplaceAll(k.singular, " ", "_")
	switch {
	case errors.Is(err, sites.ErrNotFound):
		return problem.New(http.StatusNotFound, code+"_unknown", fmt.Sprintf("the site has no such %s: GET /v1/sites/{site}/%s lists them", k.singular, k.plural))
	case errors.Is(err, sites.ErrNameTaken):
		return problem.Problem{
			Status: http.StatusConflict, Code: code + "_exists", Field: "name",
			Detail: fmt.Sprintf("the site already has a %s of that name", k.singular),
		}
	case errors.Is(err, sites.ErrLimitReached):
		return problem.New(http.StatusConflict, "too_many", fmt.Sprintf("a site may have at most %d of these: delete a %s first", k.limit, k.singular))
	case errors.Is(err, sites.ErrNoSite):
		return problem.New(http.StatusNotFound, "site_unknown", "the site was deleted in the meantime")
	}
	return err
}
