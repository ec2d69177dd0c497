package rules_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ given, want string }{
		"nothing":                  {`{}`, `{}`},
		"hosts in one form":        {`{"hostnames":["www.Example.com","*.Example.com.","example.com"]}`, `{"hostnames":["example.com","*.example.com"]}`},
		"paths":                    {`{"excluded_paths":[" /admin/** ","*.json"]}`, `{"excluded_paths":["/admin/**","*.json"]}`},
		"addresses in one form":    {`{"excluded_addresses":["203.0.113.7","203.0.113.7/32","203.0.113.9/24","2001:DB8::1","::ffff:192.0.2.1"]}`, `{"excluded_addresses":["203.0.113.7","203.0.113.0/24","2001:db8::1","192.0.2.1"]}`},
		"countries":                {`{"excluded_countries":["fr","DE"]}`, `{"excluded_countries":["FR","DE"]}`},
		"no property":              {`{"props":[]}`, `{"props":[]}`},
		"the mode that needs none": {`{"consent":"signals","sample":100}`, `{}`},
		"the others":               {`{"consent":"required","sample":1,"rate":60}`, `{"consent":"required","rate":60,"sample":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rules.Read(parse(t, test.given))
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(got)
			if err != nil || string(encoded) != test.want {
				t.Errorf("got %s, %v; want %s", encoded, err, test.want)
			}
			again, err := rules.Read(got)
			if diff := cmp.Diff(got, again); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func parse(t *testing.T, text string) (r rules.Rules) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for given, field := range map[string]string{
		`{"hostnames":["a.example","https://b.example/"]}`:              "rules.hostnames[1]",
		`{"hostnames":["a.*.example"]}`:                                 "rules.hostnames[0]",
		`{"hostnames":[""]}`:                                            "rules.hostnames[0]",
		`{"excluded_paths":["admin"]}`:                                  "rules.excluded_paths[0]",
		`{"excluded_paths":["/` + strings.Repeat("a", 300) + `"]}`:      "rules.excluded_paths[0]",
		`{"excluded_paths":[` + strings.Repeat(`"/a",`, 100) + `"/b"]}`: "rules.excluded_paths",
		`{"excluded_addresses":["203.0.113"]}`:                          "rules.excluded_addresses[0]",
		`{"excluded_addresses":["203.0.113.0/33"]}`:                     "rules.excluded_addresses[0]",
		`{"excluded_countries":["France"]}`:                             "rules.excluded_countries[0]",
		`{"excluded_countries":["É"]}`:                                  "rules.excluded_countries[0]",
		`{"props":["plan"," "]}`:                                        "rules.props[1]",
		`{"consent":"always"}`:                                          "rules.consent",
		`{"rate":-1}`:                                                   "rules.rate",
		`{"sample":101}`:                                                "rules.sample",
	} {
		_, err := rules.Read(parse(t, given))
		if invalid, ok := errors.AsType[*validation.Error](err); !ok || invalid.Field != field || invalid.Code != "" {
			t.Errorf("%s: got %v, want an error of the field %s", given, err, field)
		}
	}
}

func compile(t *testing.T, text string) *rules.Filter {
	t.Helper()
	read, err := rules.Read(parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	f, err := read.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilter(t *testing.T) {
	t.Parallel()
	f := compile(t, `{
		"hostnames": ["example.com", "*.example.org"],
		"excluded_paths": ["/admin", "/user/*/edit", "/api/**", "**.json", "/a.b"],
		"excluded_addresses": ["203.0.113.7", "2001:db8::/32"], "excluded_countries": ["FR"], "props": ["plan"]}`)
	all, none := compile(t, `{}`), compile(t, `{"props":[]}`)
	var unset *rules.Filter
	for _, test := range []struct {
		what string
		got  bool
		want bool
	}{
		{"the host", f.Hostname("example.com"), true},
		{"a host below one that stands alone", f.Hostname("www.example.com"), false},
		{"a host below", f.Hostname("a.b.example.org"), true},
		{"the host above", f.Hostname("example.org"), false},
		{"a host that ends alike", f.Hostname("evilexample.org"), false},
		{"an event without a page", f.Hostname(""), true},
		{"a page", f.Path("/"), true},
		{"the excluded page", f.Path("/admin"), false},
		{"a page below it", f.Path("/admin/x"), true},
		{"one star", f.Path("/user/7/edit"), false},
		{"one star is no slash", f.Path("/user/7/8/edit"), true},
		{"two stars", f.Path("/api/v1/x"), false},
		{"two stars first", f.Path("/x/y.json"), false},
		{"a point is a point", f.Path("/aXb"), true},
		{"the address", f.Address(netip.MustParseAddr("203.0.113.7")), false},
		{"the next one", f.Address(netip.MustParseAddr("203.0.113.8")), true},
		{"an address in the network", f.Address(netip.MustParseAddr("2001:db8:1::5")), false},
		{"no address", f.Address(netip.Addr{}), true},
		{"the country", f.Country("FR"), false},
		{"another", f.Country("DE"), true},
		{"none", f.Country(""), true},
		{"the property", f.Prop("plan"), true},
		{"another property", f.Prop("theme"), false},
		{"a property when none is kept", none.Prop("plan"), false},
		{"a property when all are", all.Prop("plan"), true},
		{"no rules at all", unset.Hostname("x") && unset.Path("/") && unset.Address(netip.Addr{}) && unset.Country("FR") && unset.Prop("x") && unset.Sampled(5), true},
	} {
		if test.got != test.want {
			t.Errorf("%s: let in %t", test.what, test.got)
		}
	}
	if all.Consent() != rules.Signals || unset.Consent() != rules.Signals || compile(t, `{"consent":"required"}`).Consent() != rules.Required {
		t.Error("the mode of consent is not the one that was set, or signals")
	}
}

// TestSample: the sample is its share of the visitors of each shard.
func TestSample(t *testing.T) {
	t.Parallel()
	f := compile(t, `{"sample":25}`)
	const n = 100_000
	var kept [4]int
	visitor := uint64(1)
	for range n {
		visitor = visitor*6364136223846793005 + 1442695040888963407
		v := int64(visitor)
		if f.Sampled(v) {
			kept[uint64(v>>8)%4]++
		}
	}
	for _, k := range kept {
		if k < n/16*95/100 || k > n/16*105/100 {
			t.Errorf("of %d visitors in each shard %v are in a sample of a quarter", n/4, kept)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`{"hostnames":["*.a"],"excluded_paths":["/a/**"],"excluded_addresses":["::/0"],"excluded_countries":["FR"],"props":["x"],"sample":3}`, "a", "/a/b", "FR")
	f.Fuzz(func(t *testing.T, text, host, path, country string) {
		var r rules.Rules
		if json.Unmarshal([]byte(text), &r) != nil {
			return
		}
		read, err := rules.Read(r)
		if err != nil {
			return
		}
		filter, err := read.Compile()
		if err != nil {
			t.Fatalf("rules that were read can't be used: %v", err)
		}
		filter.Hostname(host)
		filter.Path(path)
		filter.Country(country)
		filter.Address(netip.IPv6Unspecified())
	})
}
