// Command lambda prints the configuration of each function in infra/lambda as JSON:
//
//	lambda DIRECTORY
//
// The tests of infra/lambda start the functions with it. Only this module depends on the
// parser of Terraform's files.
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
		log.Fatal("usage: lambda DIRECTORY")
	}
	all, err := functions(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		log.Fatal(err)
	}
}

// function is the configuration of a function in main.tf.
type function struct {
	Memory      int               `cty:"memory"`
	Timeout     int               `cty:"timeout"`
	Schedule    string            `cty:"schedule"`
	Concurrency int               `cty:"concurrency"`
	Secrets     []string          `cty:"secrets"`
	Environment map[string]string `cty:"environment"`
}

// bodies returns the bodies of all Terraform files in a directory.
func bodies(folder string) ([]*hclsyntax.Body, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil {
		return nil, fmt.Errorf("list Terraform's files: %w", err)
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
			return nil, fmt.Errorf("%s is not in HCL's native syntax", name)
		}
		all = append(all, body)
	}
	return all, nil
}

// functions returns the functions in locals.functions of a directory, by name.
func functions(folder string) (map[string]function, error) {
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
	return nil, errors.New("locals.functions is missing")
}

func decode(expression hclsyntax.Expression) (map[string]function, error) {
	context := &hcl.EvalContext{Variables: map[string]cty.Value{
		"var": cty.ObjectVal(map[string]cty.Value{"live_viewers": cty.NumberIntVal(20)}),
	}}
	object, ok := expression.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil, errors.New("locals.functions is not an object")
	}
	all := map[string]function{}
	for _, pair := range object.Items {
		name, problems := pair.KeyExpr.Value(context)
		var f function
		problems = append(problems, gohcl.DecodeExpression(pair.ValueExpr, context, &f)...)
		if problems.HasErrors() {
			return nil, problems
		}
		all[name.AsString()] = f
	}
	return all, nil
}
