package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// openAPI is the document that function query serves.
const openAPI = "functions/query/openapi.json"

// lineWidth is how wide the formatter of the document lets a line be.
const lineWidth = 100

// patch puts what follows from the catalogue into the OpenAPI document, and leaves all
// other bytes as they are.
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

// replace writes a text or a list of texts in the place of the value at a pointer.
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
		text = layOut(list, len(line), indent)
	}
	return bytes.Join([][]byte{document[:start], text, document[end:]}, nil), nil
}

// layOut writes a list as the formatter does: in one line where it fits behind what the
// line has already, else in a line for each.
func layOut(list []string, used int, indent string) []byte {
	quoted := make([]string, len(list))
	for i, text := range list {
		quoted[i] = fmt.Sprintf("%q", text)
	}
	if line := "[" + strings.Join(quoted, ", ") + "]"; used+len(line)+1 <= lineWidth {
		return []byte(line)
	}
	return []byte("[\n" + indent + "  " + strings.Join(quoted, ",\n"+indent+"  ") + "\n" + indent + "]")
}
