package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/metric"
	"github.com/analytics-platform/analytics/shared/storage/kept"
)

// oracle answers a question by going through all events, directly by the definitions in
// package language.
type oracle struct {
	events []visitEvent // of visits, engagements included
	kept   kept.Days
}

// isKept reports whether the rollups keep a value that an event has of a dimension.
func (o *oracle) isKept(d *language.Dimension, e *visitEvent, value string) bool {
	return o.kept[e.Day][d.Rollup()].Has(stored(d.Name, e, value))
}

// stored returns a value as it is stored.
func stored(dimension string, e *visitEvent, value string) string {
	if dimension == "visit:country_name" {
		return e.visit.Country
	}
	return unnamed(dimension, value)
}

// visitEvent is an event with the visit that it belongs to.
type visitEvent struct {
	*event.Event
	visit *visit.Visit
}

type visitorDay struct {
	day     event.Day
	visitor int64
}

// newOracle also returns the visits.
func newOracle(events []event.Event) (*oracle, [][]visit.Visit) {
	days := map[visitorDay][]*event.Event{}
	for i := range events {
		e := &events[i]
		key := visitorDay{e.Day, e.Visitor}
		days[key] = append(days[key], e)
	}
	o := &oracle{}
	var all [][]visit.Visit
	for _, day := range days {
		visits := visit.Fold(day)
		all = append(all, visits)
		for i := range visits {
			for _, e := range visits[i].Sequence() {
				o.events = append(o.events, visitEvent{e, &visits[i]})
			}
		}
	}
	return o, all
}

// row is what the events of one row add up to.
type row struct {
	began    time.Time // of the period, for the order
	labels   []string
	values   []string // of the properties, for the order
	visitors map[visitorDay]bool
	visits   map[*visit.Visit]bool
	entries  map[*visit.Visit]bool // those that the bounce rate is about

	events, pageviews float64
	engaged           float64
	scroll            map[*visit.Visit]float64
	revenue           map[string]*big.Rat
	earning           int64
	earningOf         map[string]int64
	all, base, same   *row
}

func newRow() *row {
	return &row{
		labels: []string{}, visitors: map[visitorDay]bool{}, visits: map[*visit.Visit]bool{}, entries: map[*visit.Visit]bool{},
		scroll: map[*visit.Visit]float64{}, revenue: map[string]*big.Rat{}, earningOf: map[string]int64{},
	}
}

func (o *oracle) answer(p *engine.Plan) (rows []Row, total int64) {
	groups := o.rows(p)
	all, base := only(o.rows(visitorsOnly(p, true, false))), only(o.rows(visitorsOnly(p, true, true)))
	same := o.rows(visitorsOnly(p, false, true))
	goal := slices.IndexFunc(p.Properties, func(d language.Dimension) bool { return d.IsGoal() })
	for _, g := range groups {
		if goal >= 0 && g.values[goal] == "Named" { // a goal with a currency
			g.revenue, g.earning = maps.Clone(g.revenue), g.earningOf["EUR"]
			delete(g.revenue, "USD")
		}
		values := slices.Clone(g.values)
		if goal >= 0 {
			values = slices.Delete(values, goal, goal+1)
		}
		g.all, g.base, g.same = all, base, same[keyOf(g.began, values)]
	}
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b *row) int { return compareRows(p, a, b) })
	if len(sorted) == 0 && len(p.Dimensions) == 0 {
		sorted = []*row{newRow()}
		sorted[0].base, sorted[0].same = base, only(same)
	}
	rows = []Row{}
	for i, g := range sorted {
		if i >= p.Pagination.Offset && len(rows) < p.Pagination.Limit {
			row := Row{Dimensions: g.labels}
			for _, m := range p.Metrics {
				row.Metrics = append(row.Metrics, g.value(m))
			}
			rows = append(rows, row)
		}
	}
	return rows, int64(len(sorted))
}

// visitorsOnly returns the question for visitors without its dimensions, or without its
// goals and what it asks of the events that reach them.
func visitorsOnly(p *engine.Plan, dimensions, goals bool) *engine.Plan {
	q := p.Question
	q.Metrics, q.Order, q.Include, q.Dimensions, q.Filters = []language.Metric{language.Visitors}, nil, language.Include{}, nil, nil
	for _, d := range p.Dimensions {
		if !dimensions && (!goals || !d.IsGoal()) {
			q.Dimensions = append(q.Dimensions, d)
		}
	}
	for _, f := range p.Filters {
		if !goals || !f.Dimension.IsGoal() && !strings.HasPrefix(f.Dimension.Name, "event:props:") {
			q.Filters = append(q.Filters, f)
		}
	}
	return engine.NewPlan(&q, p.Range)
}

func only(rows map[string]*row) *row {
	for _, r := range rows {
		return r
	}
	return nil
}

func keyOf(began time.Time, values []string) string {
	return strings.Join(append([]string{began.UTC().String()}, values...), "\x00")
}

func (o *oracle) rows(p *engine.Plan) map[string]*row {
	groups := map[string]*row{}
	for i := range o.events {
		e := &o.events[i]
		if !e.Type.Counts() || !inRange(p, e) || !o.matches(p.Filters, e) {
			continue
		}
		for _, g := range o.groupsOf(p, e) {
			key := keyOf(g.began, g.values)
			if groups[key] == nil {
				groups[key] = g
			}
			g = groups[key]
			g.events++
			if e.Type == event.View {
				g.pageviews++
			}
			g.visitors[visitorDay{e.Day, e.Visitor}] = true
			if countsVisit(p, e, g) {
				g.visits[e.visit] = true
				if !asksOfPages(p) || e.isEntry() {
					g.entries[e.visit] = true
				}
			}
			if amount, ok := new(big.Rat).SetString(e.Amount); ok {
				if g.revenue[e.Currency] == nil {
					g.revenue[e.Currency] = new(big.Rat)
				}
				g.revenue[e.Currency].Add(g.revenue[e.Currency], amount)
				g.earning++
				g.earningOf[e.Currency]++
			}
		}
	}
	for i := range o.events {
		e := &o.events[i]
		if e.Type.Counts() || !inRange(p, e) || !o.matches(p.Filters, e) {
			continue
		}
		for _, g := range o.groupsOf(p, e) {
			if g = groups[keyOf(g.began, g.values)]; g != nil && g.visits[e.visit] {
				g.engaged += float64(e.Engaged)
				if e.Scroll > 0 {
					g.scroll[e.visit] = max(g.scroll[e.visit], float64(e.Scroll))
				}
			}
		}
	}
	return groups
}

func inRange(p *engine.Plan, e *visitEvent) bool {
	if p.WholeDays() {
		return e.Day >= p.Range.First && e.Day <= p.Range.Last
	}
	return !e.Time.Before(p.Range.From) && e.Time.Before(p.Range.To)
}

// asksOfPages reports whether a dimension or a filter of single events is event:page.
func asksOfPages(p *engine.Plan) bool {
	var asks func(filters []language.Filter) bool
	asks = func(filters []language.Filter) bool {
		for i := range filters {
			switch f := &filters[i]; f.Operator {
			case language.HasDone, language.HasNotDone:
			case language.And, language.Or, language.Not:
				if asks(f.Filters) {
					return true
				}
			default:
				if f.Dimension.Name == "event:page" {
					return true
				}
			}
		}
		return false
	}
	return asks(p.Filters) || slices.ContainsFunc(p.Dimensions, func(d language.Dimension) bool { return d.Name == "event:page" })
}

// isEntry reports whether the event is the first view of its visit, or the first event if the
// visit has no view.
func (e *visitEvent) isEntry() bool {
	events := slices.DeleteFunc(slices.Clone(e.visit.Sequence()), func(e *event.Event) bool { return !e.Type.Counts() })
	view := slices.IndexFunc(events, func(e *event.Event) bool { return e.Type == event.View })
	return events[max(view, 0)] == e.Event
}

// countsVisit reports whether the visit of an event began in the range and the period.
func countsVisit(p *engine.Plan, e *visitEvent, g *row) bool {
	if !p.WholeDays() && e.visit.Start.Before(p.Range.From) {
		return false
	}
	switch p.Grain {
	case language.HourGrain:
		return e.visit.Hour.Equal(g.began)
	case language.MinuteGrain:
		return e.visit.Start.Truncate(time.Minute).Equal(g.began)
	default:
		return true
	}
}

func (o *oracle) matches(filters []language.Filter, e *visitEvent) bool {
	for i := range filters {
		if !o.holds(&filters[i], e) {
			return false
		}
	}
	return true
}

func (o *oracle) holds(f *language.Filter, e *visitEvent) bool {
	switch f.Operator {
	case language.And:
		return o.matches(f.Filters, e)
	case language.Or:
		return slices.ContainsFunc(f.Filters, func(f language.Filter) bool { return o.holds(&f, e) })
	case language.Not:
		return !o.holds(&f.Filters[0], e)
	case language.HasDone, language.HasNotDone:
		did := slices.ContainsFunc(e.visit.Sequence(), func(other *event.Event) bool {
			return other.Type.Counts() && o.holds(&f.Filters[0], &visitEvent{other, e.visit})
		})
		return did == (f.Operator == language.HasDone)
	}
	values := valuesOf(f.Dimension.Name, e)
	if f.Operator != language.Is && f.Operator != language.IsNot {
		for i := range values {
			values[i] = unnamed(f.Dimension.Name, values[i])
		}
		if strings.HasPrefix(f.Dimension.Name, "event:props:") && values[0] == "" {
			return false
		}
	} else if len(values) > 0 && !o.isKept(&f.Dimension, e, values[0]) {
		values = append(values, visit.Other)
	}
	some := func(accepted func(value, wanted string) bool) bool {
		return slices.ContainsFunc(values, func(value string) bool {
			return slices.ContainsFunc(f.Values, func(wanted string) bool {
				if f.AnyCase {
					return accepted(strings.ToLower(value), strings.ToLower(wanted))
				}
				return accepted(value, wanted)
			})
		})
	}
	matched := func(value, wanted string) bool { return regexp.MustCompile(wanted).MatchString(value) }
	switch f.Operator {
	case language.Is:
		return some(func(a, b string) bool { return a == b })
	case language.IsNot:
		return !some(func(a, b string) bool { return a == b })
	case language.Contains:
		return some(strings.Contains)
	case language.ContainsNot:
		return !some(strings.Contains)
	case language.Matches:
		return some(matched)
	default:
		return !some(matched)
	}
}

// groupsOf returns empty rows for an event: none if it is left out.
func (o *oracle) groupsOf(p *engine.Plan, e *visitEvent) []*row {
	groups := []*row{newRow()}
	for _, d := range p.Dimensions {
		var next []*row
		for _, g := range groups {
			if d.IsTime() {
				began, label := periodOf(p.Range, d.Name, e)
				g.began, g.labels = began, append(g.labels, label)
				next = append(next, g)
				continue
			}
			for _, value := range valuesOf(d.Name, e) {
				if value == "" && !slices.Contains(keepsUnknown(), d.Name) {
					continue
				}
				if !o.isKept(&d, e, value) {
					value = visit.Other
				}
				with := newRow()
				with.began, with.labels, with.values = g.began, append(slices.Clone(g.labels), value), append(slices.Clone(g.values), unnamed(d.Name, value))
				next = append(next, with)
			}
		}
		groups = next
	}
	return groups
}

// unnamed returns a value, "" for the name of the unknown value.
func unnamed(dimension, value string) string {
	if value == unknown(dimension) {
		return ""
	}
	return value
}

// unknown returns the name of the unknown value of a dimension.
func unknown(dimension string) string {
	switch dimension {
	case "visit:source", "visit:referrer":
		return "Direct / None"
	case "visit:utm_source", "visit:utm_medium", "visit:utm_campaign", "visit:utm_term", "visit:utm_content",
		"visit:browser", "visit:browser_version", "visit:os", "visit:os_version", "visit:device":
		return "(not set)"
	}
	if strings.HasPrefix(dimension, "event:props:") {
		return "(none)"
	}
	return ""
}

func periodOf(within language.Range, dimension string, e *visitEvent) (began time.Time, label string) {
	switch dimension {
	case "time:minute":
		began = e.Time.Truncate(time.Minute)
		return began, language.MinuteGrain.Label(began, within.From.Location()) // TestHourLabels tests labels
	case "time:hour":
		began = e.Hour()
		return began, language.HourGrain.Label(began, within.From.Location())
	case "time:day":
		began = e.Day.Date()
	case "time:week":
		began = e.Day.Date()
		for began.Weekday() != time.Monday {
			began = began.AddDate(0, 0, -1)
		}
		if began.Before(within.First.Date()) {
			began = within.First.Date()
		}
	case "time:month":
		began = time.Date(e.Day.Date().Year(), e.Day.Date().Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return began, began.Format("2006-01-02")
}

func keepsUnknown() []string {
	return []string{
		"event:hostname", "visit:channel", "visit:country", "visit:country_name", "visit:language", "visit:screen",
	}
}

// testGoals returns the goals of all sites of the tests.
func testGoals() []language.Goal {
	return []language.Goal{
		{Name: "Named", Event: "/a", Currency: "EUR"},
		{Name: "Named, with a plan", Event: "/a", Props: map[string]string{"plan": "100%"}},
		{Name: "Below a", Page: func(page string) bool { return strings.HasPrefix(page, "/a/") }},
		{Name: "Root", Page: func(page string) bool { return page == "/" }, Props: map[string]string{"who": "/"}},
	}
}

// valuesOf returns the values of an event: one, except for goals.
func valuesOf(dimension string, e *visitEvent) []string {
	if key, ok := strings.CutPrefix(dimension, "event:props:"); ok {
		return []string{cmp.Or(e.Props[key], "(none)")}
	}
	v := e.visit
	if dimension == "event:goal" {
		var reached []string
		if e.Name == "/a" && e.Type.Counts() {
			reached = append(reached, "Named")
			if e.Props["plan"] == "100%" {
				reached = append(reached, "Named, with a plan")
			}
		}
		if e.Type == event.View && strings.HasPrefix(e.Page, "/a/") {
			reached = append(reached, "Below a")
		}
		if e.Type == event.View && e.Page == "/" && e.Props["who"] == "/" {
			reached = append(reached, "Root")
		}
		return reached
	}
	exitHostname := ""
	for _, other := range v.Sequence() {
		if other.Type.Counts() {
			exitHostname = other.Hostname
		}
	}
	return []string{cmp.Or(map[string]string{
		"event:page": e.Page, "event:name": e.EventName(), "event:hostname": e.Hostname, "event:tag": e.Tag, "event:currency": e.Currency,
		"visit:entry_page": v.EntryPage, "visit:exit_page": v.ExitPage, "visit:referrer": v.Referrer,
		"visit:entry_page_hostname": v.Hostname, "visit:exit_page_hostname": exitHostname,
		"visit:source": v.Source, "visit:channel": v.Channel, "visit:utm_source": v.UTMSource, "visit:utm_medium": v.UTMMedium,
		"visit:utm_campaign": v.UTMCampaign, "visit:utm_term": v.UTMTerm, "visit:utm_content": v.UTMContent,
		"visit:country": v.Country, "visit:region": v.Region, "visit:city": v.City,
		"visit:country_name": map[string]string{"FR": "France", "BO": "Bolivia"}[v.Country] + map[bool]string{true: v.Country}[v.Country != "FR" && v.Country != "BO"],
		"visit:region_name":  v.Region, "visit:city_name": v.City,
		"visit:browser": v.Browser, "visit:browser_version": v.BrowserVersion,
		"visit:os": v.OS, "visit:os_version": v.OSVersion,
		"visit:device": v.Device, "visit:language": v.Language, "visit:screen": v.Screen,
	}[dimension], unknown(dimension))}
}

// exact returns the number by which rows are ordered; ok is false if it is unknown.
func (g *row) exact(m language.Metric) (n float64, ok bool) {
	visits := float64(len(g.visits))
	var bounces, seconds, scroll float64
	for v := range g.visits {
		seconds += float64(v.Duration)
	}
	for v := range g.entries {
		if v.Bounce {
			bounces++
		}
	}
	for _, depth := range g.scroll {
		scroll += depth
	}
	per := func(n, of float64) float64 {
		if of == 0 {
			return 0
		}
		return n / of
	}
	share := func(of *row) float64 {
		if of == nil {
			return 0
		}
		return 100 * per(float64(len(g.visitors)), float64(len(of.visitors)))
	}
	switch m {
	case language.Visitors:
		return float64(len(g.visitors)), true
	case language.Visits:
		return visits, true
	case language.Pageviews:
		return g.pageviews, true
	case language.Events:
		return g.events, true
	case language.BounceRate:
		return 100 * per(bounces, float64(len(g.entries))), len(g.entries) > 0 || visits == 0
	case language.VisitDuration:
		return per(seconds, visits), true
	case language.ViewsPerVisit:
		return per(g.pageviews, visits), true
	case language.ScrollDepth:
		return per(scroll, float64(len(g.scroll))), len(g.scroll) > 0
	case language.TimeOnPage:
		return per(g.engaged, visits) / 1000, g.engaged > 0
	case language.Percentage:
		return share(g.all), true
	case language.ConversionRate:
		return share(g.base), true
	case language.RevenueByCurrency:
		return 0, true // it does not order rows
	case language.GroupConversionRate:
		return share(g.same), true
	default:
		return g.roundedMoney(m).Number, len(g.revenue) == 1
	}
}

// money returns an amount in the only currency of the row.
func (g *row) money(m language.Metric) (amount *big.Rat, currency string) {
	if len(g.revenue) != 1 {
		return new(big.Rat), ""
	}
	for currency, sum := range g.revenue {
		if m == language.TotalRevenue {
			return sum, currency
		}
		return new(big.Rat).Quo(sum, new(big.Rat).SetInt64(g.earning)), currency
	}
	return nil, ""
}

// roundedMoney returns an amount rounded to four decimals, halves up.
func (g *row) roundedMoney(m language.Metric) metric.Value {
	amount, currency := g.money(m)
	scaled := new(big.Rat).Add(new(big.Rat).Mul(amount, big.NewRat(10_000, 1)), big.NewRat(1, 2))
	amount = new(big.Rat).SetFrac(new(big.Int).Div(scaled.Num(), scaled.Denom()), big.NewInt(10_000))
	text := strings.TrimSuffix(strings.TrimRight(amount.FloatString(4), "0"), ".")
	n, _ := amount.Float64()
	return metric.Value{Number: n, Known: true, Currency: currency, Amount: text}
}

// amounts returns the sums by currency, as a JSON object.
func (g *row) amounts() metric.Value {
	if len(g.revenue) == 0 {
		return metric.Value{}
	}
	var members []string
	for currency, sum := range g.revenue {
		text := strings.TrimSuffix(strings.TrimRight(sum.FloatString(4), "0"), ".")
		members = append(members, fmt.Sprintf("%q:%s", currency, text))
	}
	slices.Sort(members)
	return metric.Value{Known: true, Amounts: "{" + strings.Join(members, ",") + "}"}
}

func (g *row) value(m language.Metric) metric.Value {
	if m == language.RevenueByCurrency {
		return g.amounts()
	}
	n, ok := g.exact(m)
	switch {
	case !ok:
		return metric.Value{}
	case m.IsMoney():
		return g.roundedMoney(m)
	}
	precision := map[language.Metric]float64{
		language.ViewsPerVisit: 100, language.Percentage: 100, language.ConversionRate: 100, language.GroupConversionRate: 100,
	}[m]
	precision = cmp.Or(precision, 1)
	return metric.Value{Number: math.Round(n*precision) / precision, Known: true}
}

func compareRows(p *engine.Plan, a, b *row) int {
	for _, o := range p.Order {
		var c int
		if i := slices.IndexFunc(p.Dimensions, func(d language.Dimension) bool { return d.Name == o.By }); i < 0 {
			x, _ := a.exact(language.Metric(o.By))
			y, _ := b.exact(language.Metric(o.By))
			c = cmp.Compare(x, y)
		} else if p.Dimensions[i].IsTime() {
			c = a.began.Compare(b.began)
		} else {
			c = strings.Compare(a.labels[i], b.labels[i])
		}
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(a.began.Compare(b.began), slices.Compare(propertyLabels(p, a), propertyLabels(p, b)))
}

// propertyLabels returns the values of a row's properties as answers show them.
func propertyLabels(p *engine.Plan, g *row) []string {
	var labels []string
	for i := range p.Dimensions {
		if !p.Dimensions[i].IsTime() {
			labels = append(labels, g.labels[i])
		}
	}
	return labels
}
