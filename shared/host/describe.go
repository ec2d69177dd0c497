package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Variable is an environment variable that configures a function.
type Variable struct {
	Name     string
	Kind     string // what its values are, such as "a whole number, 0 or more"; "" of a text
	Default  string // "" when there is none
	About    string
	Secret   bool // it can come as a file, too; see Env.Parse
	Required bool
}

// common are the variables that every function has, or every function that needs a
// database or Redis.
type common struct {
	LogLevel    string `env:"LOG_LEVEL" envDefault:"info" envDoc:"from which level on there is a log: debug, info, warn or error"`
	DatabaseURL string `env:"DATABASE_URL,secret" envDoc:"the PostgreSQL database, such as postgres://user:password@host:5432/analytics"`
	RedisURL    string `env:"REDIS_URL,secret" envDoc:"the Redis server, such as redis://host:6379/0, or servers of a Redis Cluster: redis://one:6379?addr=two:6379"`
	settings
}

// Common are the variables of all functions.
func Common() []Variable {
	var c common
	fields, _ := fieldsOf(&c)
	own, _ := fieldsOf(&c.settings)
	return variablesOf(append(slices.DeleteFunc(fields, func(f field) bool { return f.Anonymous }), own...))
}

// errDescribed ends the building of a function that has only been asked for its variables.
var errDescribed = errors.New("its variables are known")

// Describe returns the variables of a function besides those of all. The function must
// read its configuration before all else.
func Describe(ctx context.Context, build New) ([]Variable, error) {
	env := NewProcess(nil, slog.New(slog.DiscardHandler)).Env("described")
	env.described = &[]field{}
	if _, err := build(ctx, env); !errors.Is(err, errDescribed) {
		return nil, fmt.Errorf("it does not read its configuration first: %w", err)
	}
	return variablesOf(*env.described), nil
}

func variablesOf(fields []field) []Variable {
	variables := make([]Variable, len(fields))
	for i, f := range fields {
		variables[i] = Variable{
			Name: f.variable, Kind: f.wanted(), Default: f.Tag.Get("envDefault"), About: f.Tag.Get("envDoc"),
			Secret: f.is("secret"), Required: f.is("required"),
		}
	}
	return variables
}

// minSimilar is how long a name must be for others to look like it.
const minSimilar = 8

// misspelt is an error when a variable is set whose name is that of one of the fields but for
// a single letter, while that one is not set: it would be passed over, and nobody would know.
func (e *Env) misspelt(fields []field) error {
	known := map[string]bool{}
	for _, v := range append(variablesOf(fields), Common()...) {
		known[v.Name] = true
		if v.Secret {
			known[v.Name+"_FILE"], known[v.Name+arnSuffix] = true, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.variables)) {
		if known[name] {
			continue
		}
		for _, right := range slices.Sorted(maps.Keys(known)) {
			if _, set := e.variables[right]; !set && len(right) >= minSimilar && levenshtein.ComputeDistance(strings.ToUpper(name), right) <= 1 {
				return fmt.Errorf("%s is not a variable: %s is", name, right)
			}
		}
	}
	return nil
}
