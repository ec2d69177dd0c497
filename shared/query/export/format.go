// Package export writes tables as files of several formats, and finds out which of them
// a request asks for.
//
// A file never holds more in memory than some pages of a table, whatever its length.
package export

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// Format is a form in which an answer can be had.
type Format string

// The formats. JSON is the document that an answer is; the others are tables.
const (
	JSON    Format = "json"
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// Media is its media type.
func (f Format) Media() string {
	switch f {
	case CSV:
		return "text/csv"
	case NDJSON:
		return "application/x-ndjson"
	case Parquet:
		return "application/vnd.apache.parquet"
	default:
		return "application/json"
	}
}

// Asked is the format that a request asks for, out of some: by the parameter format, else
// by its header Accept. Of formats that are as welcome the one that is named most exactly is
// taken, then the first. What can't be had is a problem.
func Asked(r *http.Request, offered ...Format) (Format, error) {
	names, types := make([]string, len(offered)), make([]string, len(offered))
	for i, f := range offered {
		names[i], types[i] = string(f), f.Media()
	}
	if parameters := r.URL.Query(); parameters.Has("format") {
		named := Format(parameters.Get("format"))
		if !slices.Contains(offered, named) {
			return "", problem.Invalid("format", "must be one of "+strings.Join(names, ", "))
		}
		return named, nil
	}
	accepted := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accepted) == "" {
		return offered[0], nil
	}
	var best Format
	var bestQuality float64
	bestExactness := -1
	for _, f := range offered {
		quality, exactness := welcome(accepted, f.Media())
		if quality > 0 && (quality > bestQuality || quality == bestQuality && exactness > bestExactness) {
			best, bestQuality, bestExactness = f, quality, exactness
		}
	}
	if best == "" {
		p := problem.New(http.StatusNotAcceptable, "not_acceptable", "ask with Accept for one of "+strings.Join(types, ", ")+", or with ?format= for one of "+strings.Join(names, ", "))
		p.Field = "Accept"
		return "", p
	}
	return best, nil
}

// welcome is the quality, 0 to 1, that a media type has by a list of ranges, and how
// exactly it is named there: 0 as any type, 1 as one of its kind, 2 by itself. The range
// that names it most exactly counts. Parameters other than q are passed over, and so is what
// is no range.
func welcome(accepted, media string) (quality float64, exactness int) {
	exactness = -1
	kind, _, _ := strings.Cut(media, "/")
	ranges := map[string]int{"*/*": 0, kind + "/*": 1, media: 2}
	for one := range strings.SplitSeq(accepted, ",") {
		name, parameters, err := mime.ParseMediaType(one)
		exact, ok := ranges[name]
		if err != nil || !ok || exact <= exactness {
			continue
		}
		q := 1.0
		if text, ok := parameters["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
				continue
			}
		}
		quality, exactness = q, exact
	}
	return quality, exactness
}

// FileName is the value of Content-Disposition for a file of the format.
func (f Format) FileName(parts ...string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": strings.Join(parts, "_") + "." + string(f)})
}
