package enrich_test

import (
	"bytes"
	"flag"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/analytics-platform/analytics/shared/ingest/enrich"
)

var update = flag.Bool("update", false, "rewrite the sample database")

//go:generate go test -run ^TestSample$ . -update

// TestSample compares the sample database with its source, the networks below. To use
// another address in a test, add its network and run go generate.
func TestSample(t *testing.T) {
	t.Parallel()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: enrich.SampleType, Description: map[string]string{"en": "A few networks, for tests"}, RecordSize: 24, BuildEpoch: 1_767_225_600,
	})
	if err != nil {
		t.Fatal(err)
	}
	for network, country := range map[string]string{
		"193.0.0.0/21":      "NL", // RIPE NCC
		"2001:67c:2e8::/48": "NL",
		"133.11.0.0/16":     "JP", // University of Tokyo
	} {
		_, parsed, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(parsed, mmdbtype.Map{"country_code": mmdbtype.String(country)}); err != nil {
			t.Fatal(err)
		}
	}
	var want bytes.Buffer
	if _, err := tree.WriteTo(&want); err != nil {
		t.Fatal(err)
	}
	const file = "data/sample.mmdb"
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is out of date: run go generate ./shared/ingest/enrich (%v)", file, err)
	}
}

// TestLogPlaces checks that a program logs its databases, and warns about the sample.
func TestLogPlaces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "city.mmdb")
	writePlaces(t, path, mmdbtype.Map{"country_code": mmdbtype.String("FR")})
	e, err := enrich.Load(enrich.Files{Places: path})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	e.LogPlaces(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
	want := "level=INFO msg=\"country database\" of="
	if e.Place(netip.MustParseAddr("8.8.8.8")).Country == "" {
		want = "level=WARN msg=\"" + enrich.NoCountries
	}
	if !strings.Contains(log.String(), want) || !strings.Contains(log.String(), `msg="operator's database of places" type=Test-City`) {
		t.Errorf("log: %s, want %s", &log, want)
	}
}
