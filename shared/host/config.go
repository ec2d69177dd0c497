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

// secretFolders returns the folders in which platforms mount secrets: those of OpenFaaS,
// Docker and Kubernetes (which uses /run/secrets for its own).
func secretFolders() []string {
	return []string{"/var/openfaas/secrets", "/run/secrets", "/etc/secrets"}
}

// Variables converts a list such as the result of os.Environ to a map.
func Variables(environ []string) map[string]string { return env.ToMap(environ) }

// Parse sets the struct to which config points from the environment. Its fields have tags
// for caarlos0/env:
//
//	Interval time.Duration `env:"AGGREGATE_INTERVAL" envDefault:"1s" envDoc:"how often a run may start"`
//	Token    string        `env:"ADMIN_TOKEN,secret,required" envDoc:"the owner's token"`
//
// envDoc describes the variable in errors and in the documentation. The value of a field
// with the option "secret", here ADMIN_TOKEN, comes from the first of these that exists:
//
//   - the file that ADMIN_TOKEN_FILE names
//   - the secret in AWS Secrets Manager or SSM whose ARN is in ADMIN_TOKEN_ARN
//   - the variable ADMIN_TOKEN
//   - the file ADMIN_TOKEN or admin-token in /var/openfaas/secrets, /run/secrets or
//     /etc/secrets
//
// Setting two of the variables is an error. Blanks and line breaks around a secret are not part
// of it: headers can't carry them, so nobody could send it.
//
// A number or a duration must not be negative, and with the option "positive" not 0.
//
// The error is one line that names each invalid variable, describes it and says which
// values are valid. It never contains the value of a secret.
func (e *Env) Parse(config any) error {
	fields, err := fieldsOf(config)
	if err != nil {
		return err
	}
	if e.described != nil {
		*e.described = append(*e.described, fields...)
		return errDescribed
	}
	if err := e.checkSpelling(fields); err != nil {
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
		return fmt.Errorf("read configuration: %w", err)
	}
	var lines []string
	for _, err := range all.Errors {
		lines = append(lines, explain(err, fields, values))
	}
	return errors.New(strings.Join(lines, "; "))
}

// field is a field of a configuration.
type field struct {
	reflect.StructField
	variable string
	options  []string
}

// has reports whether the field has an option.
func (f field) has(option string) bool { return slices.Contains(f.options, option) }

// description returns the description of the variable in parentheses.
func (f field) description() string {
	if doc := f.Tag.Get("envDoc"); doc != "" {
		return " (" + doc + ")"
	}
	return ""
}

func fieldsOf(config any) ([]field, error) {
	pointer := reflect.TypeOf(config)
	if pointer == nil || pointer.Kind() != reflect.Pointer || pointer.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("read configuration: the target must be a pointer to a struct, not %T", config)
	}
	var fields []field
	for f := range pointer.Elem().Fields() {
		variable, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		fields = append(fields, field{f, variable, strings.Split(options, ",")})
	}
	return fields, nil
}

// withoutOwnOptions returns config as a pointer to a type whose tags lack the options of
// this package, which the library does not know.
func withoutOwnOptions(config any, fields []field) any {
	plain := make([]reflect.StructField, len(fields))
	for i, f := range fields {
		plain[i] = f.StructField
		if f.has("secret") || f.has("positive") {
			options := slices.DeleteFunc(slices.Clone(f.options), func(o string) bool { return o == "secret" || o == "positive" })
			tag := strings.Join(append([]string{f.variable}, options...), ",")
			plain[i].Tag = reflect.StructTag(strings.Replace(string(f.Tag), f.Tag.Get("env"), tag, 1))
		}
	}
	return reflect.ValueOf(config).Convert(reflect.PointerTo(reflect.StructOf(plain))).Interface()
}

// lookup returns the value of a variable.
func (e *Env) lookup(f field) (value string, found bool, err error) {
	if f.has("secret") {
		return e.secret(f.variable)
	}
	value, found = e.variables[f.variable]
	return value, found, nil
}

// secret returns the value of a secret, see Parse.
func (e *Env) secret(variable string) (value string, found bool, err error) {
	value = strings.TrimSpace(e.variables[variable])
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
		return e.secretByARN(variable, arn, value)
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

// secretByARN returns a secret that is stored in AWS.
func (e *Env) secretByARN(variable, arn, value string) (string, bool, error) {
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

// kebab returns the name of a secret on platforms without capital letters: admin-token.
func kebab(variable string) string {
	return strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
}

func readSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// explain returns the message for an error of the library.
func explain(err error, fields []field, values map[string]string) string {
	if invalid, ok := errors.AsType[env.ParseError](err); ok {
		for _, f := range fields {
			if f.Name == invalid.Name {
				return explainValue(invalid, f, values)
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

func explainValue(invalid env.ParseError, f field, values map[string]string) string {
	value := "its value"
	if !f.has("secret") {
		value = fmt.Sprintf("%q", values[f.variable])
	}
	if valid := f.validValues(); valid != "" {
		return fmt.Sprintf("%s: %s is not %s%s", f.variable, value, valid, f.description())
	}
	if f.has("secret") { // the error may quote the value
		return fmt.Sprintf("%s: %s is not valid%s", f.variable, value, f.description())
	}
	return fmt.Sprintf("%s: %s is not valid: %v%s", f.variable, value, invalid.Err, f.description())
}

// validValues describes the valid values of the field; "" for texts and for types whose
// errors describe them.
func (f field) validValues() string {
	least := ", 0 or more"
	if f.has("positive") {
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

// outOfRange returns an error if a number is too small.
func outOfRange(config any, fields []field, values map[string]string) error {
	var lines []string
	for _, f := range fields {
		text, set := values[f.variable]
		if !set { // a default is valid, and 0 may mean that the function chooses one
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
		if sign < 0 || sign == 0 && f.has("positive") {
			lines = append(lines, fmt.Sprintf("%s: %q is not %s%s", f.variable, text, f.validValues(), f.description()))
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
		if f.has("secret") {
			return fmt.Sprintf("%s is not set%s: set it, or %s_FILE, or mount the secret %s",
				variable, f.description(), variable, kebab(variable))
		}
		return fmt.Sprintf("%s is not set%s", variable, f.description())
	}
	return variable + " is not set"
}
