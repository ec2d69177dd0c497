package host

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// secretFolders are where platforms put secrets as files: OpenFaaS, Docker, and
// the mounts of Kubernetes secrets (which puts its own below /run/secrets).
func secretFolders() []string {
	return []string{"/var/openfaas/secrets", "/run/secrets", "/etc/secrets"}
}

// Variables turns a list such as os.Environ's into a map.
func Variables(environ []string) map[string]string { return env.ToMap(environ) }

// Parse fills the struct that config points to from the environment. Its fields
// are tagged as caarlos0/env wants it:
//
//	Interval time.Duration `env:"AGGREGATE_INTERVAL" envDefault:"1s" envDoc:"how often a run may start"`
//	Token    string        `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token"`
//
// envDoc says, in errors, what the variable is. A field with the option "secret"
// is looked for in the variable itself, in the file that the variable with
// "_FILE" added names, in AWS's Secrets Manager or SSM under the ARN that the variable
// with "_ARN" added has, and in the files ADMIN_TOKEN and admin-token of
// /var/openfaas/secrets, /run/secrets and /etc/secrets. The end of line isn't part of the
// secret.
//
// A number or a duration must not be negative, and with the option "positive" not 0.
//
// The error is one line that names each wrong variable, says what it is and what
// would be right. It never has the value of a secret.
func (e *Env) Parse(config any) error {
	fields, err := fieldsOf(config)
	if err != nil {
		return err
	}
	if e.described != nil {
		*e.described = append(*e.described, fields...)
		return errDescribed
	}
	if err := e.misspelt(fields); err != nil {
		return err
	}
	values := make(map[string]string, len(fields))
	for _, f := range fields {
		value, found, err := e.lookup(f)
		if err != nil {
			return err
		}
		if found {
			values[f.variable] = value
		}
	}
	err = env.ParseWithOptions(withoutOwnOptions(config, fields), env.Options{Environment: values})
	if err == nil {
		return outOfRange(config, fields, values)
	}
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var lines []string
	for _, err := range all.Errors {
		lines = append(lines, explain(err, fields, values))
	}
	return errors.New(strings.Join(lines, "; "))
}

// field is one field of a configuration.
type field struct {
	reflect.StructField
	variable string
	options  []string
}

// is tells whether the field has an option.
func (f field) is(option string) bool { return slices.Contains(f.options, option) }

// about says what the variable is, in brackets.
func (f field) about() string {
	if doc := f.Tag.Get("envDoc"); doc != "" {
		return " (" + doc + ")"
	}
	return ""
}

func fieldsOf(config any) ([]field, error) {
	pointer := reflect.TypeOf(config)
	if pointer == nil || pointer.Kind() != reflect.Pointer || pointer.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("read the configuration: into a pointer to a struct, not %T", config)
	}
	var fields []field
	for f := range pointer.Elem().Fields() {
		variable, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		fields = append(fields, field{f, variable, strings.Split(options, ",")})
	}
	return fields, nil
}

// withoutOwnOptions is config as the library understands it: a pointer to the
// same struct, in a type whose tags lack the option "secret".
func withoutOwnOptions(config any, fields []field) any {
	plain := make([]reflect.StructField, len(fields))
	for i, f := range fields {
		plain[i] = f.StructField
		if f.is("secret") || f.is("positive") {
			options := slices.DeleteFunc(slices.Clone(f.options), func(o string) bool { return o == "secret" || o == "positive" })
			own := strings.Join(append([]string{f.variable}, options...), ",")
			plain[i].Tag = reflect.StructTag(strings.Replace(string(f.Tag), f.Tag.Get("env"), own, 1))
		}
	}
	return reflect.ValueOf(config).Convert(reflect.PointerTo(reflect.StructOf(plain))).Interface()
}

// lookup finds the value of a variable.
func (e *Env) lookup(f field) (value string, found bool, err error) {
	if f.is("secret") {
		return e.secret(f.variable)
	}
	value, found = e.variables[f.variable]
	return value, found, nil
}

// secret finds a secret where platforms put them.
func (e *Env) secret(variable string) (value string, found bool, err error) {
	value = e.variables[variable]
	if file := e.variables[variable+"_FILE"]; file != "" {
		if value != "" {
			return "", false, fmt.Errorf("%s and %s_FILE are both set: keep one of them", variable, variable)
		}
		if value, err = readSecret(file); err != nil {
			return "", false, fmt.Errorf("%s_FILE: %w", variable, err)
		}
		return value, true, nil
	}
	if arn := e.variables[variable+arnSuffix]; arn != "" {
		return e.fetched(variable, arn, value)
	}
	if value != "" {
		return value, true, nil
	}
	for _, folder := range e.secretFolders {
		for _, name := range []string{variable, kebab(variable)} {
			value, err := readSecret(filepath.Join(folder, name))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", false, fmt.Errorf("%s: %w", variable, err)
			}
			return value, true, nil
		}
	}
	return "", false, nil
}

// fetched finds a secret that AWS keeps.
func (e *Env) fetched(variable, arn, value string) (string, bool, error) {
	if value != "" {
		return "", false, fmt.Errorf("%s and %s%s are both set: keep one of them", variable, variable, arnSuffix)
	}
	all, err := e.arns()
	if err != nil {
		return "", false, err
	}
	value, found := all[variable+arnSuffix]
	if !found {
		return "", false, fmt.Errorf("%s%s: %q is not the ARN of a secret of Secrets Manager or a parameter of SSM", variable, arnSuffix, arn)
	}
	return value, true, nil
}

// kebab is how a secret is named where capitals aren't allowed: admin-token.
func kebab(variable string) string {
	return strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
}

func readSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// explain turns an error of the library into what the operator should know.
func explain(err error, fields []field, values map[string]string) string {
	if wrong, ok := errors.AsType[env.ParseError](err); ok {
		for _, f := range fields {
			if f.Name == wrong.Name {
				return explainValue(wrong, f, values)
			}
		}
	}
	if missing, ok := errors.AsType[env.VarIsNotSetError](err); ok {
		return explainMissing(missing.Key, fields)
	}
	if empty, ok := errors.AsType[env.EmptyVarError](err); ok {
		return explainMissing(empty.Key, fields)
	}
	return err.Error()
}

func explainValue(wrong env.ParseError, f field, values map[string]string) string {
	value := "its value"
	if !f.is("secret") {
		value = fmt.Sprintf("%q", values[f.variable])
	}
	if wanted := f.wanted(); wanted != "" {
		return fmt.Sprintf("%s: %s is not %s%s", f.variable, value, wanted, f.about())
	}
	if f.is("secret") { // the reason may quote it
		return fmt.Sprintf("%s: %s is not valid%s", f.variable, value, f.about())
	}
	return fmt.Sprintf("%s: %s is not valid: %v%s", f.variable, value, wrong.Err, f.about())
}

// wanted says what a value of the field looks like; nothing for a type that explains
// itself in its errors.
func (f field) wanted() string {
	least := ", 0 or more"
	if f.is("positive") {
		least = ", more than 0"
	}
	switch {
	case reflect.PointerTo(f.Type).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return ""
	case f.Type == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s or 5m" + least
	}
	switch f.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Uint16:
		return "a whole number from 0 to 65535"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "a whole number" + least
	case reflect.Float32, reflect.Float64:
		return "a number" + least
	default:
		return ""
	}
}

// outOfRange is an error when a number is less than it may be.
func outOfRange(config any, fields []field, values map[string]string) error {
	var lines []string
	for _, f := range fields {
		text, set := values[f.variable]
		if !set { // its default is right, and 0 may stand for one that is found out later
			continue
		}
		value := reflect.ValueOf(config).Elem().FieldByIndex(f.Index)
		var sign int
		switch {
		case value.CanInt():
			sign = cmp.Compare(value.Int(), 0)
		case value.CanUint():
			sign = cmp.Compare(value.Uint(), 0)
		case value.CanFloat():
			sign = cmp.Compare(value.Float(), 0)
		default:
			continue
		}
		if sign < 0 || sign == 0 && f.is("positive") {
			lines = append(lines, fmt.Sprintf("%s: %q is not %s%s", f.variable, text, f.wanted(), f.about()))
		}
	}
	if len(lines) > 0 {
		return errors.New(strings.Join(lines, "; "))
	}
	return nil
}

func explainMissing(variable string, fields []field) string {
	for _, f := range fields {
		if f.variable != variable {
			continue
		}
		if f.is("secret") {
			return fmt.Sprintf("%s is not set%s: set it, or %s_FILE, or mount the secret %s",
				variable, f.about(), variable, kebab(variable))
		}
		return fmt.Sprintf("%s is not set%s", variable, f.about())
	}
	return variable + " is not set"
}
