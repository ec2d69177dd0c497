package admin

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// annotation is the document of an annotation.
type annotation struct {
	ID int32 `json:"id"`
	annotationBody
	CreatedAt time.Time `json:"created_at"`
}

// annotationBody is the body of a request that creates or changes an annotation.
type annotationBody struct {
	Day  string `json:"day"` // local day of the site, YYYY-MM-DD
	Text string `json:"text"`
}

func bodyOfAnnotation(a sites.Annotation) annotationBody {
	return annotationBody{a.Day.Format(time.DateOnly), a.Text}
}

func annotationDocument(a sites.Annotation) any {
	return annotation{a.ID, bodyOfAnnotation(a), a.CreatedAt.UTC()}
}

// normalize returns the day and the text in the form that is stored.
func (b *annotationBody) normalize() (day time.Time, text string, err error) {
	if day, err = time.Parse(time.DateOnly, b.Day); err != nil {
		return day, "", problem.Invalid("day", "must be a day such as 2026-03-01")
	}
	text, err = label.Normalize("text", b.Text, sites.MaxAnnotationText)
	return day, text, err
}

func (f *function) annotations() resource[sites.Annotation, annotationBody] {
	return resource[sites.Annotation, annotationBody]{
		singular: "annotation", plural: "annotations", limit: sites.MaxAnnotations, readers: readers(),
		document: annotationDocument, list: sites.Annotations, find: sites.FindAnnotation, remove: sites.DeleteAnnotation,
		create: func(ctx context.Context, db database.DB, site int32, body annotationBody) (any, error) {
			day, text, err := body.normalize()
			if err != nil {
				return nil, err
			}
			created, err := sites.CreateAnnotation(ctx, db, site, day, text)
			return annotationDocument(created), err
		},
		body: bodyOfAnnotation,
		update: func(ctx context.Context, db database.DB, site int32, row sites.Annotation, body annotationBody) (sites.Annotation, error) {
			day, text, err := body.normalize()
			if err != nil {
				return row, err
			}
			return sites.UpdateAnnotation(ctx, db, site, row.ID, day, text)
		},
	}
}
