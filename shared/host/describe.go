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
	Kind     string // the valid values, such as "a whole number, 0 or more"; "" for a text
	Default  string // "" for none
	About    string
	Secret   bool // see Env.Parse
	Required bool
}

// common are the variables of all functions, including those for the database and Redis,
// which some functions do not need.
type common struct {
	LogLevel     string `env:"LOG_LEVEL" envDefault:"info" envDoc:"minimum level of log messages: debug, info, warn or error"`
	DatabaseURL  string `env:"DATABASE_URL,secret" envDoc:"PostgreSQL database, such as postgres://user:password@host:5432/analytics"`
	RedisURL     string `env:"REDIS_URL,secret" envDoc:"Redis server, such as redis://host:6379/0, or servers of a Redis Cluster: redis://one:6379?addr=two:6379"`
	MetricsToken string `env:"METRICS_TOKEN,secret" envDoc:"what GET /metrics needs as a bearer token, at least 32 characters; without it, /metrics is refused"`
	proxies
	settings
}

// Common returns the variables of all functions.
func Common() []Variable {
	var c common
	fields, _ := fieldsOf(&c)
	behind, _ := fieldsOf(&c.proxies)
	own, _ := fieldsOf(&c.settings)
	return variablesOf(slices.Concat(slices.DeleteFunc(fields, func(f field) bool { return f.Anonymous }), behind, own))
}

// errDescribed stops the building of a function whose variables are requested.
var errDescribed = errors.New("the variables are known")

// Describe returns the variables of a function, without those of all functions. The
// function must read its configuration before anything else.
func Describe(ctx context.Context, build New) ([]Variable, error) {
	env := NewProcess(nil, slog.New(slog.DiscardHandler)).Env("described")
	env.described = &[]field{}
	if _, err := build(ctx, env); !errors.Is(err, errDescribed) {
		return nil, fmt.Errorf("the function does not read its configuration first: %w", err)
	}
	return variablesOf(*env.described), nil
}

func variablesOf(fields []field) []Variable {
	variables := make([]Variable, len(fields))
	for i, f := range fields {
		variables[i] = Variable{
			Name: f.variable, Kind: f.validValues(), Default: f.Tag.Get("envDefault"), About: f.Tag.Get("envDoc"),
			Secret: f.has("secret"), Required: f.has("required"),
		}
	}
	return variables
}

// minSpelling is the minimum length of names whose spelling is checked.
const minSpelling = 8

// checkSpelling returns an error if an unknown variable differs by one letter from a
// variable that is not set. A misspelled variable would otherwise be silently ignored.
func (e *Env) checkSpelling(fields []field) error {
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
			if _, set := e.variables[right]; !set && len(right) >= minSpelling && levenshtein.ComputeDistance(strings.ToUpper(name), right) <= 1 {
				return fmt.Errorf("unknown variable %s: did you mean %s?", name, right)
			}
		}
	}
	return nil
}
