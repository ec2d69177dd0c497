package host_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/host"
)

type config struct {
	Interval time.Duration `env:"RUN_INTERVAL" envDefault:"1s" envDoc:"how often a run may start"`
	Batch    int           `env:"RUN_BATCH" envDefault:"100"`
	Trust    bool          `env:"TRUST" envDoc:"whether to trust"`
	Hosts    []string      `env:"HOSTS"`
	Color    color         `env:"COLOR" envDefault:"red"`
	Token    string        `env:"ADMIN_TOKEN,secret" envDoc:"the owner's token"`
	internal int
}

type color string

func (c *color) UnmarshalText(text []byte) error {
	if string(text) != "red" && string(text) != "blue" {
		return errColor
	}
	*c = color(text)
	return nil
}

type textError string

func (e textError) Error() string { return string(e) }

const errColor = textError("use red or blue")

func newProcess(t *testing.T, variables map[string]string) *host.Process {
	t.Helper()
	process := host.NewProcess(variables, slog.New(slog.DiscardHandler))
	process.SetSecretFolders()
	t.Cleanup(process.Close)
	return process
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		variables map[string]string
		want      config
	}{
		"defaults": {nil, config{Interval: time.Second, Batch: 100, Color: "red"}},
		"values": {
			map[string]string{
				"RUN_INTERVAL": "5m", "RUN_BATCH": "7", "TRUST": "true", "HOSTS": "a,b", "COLOR": "blue", "ADMIN_TOKEN": "secret",
			},
			config{
				Interval: 5 * time.Minute, Batch: 7, Trust: true, Hosts: []string{"a", "b"}, Color: "blue", Token: "secret",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := config{internal: 1}
			if err := newProcess(t, test.variables).Env("test").Parse(&got); err != nil {
				t.Fatal(err)
			}
			test.want.internal = 1
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(config{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	tests := map[string]struct {
		variables map[string]string
		into      any
		want      string
	}{
		"a duration": {
			map[string]string{"RUN_INTERVAL": "5"}, &config{},
			`RUN_INTERVAL: "5" is not a duration such as 30s or 5m, 0 or more (how often a run may start)`,
		},
		"a number": {
			map[string]string{"RUN_BATCH": "many"}, &config{},
			`RUN_BATCH: "many" is not a whole number, 0 or more`,
		},
		"a choice": {
			map[string]string{"COLOR": "green"}, &config{},
			`COLOR: "green" is not valid: use red or blue`,
		},
		"several": {
			map[string]string{"RUN_BATCH": "many", "TRUST": "perhaps"}, &config{},
			`RUN_BATCH: "many" is not a whole number, 0 or more; TRUST: "perhaps" is not true or false (whether to trust)`,
		},
		"a secret": {
			map[string]string{"PIN": "12x4"}, &struct {
				Pin int `env:"PIN,secret" envDoc:"the code"`
			}{},
			`PIN: its value is not a whole number, 0 or more (the code)`,
		},
		"negative values": {
			map[string]string{"RUN_BATCH": "-1", "RUN_INTERVAL": "-1s"}, &config{},
			`RUN_INTERVAL: "-1s" is not a duration such as 30s or 5m, 0 or more (how often a run may start); RUN_BATCH: "-1" is not a whole number, 0 or more`,
		},
		"zero values that must be positive": {
			map[string]string{"LIMIT": "0s", "SIZE": "0"}, &struct {
				Limit time.Duration `env:"LIMIT,positive" envDefault:"5s" envDoc:"how long"`
				Size  uint          `env:"SIZE,positive"`
			}{},
			`LIMIT: "0s" is not a duration such as 30s or 5m, more than 0 (how long); SIZE: "0" is not a whole number, more than 0`,
		},
		"a misspelled variable": {
			map[string]string{"RUN_INTERVALL": "5s"}, &config{},
			`unknown variable RUN_INTERVALL: did you mean RUN_INTERVAL?`,
		},
		"a misspelled common variable": {
			map[string]string{"database_urk": "5s"}, &config{},
			`unknown variable database_urk: did you mean DATABASE_URL?`,
		},
		"a misspelled file variable": {
			map[string]string{"REDIS_URL_FILES": "5s"}, &config{},
			`unknown variable REDIS_URL_FILES: did you mean REDIS_URL_FILE?`,
		},
		"a missing secret": {
			nil, &struct {
				Token string `env:"ADMIN_TOKEN,required,secret" envDoc:"the owner's token"`
			}{},
			`ADMIN_TOKEN is not set (the owner's token): set it, or ADMIN_TOKEN_FILE, or mount the secret admin-token`,
		},
		"an empty variable": {
			map[string]string{"SITE": ""}, &struct {
				Site string `env:"SITE,notEmpty" envDoc:"the site's domain"`
			}{},
			`SITE is not set (the site's domain)`,
		},
		"a secret that is set twice": {
			map[string]string{"ADMIN_TOKEN": "a", "ADMIN_TOKEN_FILE": "b"}, &config{},
			`ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set: keep one of them`,
		},
		"a missing secret file": {
			map[string]string{"ADMIN_TOKEN_FILE": missing}, &config{},
			`ADMIN_TOKEN_FILE: read secret: open ` + missing + `: no such file or directory`,
		},
		"not a struct": {
			nil, config{},
			`read configuration: the target must be a pointer to a struct, not host_test.config`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newProcess(t, test.variables).Env("test").Parse(test.into)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file      string // FOLDER in variables is replaced by its folder
		variables map[string]string
		want      string
	}{
		"OpenFaaS, kebab case":           {"openfaas/admin-token", nil, "from a file"},
		"OpenFaaS, name of the variable": {"openfaas/ADMIN_TOKEN", nil, "from a file"},
		"Docker":                         {"docker/admin-token", nil, "from a file"},
		"a file variable":                {"elsewhere/x", map[string]string{"ADMIN_TOKEN_FILE": "FOLDER/elsewhere/x"}, "from a file"},
		"the variable overrides mounts":  {"openfaas/admin-token", map[string]string{"ADMIN_TOKEN": "variable \t"}, "variable"},
		"a blank variable":               {"openfaas/admin-token", map[string]string{"ADMIN_TOKEN": " "}, "from a file"},
		"an empty variable":              {"openfaas/admin-token", map[string]string{"ADMIN_TOKEN": ""}, "from a file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file := filepath.Join(folder, test.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(" from a file \t \r\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			variables := map[string]string{}
			for variable, value := range test.variables {
				variables[variable] = strings.Replace(value, "FOLDER", folder, 1)
			}
			process := newProcess(t, variables)
			process.SetSecretFolders(filepath.Join(folder, "openfaas"), filepath.Join(folder, "docker"))
			var got config
			if err := process.Env("test").Parse(&got); err != nil {
				t.Fatal(err)
			}
			if got.Token != test.want {
				t.Errorf("got %q, want %q", got.Token, test.want)
			}
		})
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log, err := host.NewLogger(&out, map[string]string{"LOG_LEVEL": "warn"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Errorf("logged %q", got)
	}
	_, err = host.NewLogger(&out, map[string]string{"LOG_LEVEL": "verbose"})
	if want := `LOG_LEVEL: "verbose" is not debug, info, warn or error`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
