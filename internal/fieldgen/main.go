// Command fieldgen generates Go files and parts of the OpenAPI document from package
// catalogue. Its argument is the root of the repository.
package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/analytics-platform/analytics/shared/model/catalogue"
)

//go:embed templates
var templates embed.FS

// outputs returns the generated Go files, by template.
func outputs() map[string]string {
	return map[string]string{
		"event.go.tmpl":    "shared/model/event/fields_gen.go",
		"visit.go.tmpl":    "shared/model/visit/fields_gen.go",
		"columns.go.tmpl":  "shared/storage/columns/fields_gen.go",
		"store.go.tmpl":    "shared/storage/store/fields_gen.go",
		"language.go.tmpl": "shared/query/language/fields_gen.go",
		"report.go.tmpl":   "shared/query/report/fields_gen.go",
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: fieldgen ROOT")
	}
	files, err := generate(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644); err != nil { //nolint:gosec // source code is public
			log.Fatal(err)
		}
	}
}

// generate returns the content of every generated file, by its path from the root.
func generate(root string) (map[string][]byte, error) {
	fields, err := load()
	if err != nil {
		return nil, err
	}
	parsed, err := template.New("").Funcs(functions()).ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, file := range outputs() {
		var out bytes.Buffer
		out.WriteString("// Code generated from package catalogue by `make generate`. DO NOT EDIT.\n\n")
		if err := parsed.ExecuteTemplate(&out, name, fields); err != nil {
			return nil, err
		}
		if files[file], err = format.Source(out.Bytes()); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", file, err, out.Bytes())
		}
	}
	document, err := os.ReadFile(filepath.Join(root, openAPI)) //nolint:gosec // the developer chooses the root
	if err != nil {
		return nil, err
	}
	if files[openAPI], err = patch(document, fields); err != nil {
		return nil, fmt.Errorf("%s: %w", openAPI, err)
	}
	return files, nil
}

func functions() template.FuncMap {
	return template.FuncMap{
		"goType":     goType,
		"sqlType":    sqlType,
		"appender":   appender,
		"reader":     reader,
		"fastReader": fastReader,
		"tableKind":  tableKind,

		"memberReader": memberReader,
	}
}

func goType(t catalogue.Type) string {
	switch t {
	case catalogue.Text, catalogue.Amount:
		return "string"
	case catalogue.Time:
		return "time.Time"
	case catalogue.Day:
		return "Day"
	case catalogue.Kind:
		return "Type"
	case catalogue.UUID, catalogue.OptionID:
		return "uuid.UUID"
	case catalogue.Props:
		return "map[string]string"
	default:
		return string(t)
	}
}

func sqlType(t catalogue.Type) string {
	switch t {
	case catalogue.Text:
		return "text"
	case catalogue.Int16, catalogue.Kind:
		return "smallint"
	case catalogue.Int32:
		return "int"
	case catalogue.Int64:
		return "bigint"
	case catalogue.Bool:
		return "boolean"
	case catalogue.Time:
		return "timestamptz"
	case catalogue.Day:
		return "date"
	case catalogue.UUID, catalogue.OptionID:
		return "uuid"
	case catalogue.Props, catalogue.Sums:
		return "jsonb"
	case catalogue.Amount:
		return "numeric"
	}
	panic("no SQL type for " + t)
}

// appender returns the statement that appends a field to the queue form.
func appender(f catalogue.Field) string {
	member := "e." + f.Go
	switch f.Type {
	case catalogue.Text, catalogue.Amount:
		return "buf = msgp.AppendString(buf, " + member + ")"
	case catalogue.Int16, catalogue.Int32, catalogue.Int64, catalogue.Bool:
		return "buf = msgp.Append" + title(string(f.Type)) + "(buf, " + member + ")"
	case catalogue.Kind:
		return "buf = msgp.AppendInt16(buf, int16(" + member + "))"
	case catalogue.Day:
		return "buf = msgp.AppendInt32(buf, int32(" + member + "))"
	case catalogue.Time:
		return "buf = msgp.AppendInt64(buf, " + member + ".UnixMilli())"
	case catalogue.UUID:
		return "buf = msgp.AppendBytes(buf, " + member + "[:])"
	case catalogue.OptionID:
		return "buf = appendID(buf, " + member + ")"
	case catalogue.Props:
		return "buf = appendProps(buf, " + member + ")"
	}
	panic("no queue form for " + f.Type)
}

// reader returns the expression that reads a field from the queue form.
func reader(f catalogue.Field) string {
	switch f.Type {
	case catalogue.Text, catalogue.Amount:
		return "r.text()"
	case catalogue.Int16, catalogue.Int32, catalogue.Int64, catalogue.Bool, catalogue.Props:
		return "r." + string(f.Type) + "()"
	case catalogue.Kind:
		return "Type(r.int16())"
	case catalogue.Day:
		return "Day(r.int32())"
	case catalogue.Time:
		return "time.UnixMilli(r.int64()).UTC()"
	case catalogue.UUID, catalogue.OptionID:
		return "r.uuid()"
	}
	panic("no queue form for " + f.Type)
}

// fastReader returns the expression that reads a member of a client's object in the fast
// decoder, or "" for a member that only decodeAny reads.
func fastReader(goType string) string {
	switch goType {
	case "string":
		return "r.text()"
	case "bool":
		return "r.boolean()"
	case "*int":
		return "r.integer()"
	case "map[string]jsontext.Value":
		return "r.props()"
	default:
		return ""
	}
}

// memberReader returns the function that reads a member of a client's object, of whatever type
// it is.
func memberReader(goType string) string {
	switch goType {
	case "string":
		return "readText"
	case "bool":
		return "readBool"
	case "*int":
		return "readInteger"
	case "map[string]jsontext.Value":
		return "readProps"
	case "*Value":
		return "readValue"
	case "*Funnel":
		return "readFunnel"
	}
	panic("no reader for " + goType)
}

// tableKind returns the kind of the table column for a field.
func tableKind(t catalogue.Type) string {
	switch t {
	case catalogue.Text:
		return "Text"
	case catalogue.Amount:
		return "Decimal"
	case catalogue.Bool:
		return "Flag"
	case catalogue.Props:
		return "JSON"
	case catalogue.Int16, catalogue.Int32, catalogue.Int64:
		return "Whole"
	}
	panic("no table column for " + t)
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
