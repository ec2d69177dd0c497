package catalogue

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
