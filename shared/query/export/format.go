// Package export writes tables as files of several formats, and negotiates the format of an
// answer.
//
// However long a file is, only some pages of its table are in memory.
package export

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/analytics-platform/analytics/shared/model/validation"
)

// Format is the format of an answer.
type Format string

// The formats. JSON is the document of an answer; the others are tables.
const (
	JSON    Format = "json"
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// Media returns the media type.
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

// NotAcceptableError reports a request that accepts none of the formats offered.
type NotAcceptableError struct {
	Detail string // what to ask for
}

// Error returns the detail.
func (e *NotAcceptableError) Error() string { return e.Detail }

// Negotiate returns the format that a request asks for, out of some: by the parameter format,
// otherwise by its header Accept. Of formats with equal quality it takes the one that is
// named most exactly, then the first. A wrong parameter is a *validation.Error, a header
// that accepts none a *NotAcceptableError.
func Negotiate(r *http.Request, offered ...Format) (Format, error) {
	names, types := make([]string, len(offered)), make([]string, len(offered))
	for i, f := range offered {
		names[i], types[i] = string(f), f.Media()
	}
	if parameters := r.URL.Query(); parameters.Has("format") {
		named := Format(parameters.Get("format"))
		if !slices.Contains(offered, named) {
			return "", validation.New("format", "must be one of "+strings.Join(names, ", "))
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
		quality, exactness := acceptance(accepted, f.Media())
		if quality > 0 && (quality > bestQuality || quality == bestQuality && exactness > bestExactness) {
			best, bestQuality, bestExactness = f, quality, exactness
		}
	}
	if best == "" {
		return "", &NotAcceptableError{"ask with Accept for one of " + strings.Join(types, ", ") + ", or with ?format= for one of " + strings.Join(names, ", ")}
	}
	return best, nil
}

// acceptance returns the quality, 0 to 1, of a media type in a list of ranges, and how
// exactly the list names it: 0 as any type, 1 by its main type, 2 by itself. The most exact
// range counts. Parameters other than q are ignored, and so are malformed ranges.
func acceptance(accepted, media string) (quality float64, exactness int) {
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

// FileName returns the value of Content-Disposition for a file of the format.
func (f Format) FileName(parts ...string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": strings.Join(parts, "_") + "." + string(f)})
}
