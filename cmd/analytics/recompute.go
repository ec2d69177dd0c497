package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/analytics-platform/analytics/shared/aggregate/recompute"
	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

type recomputeCommand struct {
	Site    string `required:"" placeholder:"example.com" help:"Domain or public id of the site."`
	From    string `required:"" placeholder:"YYYY-MM-DD" help:"First day, local to the site."`
	To      string `placeholder:"YYYY-MM-DD" help:"Last day; defaults to --from."`
	Replace bool   `help:"Replace what differs."`
	Values  int    `env:"ROLLUP_VALUES" default:"100000" help:"How many values of a dimension a closed day keeps, with --replace."`
}

// recomputeResult is printed as JSON.
type recomputeResult struct {
	Days []recompute.Report `json:"days"`
}

// Run recomputes the days in order and prints their reports. After an error it prints the
// reports of the days before.
func (c *recomputeCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	first, last, err := recompute.ParseDays(c.From, c.To)
	if err != nil {
		return err
	}
	if c.Values < 1 {
		return errors.New("--values (ROLLUP_VALUES): must be more than 0")
	}
	db, err := env.Record(ctx)
	if err != nil {
		return err
	}
	site, err := sites.Find(ctx, db, c.Site)
	if errors.Is(err, sites.ErrNoSite) {
		return fmt.Errorf("--site: there is no site %s", c.Site)
	}
	if err != nil {
		return err
	}
	bar, done := progress(int(last-first)+1, "recomputing", "days")
	result := recomputeResult{Days: []recompute.Report{}}
	var failure error
	for day := first; day <= last && failure == nil; day++ {
		bar.Describe(day.String())
		var report recompute.Report
		if report, failure = recompute.DayOnRequest(ctx, db, site, day, c.Replace, c.Values, time.Now()); failure == nil {
			result.Days = append(result.Days, report)
			_ = bar.Add(1) // affects only what it shows
		}
	}
	done()
	if err := errors.Join(failure, p.print(result, result.table)); err != nil {
		return err
	}
	for i := range result.Days {
		if result.Days[i].Unrepaired() {
			return errDifferences
		}
	}
	return nil
}

func (r *recomputeResult) table(to io.Writer) error {
	if len(r.Days) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "DAY\tEVENTS\tVISITOR-DAYS\tVISITS MISSING\tEXTRA\tCHANGED\tHOURS\tDAYS\tMONTHS\t") // Flush returns the error
	for i := range r.Days {
		d := &r.Days[i]
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", d.Day, d.Events, d.VisitorDays,
			d.Visits.Missing, d.Visits.Extra, d.Visits.Changed, d.Rollups.Hours, d.Rollups.Days, d.Rollups.Months, verdict(d))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	for i := range r.Days {
		for _, example := range r.Days[i].Examples {
			if _, err := fmt.Fprintf(to, "%s: %s\n", r.Days[i].Day, example); err != nil {
				return fmt.Errorf("print: %w", err)
			}
		}
	}
	return nil
}

// verdict returns the outcome of a report.
func verdict(r *recompute.Report) string {
	switch {
	case r.Differences() == 0:
		return "right"
	case r.Replaced:
		return "replaced"
	case r.Events == 0:
		return "differs: no events to recompute from"
	default:
		return "differs"
	}
}
