package report

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
)

// oracle answers a question by going through all events, as the package's
// documentation says it: slowly, and in the plainest way.
type oracle struct {
	events []visited // of visits, engagements among them
}

// visited is an event with the visit that it belongs to.
type visited struct {
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
				o.events = append(o.events, visited{e, &visits[i]})
			}
		}
	}
	return o, all
}

// row is what the events of one row have come to.
type row struct {
	began    time.Time // of the period, for the order
	labels   []string
	values   []string // of the properties, for the order
	visitors map[visitorDay]bool
	visits   map[*visit.Visit]bool

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
		labels: []string{}, visitors: map[visitorDay]bool{}, visits: map[*visit.Visit]bool{},
		scroll: map[*visit.Visit]float64{}, revenue: map[string]*big.Rat{}, earningOf: map[string]int64{},
	}
}

func (o *oracle) answer(r *resolved) (rows []Row, total int64) {
	groups := o.rows(r)
	all, base := only(o.rows(r.without(true, false))), only(o.rows(r.without(true, true)))
	same := o.rows(r.without(false, true))
	goal := slices.IndexFunc(r.properties, func(d Dimension) bool { return d.isGoal() })
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
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b *row) int { return r.compareRows(a, b) })
	if len(sorted) == 0 && len(r.Dimensions) == 0 {
		sorted = []*row{newRow()}
		sorted[0].base, sorted[0].same = base, only(same)
	}
	rows = []Row{}
	for i, g := range sorted {
		if i >= r.Pagination.Offset && len(rows) < r.Pagination.Limit {
			row := Row{Dimensions: g.labels}
			for _, m := range r.Metrics {
				row.Metrics = append(row.Metrics, g.value(m))
			}
			rows = append(rows, row)
		}
	}
	return rows, int64(len(sorted))
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

func (o *oracle) rows(r *resolved) map[string]*row {
	groups := map[string]*row{}
	for i := range o.events {
		e := &o.events[i]
		if !e.Type.Counts() || !r.inRange(e) || !o.matches(r.Filters, e) {
			continue
		}
		for _, g := range r.groupsOf(e) {
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
			if r.countsVisit(e, g) {
				g.visits[e.visit] = true
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
		if e.Type.Counts() || !r.inRange(e) || !o.matches(r.Filters, e) {
			continue
		}
		for _, g := range r.groupsOf(e) {
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

func (r *resolved) inRange(e *visited) bool {
	if r.wholeDays() {
		return e.Day >= r.span.first && e.Day <= r.span.last
	}
	return !e.Time.Before(r.span.from) && e.Time.Before(r.span.to)
}

// countsVisit tells whether the event's visit began in the range and in the row's period.
func (r *resolved) countsVisit(e *visited, g *row) bool {
	if !r.wholeDays() && e.visit.Start.Before(r.span.from) {
		return false
	}
	switch r.grain {
	case hourGrain:
		return e.visit.Hour.Equal(g.began)
	case minuteGrain:
		return e.visit.Start.Truncate(time.Minute).Equal(g.began)
	default:
		return true
	}
}

func (o *oracle) matches(filters []Filter, e *visited) bool {
	for i := range filters {
		if !o.holds(&filters[i], e) {
			return false
		}
	}
	return true
}

func (o *oracle) holds(f *Filter, e *visited) bool {
	switch f.Operator {
	case And:
		return o.matches(f.Filters, e)
	case Or:
		return slices.ContainsFunc(f.Filters, func(f Filter) bool { return o.holds(&f, e) })
	case Not:
		return !o.holds(&f.Filters[0], e)
	case HasDone, HasNotDone:
		did := slices.ContainsFunc(e.visit.Sequence(), func(other *event.Event) bool {
			return other.Type.Counts() && o.holds(&f.Filters[0], &visited{other, e.visit})
		})
		return did == (f.Operator == HasDone)
	}
	values := valuesOf(f.Dimension.Name, e)
	if f.Operator != Is && f.Operator != IsNot {
		for i := range values {
			values[i] = unnamed(f.Dimension.Name, values[i])
		}
		if strings.HasPrefix(f.Dimension.Name, "event:props:") && values[0] == "" {
			return false
		}
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
	case Is:
		return some(func(a, b string) bool { return a == b })
	case IsNot:
		return !some(func(a, b string) bool { return a == b })
	case Contains:
		return some(strings.Contains)
	case NotContain:
		return !some(strings.Contains)
	case Matches:
		return some(matched)
	default:
		return !some(matched)
	}
}

// groupsOf are the event's empty groups: none when it is left out.
func (r *resolved) groupsOf(e *visited) []*row {
	groups := []*row{newRow()}
	for _, d := range r.Dimensions {
		var next []*row
		for _, g := range groups {
			if d.isTime() {
				began, label := r.periodOf(d.Name, e)
				g.began, g.labels = began, append(g.labels, label)
				next = append(next, g)
				continue
			}
			for _, value := range valuesOf(d.Name, e) {
				if value == "" && !slices.Contains(keptWhenUnknown(), d.Name) {
					continue
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

// unnamed is a value without the name that it has for not being known.
func unnamed(dimension, value string) string {
	if value == unknown(dimension) {
		return ""
	}
	return value
}

// unknown is the name that a dimension has for a value that is not known.
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

func (r *resolved) periodOf(dimension string, e *visited) (began time.Time, label string) {
	switch dimension {
	case "time:minute":
		began = e.Time.Truncate(time.Minute)
		return began, began.In(r.span.from.Location()).Format("2006-01-02 15:04:05")
	case "time:hour":
		began = e.Hour()
		return began, began.In(r.span.from.Location()).Format("2006-01-02 15:04:05")
	case "time:day":
		began = e.Day.Date()
	case "time:week":
		began = e.Day.Date()
		for began.Weekday() != time.Monday {
			began = began.AddDate(0, 0, -1)
		}
		if began.Before(r.span.first.Date()) {
			began = r.span.first.Date()
		}
	case "time:month":
		began = time.Date(e.Day.Date().Year(), e.Day.Date().Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return began, began.Format("2006-01-02")
}

func keptWhenUnknown() []string {
	return []string{
		"event:hostname", "visit:channel", "visit:country", "visit:country_name", "visit:language", "visit:screen",
	}
}

// testGoals are the goals of all sites of the tests.
func testGoals() []Goal {
	return []Goal{
		{Name: "Named", Event: "/a", Currency: "EUR"},
		{Name: "Named, with a plan", Event: "/a", Props: map[string]string{"plan": "100%"}},
		{Name: "Below a", Page: func(page string) bool { return strings.HasPrefix(page, "/a/") }},
		{Name: "Root", Page: func(page string) bool { return page == "/" }, Props: map[string]string{"who": "/"}},
	}
}

// valuesOf are the values of an event: one, but of goals.
func valuesOf(dimension string, e *visited) []string {
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

// exact is what rows are ordered by; ok is false when it is not known.
func (g *row) exact(m Metric) (n float64, ok bool) {
	visits := float64(len(g.visits))
	var bounces, seconds, scroll float64
	for v := range g.visits {
		seconds += float64(v.Duration)
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
	case Visitors:
		return float64(len(g.visitors)), true
	case Visits:
		return visits, true
	case Pageviews:
		return g.pageviews, true
	case Events:
		return g.events, true
	case BounceRate:
		return 100 * per(bounces, visits), true
	case VisitDuration:
		return per(seconds, visits), true
	case ViewsPerVisit:
		return per(g.pageviews, visits), true
	case ScrollDepth:
		return per(scroll, float64(len(g.scroll))), len(g.scroll) > 0
	case TimeOnPage:
		return per(g.engaged, visits) / 1000, g.engaged > 0
	case Percentage:
		return share(g.all), true
	case ConversionRate:
		return share(g.base), true
	case GroupConversionRate:
		return share(g.same), true
	default:
		return g.paid(m).Number, len(g.revenue) == 1
	}
}

// money is an amount in the one currency of the row.
func (g *row) money(m Metric) (amount *big.Rat, currency string) {
	if len(g.revenue) != 1 {
		return new(big.Rat), ""
	}
	for currency, sum := range g.revenue {
		if m == TotalRevenue {
			return sum, currency
		}
		return new(big.Rat).Quo(sum, new(big.Rat).SetInt64(g.earning)), currency
	}
	return nil, ""
}

// paid is an amount to the nearest ten-thousandth, a half rounded up.
func (g *row) paid(m Metric) Value {
	amount, currency := g.money(m)
	scaled := new(big.Rat).Add(new(big.Rat).Mul(amount, big.NewRat(10_000, 1)), big.NewRat(1, 2))
	amount = new(big.Rat).SetFrac(new(big.Int).Div(scaled.Num(), scaled.Denom()), big.NewInt(10_000))
	text := strings.TrimSuffix(strings.TrimRight(amount.FloatString(4), "0"), ".")
	n, _ := amount.Float64()
	return Value{Number: n, Known: true, Currency: currency, Amount: text}
}

func (g *row) value(m Metric) Value {
	n, ok := g.exact(m)
	switch {
	case !ok:
		return Value{}
	case m.moneyed():
		return g.paid(m)
	}
	precision := map[Metric]float64{ViewsPerVisit: 100, Percentage: 100, ConversionRate: 100, GroupConversionRate: 100}[m]
	precision = cmp.Or(precision, 1)
	return Value{Number: math.Round(n*precision) / precision, Known: true}
}

func (r *resolved) compareRows(a, b *row) int {
	for _, o := range r.Order {
		var c int
		if i := slices.IndexFunc(r.Dimensions, func(d Dimension) bool { return d.Name == o.By }); i < 0 {
			x, _ := a.exact(Metric(o.By))
			y, _ := b.exact(Metric(o.By))
			c = cmp.Compare(x, y)
		} else if r.Dimensions[i].isTime() {
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
	return cmp.Or(a.began.Compare(b.began), slices.Compare(r.shown(a), r.shown(b)))
}

// shown are the values of a row's properties as answers show them.
func (r *resolved) shown(g *row) []string {
	var shown []string
	for i := range r.Dimensions {
		if !r.Dimensions[i].isTime() {
			shown = append(shown, g.labels[i])
		}
	}
	return shown
}
