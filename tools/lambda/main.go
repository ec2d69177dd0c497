// Command lambda says, as JSON, what infra/lambda has of each function:
//
//	lambda FOLDER
//
// The tests of infra/lambda start the functions with that. Only this module knows how to read
// Terraform's files.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: lambda FOLDER")
	}
	all, err := functions(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		log.Fatal(err)
	}
}

// configured is a function as main.tf has it.
type configured struct {
	Memory      int               `cty:"memory"`
	Timeout     int               `cty:"timeout"`
	Database    bool              `cty:"database"`
	Schedule    string            `cty:"schedule"`
	Concurrency int               `cty:"concurrency"`
	Secrets     []string          `cty:"secrets"`
	Environment map[string]string `cty:"environment"`
}

// bodies are those of all Terraform files in a folder.
func bodies(folder string) ([]*hclsyntax.Body, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil {
		return nil, fmt.Errorf("look for Terraform's files: %w", err)
	}
	parser := hclparse.NewParser()
	var all []*hclsyntax.Body
	for _, name := range files {
		file, problems := parser.ParseHCLFile(name)
		if problems.HasErrors() {
			return nil, problems
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil, fmt.Errorf("%s is not in HCL's own syntax", name)
		}
		all = append(all, body)
	}
	return all, nil
}

// functions is what the folder's locals.functions has, by name.
func functions(folder string) (map[string]configured, error) {
	all, err := bodies(folder)
	if err != nil {
		return nil, err
	}
	for _, body := range all {
		for _, block := range body.Blocks {
			if attribute, ok := block.Body.Attributes["functions"]; ok && block.Type == "locals" {
				return decode(attribute.Expr)
			}
		}
	}
	return nil, errors.New("there is no locals.functions")
}

func decode(expression hclsyntax.Expression) (map[string]configured, error) {
	context := &hcl.EvalContext{Variables: map[string]cty.Value{
		"var": cty.ObjectVal(map[string]cty.Value{"live_viewers": cty.NumberIntVal(20)}),
	}}
	object, ok := expression.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil, errors.New("locals.functions is no object")
	}
	all := map[string]configured{}
	for _, pair := range object.Items {
		name, problems := pair.KeyExpr.Value(context)
		var f configured
		problems = append(problems, gohcl.DecodeExpression(pair.ValueExpr, context, &f)...)
		if problems.HasErrors() {
			return nil, problems
		}
		all[name.AsString()] = f
	}
	return all, nil
}
