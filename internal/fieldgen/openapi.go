package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// openAPI is the path of the document that function query serves.
const openAPI = "functions/query/openapi.json"

// lineWidth is the maximum line width of the document's formatter.
const lineWidth = 100

// patch updates the parts of the OpenAPI document that depend on the catalogue. It changes no
// other byte.
func patch(document []byte, f fields) ([]byte, error) {
	names := func(ofVisit bool) (names []string) {
		for _, d := range f.Dimensions(ofVisit) {
			names = append(names, d.Name)
		}
		return names
	}
	var meanings []string
	for _, d := range f.Dimensions(false) {
		meanings = append(meanings, d.Doc)
	}
	for pointer, value := range map[jsontext.Pointer]any{
		"/components/schemas/EventDimension/enum":        names(false),
		"/components/schemas/EventDimension/description": "Dimensions in which events of one visit can differ: " + strings.Join(meanings, ", "),
		"/components/schemas/VisitDimension/enum":        names(true),
	} {
		var err error
		if document, err = replace(document, pointer, value); err != nil {
			return nil, err
		}
	}
	return document, nil
}

// replace replaces the value at a pointer with a string or a list of strings.
func replace(document []byte, at jsontext.Pointer, value any) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(document))
	for dec.StackPointer() != at {
		if _, err := dec.ReadToken(); err != nil {
			return nil, fmt.Errorf("find %s: %w", at, err)
		}
	}
	old, err := dec.ReadValue()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", at, err)
	}
	end := int(dec.InputOffset())
	start := end - len(old)
	line := document[bytes.LastIndexByte(document[:start], '\n')+1 : start]
	indent := string(line[:len(line)-len(bytes.TrimLeft(line, " "))])
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if list, ok := value.([]string); ok {
		text = formatList(list, len(line), indent)
	}
	return bytes.Join([][]byte{document[:start], text, document[end:]}, nil), nil
}

// formatList formats a list as prettier does. If the list fits on the line after the used
// bytes, it stays there; otherwise, each element gets a line.
func formatList(list []string, used int, indent string) []byte {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	if line := "[" + strings.Join(quoted, ", ") + "]"; used+len(line)+1 <= lineWidth {
		return []byte(line)
	}
	return []byte("[\n" + indent + "  " + strings.Join(quoted, ",\n"+indent+"  ") + "\n" + indent + "]")
}
