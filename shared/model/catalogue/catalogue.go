// Package catalogue declares every field of an event and of a visit, once: what it means,
// what a client may send for it, and where it stands in the queue, in the database, in
// archived days, in rollups and in the query language.
//
// The structs, the encoders, the SQL column lists, the columns of archived days, the
// dimensions, the OpenAPI document and the TypeScript types are generated from it by
// `make generate`. docs/formats.md describes the stored forms byte by byte, and
// CONTRIBUTING.md says how to add a dimension.
//
//go:generate go run ../../../internal/fieldgen ../../..
package catalogue

// The versions of the stored forms. A change of what an encoder writes, such as a new
// field, needs the next version; the golden files of every version stay readable.
const (
	QueueVersion   = 3 // of an event in the queue
	ArchiveVersion = 3 // of a day in columns

	// QueueVersionAt is the position of the version in the queue form. The first version,
	// which has none, ends before it: it writes FirstQueueElements elements.
	QueueVersionAt     = 38
	FirstQueueElements = 36
)

// Type is the type of a field. It decides the Go type, the SQL type and the encodings.
type Type string

// The types of fields.
const (
	Text     Type = "text"
	Int16    Type = "int16"
	Int32    Type = "int32"
	Int64    Type = "int64"
	Bool     Type = "bool"
	Time     Type = "time"      // in UTC
	Day      Type = "day"       // a local day
	Kind     Type = "kind"      // event.Type
	UUID     Type = "uuid"      // always there
	OptionID Type = "option_id" // a UUID; the zero UUID is NULL in SQL
	Props    Type = "props"     // texts by key; NULL when there are none
	Amount   Type = "amount"    // a decimal as text; "" is NULL
	Sums     Type = "sums"      // decimals by currency; NULL when there are none
)

// Field is a field of an event or of a visit.
type Field struct {
	Go   string // name of the struct member
	Name string // name in SQL, in JSON, and, where nothing else is declared, in columns
	Type Type
	Doc  string // meaning, unit and range; becomes the member's comment

	// Queue is the field's position in the array that is an event in the queue. Positions
	// are dense and never change; a new field takes the next one.
	Queue int

	// Attribute marks what is known of where a visitor came from and with what. A visit has
	// the attributes of its first event.
	Attribute bool

	// Folded marks what package visit needs of a stored event.
	Folded bool

	// Value is the Go expression for the field's value in columns and rollups, in terms of e,
	// an event, or v, a visit. It is the struct member when empty.
	Value string

	// Derived marks a value that only columns have: no struct member, no SQL column.
	Derived bool

	Column     Column
	Rollup     int16 // number of the rollup dimension; 0 without. Numbers are stored: never reuse one
	Dimensions []Dimension
}

// Column is the column of a field in an archived day.
type Column struct {
	Go      string // name of the constant; "" without a column, or for the field's own name
	Name    string // stored; "" for the field's own name, of an attribute with visit_ before it
	Since   int    // the ArchiveVersion that has the column first; 0 is 1
	Predict Rule
	From    string // name of the column that the prediction reads
}

// Rule says how most values of a column follow from another one. Only differences from
// the prediction are stored, so a rule changes the size of the column and nothing else.
type Rule string

// The rules of prediction.
const (
	FirstEvent  Rule = "firstEvent"  // the value of the visit's first event
	LastEvent   Rule = "lastEvent"   // the value of the visit's last event
	EventCount  Rule = "eventCount"  // how many events the visit has
	EventSum    Rule = "eventSum"    // the sum over the visit's events
	SameNumber  Rule = "sameNumber"  // the same number
	SingleEvent Rule = "singleEvent" // 1 when the other number is 1
	LastSeen    Rule = "lastSeen"    // the text that the last row with the same other text has
)

// Dimension is what a field is called in the query language.
type Dimension struct {
	Name         string
	Doc          string // for the OpenAPI document; of dimensions of events only
	Unknown      string // what answers call a value that is not known
	Skip         bool   // answers leave out rows whose value is not known
	CountryNames bool   // answers show the English names of countries instead of codes
	Form         string // "path" or "host" if values have one form, though questions may write another
}

// What answers call values that are not known, as Plausible does.
const (
	direct = "Direct / None"
	notSet = "(not set)"
)

// Event returns the fields of an event, in the order of the SQL columns.
func Event() []Field {
	fields := []Field{
		{Go: "Site", Name: "site_id", Type: Int32, Queue: 0, Folded: true, Doc: "id of the site"},
		{
			Go: "Time", Name: "time", Type: Time, Queue: 2, Folded: true, Doc: "when the event happened: UTC, whole milliseconds",
			Column: Column{Go: "Time"},
		},
		{Go: "ID", Name: "id", Type: UUID, Queue: 1, Folded: true, Doc: "makes a retry the same event"},
		{Go: "Day", Name: "day", Type: Day, Queue: 3, Folded: true, Doc: "local day of the site; with Site and Visitor it names the visitor-day"},
		{
			Go: "UTCOffset", Name: "utc_offset", Type: Int16, Queue: 4, Folded: true, Doc: "minutes that local time is ahead of UTC",
			Column: Column{Go: "UTCOffset"},
		},
		{Go: "Visitor", Name: "visitor", Type: Int64, Queue: 5, Folded: true, Doc: "keyed hash under the salt of the day"},
		{
			Go: "Type", Name: "type", Type: Kind, Queue: 6, Folded: true, Doc: "what kind of thing happened",
			Column: Column{Go: "Type"},
		},
		{
			Go: "Name", Name: "name", Type: Text, Queue: 11, Folded: true, Doc: "what was clicked or reached",
			Value: "e.EventName()", Column: Column{Go: "Name"}, Rollup: 2,
			Dimensions: []Dimension{{Name: "event:name", Doc: "the name of an event", Skip: true}},
		},
		{
			Go: "Hostname", Name: "hostname", Type: Text, Queue: 12, Folded: true, Doc: "host of the page",
			Column: Column{Go: "Hostname"}, Rollup: 3,
			Dimensions: []Dimension{{Name: "event:hostname", Doc: "the host", Form: "host"}},
		},
		{
			Go: "Page", Name: "page", Type: Text, Queue: 13, Folded: true, Doc: "path of the page, in the form of weburl.Canonical",
			Column: Column{Go: "Page"}, Rollup: 1,
			Dimensions: []Dimension{{Name: "event:page", Doc: "the path of the page", Skip: true, Form: "path"}},
		},
		{Go: "Title", Name: "title", Type: Text, Queue: 14, Doc: "title of the page"},
	}
	fields = append(fields, attributes()...)
	return append(fields,
		Field{Go: "Props", Name: "props", Type: Props, Queue: 10, Doc: "properties, by key"},
		Field{
			Go: "Amount", Name: "amount", Type: Amount, Queue: 15, Folded: true, Doc: "decimal number: what the event is worth; empty without",
			Column: Column{Go: "Amount"},
		},
		Field{
			Go: "Currency", Name: "currency", Type: Text, Queue: 16, Folded: true, Doc: "ISO 4217 code of the amount",
			Column:     Column{Go: "Currency"},
			Dimensions: []Dimension{{Name: "event:currency", Doc: "the currency of an amount (ISO 4217)", Skip: true}},
		},
		Field{
			Go: "Subject", Name: "subject", Type: OptionID, Queue: 9, Doc: "keyed hash of a reference to a person; zero without",
			Value: "b.subject(e)", Column: Column{Go: "Subject"},
		},
		Field{Go: "Funnel", Name: "funnel", Type: Text, Queue: 17, Doc: "id of the funnel; empty without"},
		Field{Go: "Step", Name: "funnel_step", Type: Int16, Queue: 7, Doc: "step of the funnel, from 1"},
		Field{
			Go: "Engaged", Name: "engaged", Type: Int32, Queue: 8, Folded: true, Doc: "milliseconds that the page was visible and had the focus; of an engagement only",
			Column: Column{Go: "Engaged"},
		},
		Field{
			Go: "Scroll", Name: "scroll", Type: Int16, Queue: 36, Doc: "percent of the page that was seen, from 1; 0 when not measured; of an engagement only",
			Column: Column{Go: "Scroll"},
		},
		Field{
			Go: "Passive", Name: "passive", Type: Bool, Queue: 37, Folded: true, Doc: "happened without the visitor doing something; such an event does not end a bounce",
			Column: Column{Go: "Passive"},
		},
		Field{
			Go: "Tag", Name: "tag", Type: Text, Queue: 39, Folded: true, Doc: "label of the page's version, to compare versions; empty without",
			Column: Column{Go: "Tag", Since: 3}, Rollup: 4,
			Dimensions: []Dimension{{Name: "event:tag", Doc: "the label of the page's version", Skip: true}},
		},
	)
}

// attributes are the attributes of an event.
func attributes() []Field {
	seen := func(from string) Column { return Column{Predict: LastSeen, From: from} }
	fields := []Field{
		{Go: "Referrer", Name: "referrer", Queue: 18, Doc: "host and path, no query", Rollup: 22, Dimensions: []Dimension{{Unknown: direct, Form: "path"}}},
		{Go: "Source", Name: "source", Queue: 19, Doc: "who sent the visitor, such as Google", Rollup: 23, Column: seen("visit_referrer"), Dimensions: []Dimension{{Unknown: direct}}},
		{Go: "Channel", Name: "channel", Queue: 20, Doc: "kind of source, such as Organic Search", Rollup: 24, Column: seen("visit_source"), Dimensions: []Dimension{{}}},
		{Go: "UTMSource", Name: "utm_source", Queue: 21, Doc: "as sent", Rollup: 25, Column: seen("visit_utm_campaign"), Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "UTMMedium", Name: "utm_medium", Queue: 22, Doc: "as sent", Rollup: 26, Column: seen("visit_utm_source"), Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "UTMCampaign", Name: "utm_campaign", Queue: 23, Doc: "as sent", Rollup: 27, Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "UTMTerm", Name: "utm_term", Queue: 24, Doc: "as sent", Rollup: 28, Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "UTMContent", Name: "utm_content", Queue: 25, Doc: "as sent", Rollup: 29, Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "Country", Name: "country", Queue: 26, Doc: "ISO 3166-1 alpha-2", Rollup: 30, Column: seen("visit_city"), Dimensions: []Dimension{{}, {Name: "visit:country_name", CountryNames: true}}},
		{Go: "Region", Name: "region", Queue: 27, Doc: "ISO 3166-2", Rollup: 31, Column: seen("visit_city"), Dimensions: []Dimension{{Skip: true}, {Name: "visit:region_name", Skip: true}}},
		{Go: "City", Name: "city", Queue: 28, Doc: "English name", Rollup: 32, Dimensions: []Dimension{{Skip: true}, {Name: "visit:city_name", Skip: true}}},
		{Go: "Browser", Name: "browser", Queue: 29, Doc: "name of the browser or app", Rollup: 33, Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "BrowserVersion", Name: "browser_version", Queue: 30, Doc: "major version", Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "OS", Name: "os", Queue: 31, Doc: "name of the operating system", Rollup: 34, Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "OSVersion", Name: "os_version", Queue: 32, Doc: "version of the operating system", Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "Device", Name: "device", Queue: 33, Doc: "Desktop, Mobile, Tablet, TV or Console", Rollup: 35, Dimensions: []Dimension{{Unknown: notSet}}},
		{Go: "Language", Name: "language", Queue: 34, Doc: "BCP 47", Rollup: 36, Dimensions: []Dimension{{}}},
		{Go: "Screen", Name: "screen", Queue: 35, Doc: "WIDTHxHEIGHT in CSS pixels", Rollup: 37, Dimensions: []Dimension{{}}},
	}
	for i := range fields {
		f := &fields[i]
		f.Type, f.Attribute, f.Folded, f.Column.Go = Text, true, true, f.Go
		if f.Column.Name == "" {
			f.Column.Name = "visit_" + f.Name
		}
		if f.Dimensions[0].Name == "" {
			f.Dimensions[0].Name = "visit:" + f.Name
		}
	}
	return fields
}

// Visit returns the fields of a visit, in the order of the SQL columns.
func Visit() []Field {
	fields := []Field{
		{Go: "Site", Name: "site_id", Type: Int32},
		{Go: "Start", Name: "started_at", Type: Time, Column: Column{Go: "Start", Name: "visit_start", Predict: FirstEvent, From: "time"}},
		{
			Name: "utc_offset", Type: Int16, Derived: true, Value: "int64(v.Sequence()[0].UTCOffset)",
			Column: Column{Go: "StartOffset", Name: "visit_utc_offset", Predict: FirstEvent, From: "utc_offset"},
		},
		{Go: "Visitor", Name: "visitor", Type: Int64},
		{Go: "Day", Name: "day", Type: Day},
		{Go: "Duration", Name: "duration", Type: Int32, Column: Column{Go: "Duration", Name: "visit_duration"}},
		{Go: "Pageviews", Name: "pageviews", Type: Int32, Column: Column{Go: "Pageviews", Name: "visit_pageviews", Predict: SameNumber, From: "visit_events"}},
		{Go: "Events", Name: "events", Type: Int32, Column: Column{Go: "Events", Name: "visit_events", Predict: EventCount}},
		{Go: "Bounce", Name: "bounce", Type: Bool, Column: Column{Go: "Bounce", Name: "visit_bounce", Predict: SingleEvent, From: "visit_events"}},
		{
			Go: "EntryPage", Name: "entry_page", Type: Text, Column: Column{Go: "EntryPage", Name: "visit_entry_page", Predict: FirstEvent, From: "page"},
			Rollup: 20, Dimensions: []Dimension{{Name: "visit:entry_page", Skip: true, Form: "path"}},
		},
		{
			Go: "ExitPage", Name: "exit_page", Type: Text, Column: Column{Go: "ExitPage", Name: "visit_exit_page", Predict: LastEvent, From: "page"},
			Rollup: 21, Dimensions: []Dimension{{Name: "visit:exit_page", Skip: true, Form: "path"}},
		},
		{
			Go: "Hostname", Name: "hostname", Type: Text, Column: Column{Go: "EntryHostname", Name: "visit_entry_hostname", Predict: FirstEvent, From: "hostname"},
			Dimensions: []Dimension{{Name: "visit:entry_page_hostname", Skip: true, Form: "host"}},
		},
		{
			Name: "exit_hostname", Type: Text, Derived: true, Value: "exitHostname(v)",
			Column:     Column{Go: "ExitHostname", Name: "visit_exit_hostname", Predict: LastEvent, From: "hostname"},
			Dimensions: []Dimension{{Name: "visit:exit_page_hostname", Skip: true, Form: "host"}},
		},
	}
	return append(append(fields, attributes()...),
		Field{Go: "Engaged", Name: "engaged", Type: Int64, Column: Column{Go: "VisitEngaged", Name: "visit_engaged", Predict: EventSum, From: "engaged"}},
		Field{Go: "Revenue", Name: "revenue", Type: Sums},
	)
}

// Input is a member of the JSON object that a client sends as an event.
type Input struct {
	Go   string // name of the struct member
	Name string // name in JSON
	Type string // Go type
	Max  int    // most bytes of a text; 0 of all else, and of texts with a fixed form
	Copy bool   // becomes the field of the event that has the same Go name, as it is
	Doc  string
}

// Inputs returns the members of the native form of an event.
func Inputs() []Input {
	const properties = "map[string]jsontext.Value"
	return []Input{
		{Go: "ID", Name: "id", Type: "string", Doc: "UUIDv7 made by the client; makes a retry the same event"},
		{Go: "Site", Name: "site", Type: "string", Max: 255, Doc: "domain or public id"},
		{Go: "Type", Name: "type", Type: "string", Doc: "view, click, conversion, funnel_step or engagement"},
		{Go: "Name", Name: "name", Type: "string", Max: 120, Copy: true, Doc: "what was clicked or reached"},
		{Go: "URL", Name: "url", Type: "string", Max: 2048, Doc: "absolute; required for a view and an engagement"},
		{Go: "Referrer", Name: "referrer", Type: "string", Max: 2048, Doc: "absolute URL of the previous page"},
		{Go: "Timestamp", Name: "timestamp", Type: "string", Doc: "RFC 3339; arrival when absent"},
		{Go: "Title", Name: "title", Type: "string", Max: 500, Copy: true},
		{Go: "Language", Name: "language", Type: "string", Max: 35, Copy: true, Doc: "BCP 47"},
		{Go: "Screen", Name: "screen", Type: "string", Max: 16, Copy: true, Doc: "WIDTHxHEIGHT in CSS pixels"},
		{Go: "Tag", Name: "tag", Type: "string", Max: 120, Copy: true, Doc: "label of the page's version, to compare versions"},
		{Go: "Props", Name: "props", Type: properties, Doc: "strings, numbers, booleans"},
		{Go: "Value", Name: "value", Type: "*Value"},
		{Go: "Passive", Name: "passive", Type: "bool", Copy: true, Doc: "happened without the visitor doing something; such an event does not end a bounce"},
		{Go: "Consent", Name: "consent", Type: "bool", Doc: "the visitor has agreed to be counted; for sites whose rules require it"},
		{Go: "Subject", Name: "subject", Type: "string", Max: 256, Doc: "reference to a consenting person; stored only as a keyed hash"},
		{Go: "Funnel", Name: "funnel", Type: "*Funnel"},
		{Go: "Engaged", Name: "engaged", Type: "*int", Doc: "milliseconds that the page was visible and had the focus since the last engagement; of an engagement only"},
		{Go: "Scroll", Name: "scroll", Type: "*int", Doc: "percent of the page that was seen so far, 0 to 100; of an engagement only"},
	}
}
