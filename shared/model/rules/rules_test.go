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

func TestNormalize(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ given, want string }{
		"nothing":                  {`{}`, `{}`},
		"hosts":                    {`{"hostnames":["www.Example.com","*.Example.com.","example.com","пример.рф","*.пример.рф"]}`, `{"hostnames":["example.com","*.example.com","xn--e1afmkfd.xn--p1ai","*.xn--e1afmkfd.xn--p1ai"]}`},
		"paths":                    {`{"excluded_paths":[" /admin/** ","*.json","/caf%c3%a9","/café"]}`, `{"excluded_paths":["/admin/**","*.json","/café"]}`},
		"addresses and networks":   {`{"excluded_addresses":["203.0.113.7","203.0.113.7/32","203.0.113.9/24","2001:DB8::1","::ffff:192.0.2.1"]}`, `{"excluded_addresses":["203.0.113.7","203.0.113.0/24","2001:db8::1","192.0.2.1"]}`},
		"senders":                  {`{"senders":["203.0.113.7 ","10.1.2.3/8"]}`, `{"senders":["203.0.113.7","10.0.0.0/8"]}`},
		"own agents":               {`{"agents":["ShopApp/ ","okhttp/","ShopApp/"]}`, `{"agents":["ShopApp/","okhttp/"]}`},
		"countries":                {`{"excluded_countries":["fr","DE"]}`, `{"excluded_countries":["FR","DE"]}`},
		"currencies":               {`{"currencies":["eur","USD","EUR"]}`, `{"currencies":["EUR","USD"]}`},
		"no property":              {`{"props":[]}`, `{"props":[]}`},
		"defaults":                 {`{"mask":true,"consent":"signals","sample":100}`, `{}`},
		"no masks":                 {`{"mask":false}`, `{"mask":false}`},
		"consent, sample and rate": {`{"consent":"required","sample":1,"rate":60}`, `{"consent":"required","rate":60,"sample":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rules.Normalize(parse(t, test.given))
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(got)
			if err != nil || string(encoded) != test.want {
				t.Errorf("got %s, %v; want %s", encoded, err, test.want)
			}
			again, err := rules.Normalize(got)
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

func TestNormalizeErrors(t *testing.T) {
	t.Parallel()
	for given, field := range map[string]string{
		`{"agents":["ShopApp/","Mozilla/5.0 (compatible; Shop/1.0)"]}`: "rules.agents[1]",
		`{"agents":["Moz"]}`: "rules.agents[0]",
		`{"agents":["S/"]}`:  "rules.agents[0]",
		`{"hostnames":["a.example","https://b.example/"]}`:              "rules.hostnames[1]",
		`{"hostnames":["a.*.example"]}`:                                 "rules.hostnames[0]",
		`{"hostnames":[""]}`:                                            "rules.hostnames[0]",
		`{"excluded_paths":["admin"]}`:                                  "rules.excluded_paths[0]",
		`{"excluded_paths":["/` + strings.Repeat("a", 300) + `"]}`:      "rules.excluded_paths[0]",
		`{"excluded_paths":["/a","/` + strings.Repeat("*a", 11) + `"]}`: "rules.excluded_paths[1]",
		`{"excluded_paths":[` + strings.Repeat(`"/a",`, 100) + `"/b"]}`: "rules.excluded_paths",
		`{"excluded_addresses":["203.0.113"]}`:                          "rules.excluded_addresses[0]",
		`{"excluded_addresses":["203.0.113.0/33"]}`:                     "rules.excluded_addresses[0]",
		`{"senders":["203.0.113.7","server.example"]}`:                  "rules.senders[1]",
		`{"excluded_countries":["France"]}`:                             "rules.excluded_countries[0]",
		`{"excluded_countries":["É"]}`:                                  "rules.excluded_countries[0]",
		`{"currencies":["EUR","€"]}`:                                    "rules.currencies[1]",
		`{"currencies":["euro"]}`:                                       "rules.currencies[0]",
		`{"props":["plan"," "]}`:                                        "rules.props[1]",
		`{"consent":"always"}`:                                          "rules.consent",
		`{"rate":-1}`:                                                   "rules.rate",
		`{"sample":101}`:                                                "rules.sample",
	} {
		_, err := rules.Normalize(parse(t, given))
		if invalid, ok := errors.AsType[*validation.Error](err); !ok || invalid.Field != field || invalid.Code != "" {
			t.Errorf("%s: got %v, want an error of the field %s", given, err, field)
		}
	}
}

func compile(t *testing.T, text string) *rules.Filter {
	t.Helper()
	read, err := rules.Normalize(parse(t, text))
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
		name string
		got  bool
		want bool
	}{
		{"an allowed host", f.AllowsHostname("example.com"), true},
		{"a subdomain of a host without a star", f.AllowsHostname("www.example.com"), false},
		{"a subdomain of a host with a star", f.AllowsHostname("a.b.example.org"), true},
		{"the parent of a host with a star", f.AllowsHostname("example.org"), false},
		{"a host with the same ending", f.AllowsHostname("evilexample.org"), false},
		{"an event without a page", f.AllowsHostname(""), true},
		{"a page", f.AllowsPath("/"), true},
		{"an excluded page", f.AllowsPath("/admin"), false},
		{"a page below it", f.AllowsPath("/admin/x"), true},
		{"one star", f.AllowsPath("/user/7/edit"), false},
		{"one star does not match a slash", f.AllowsPath("/user/7/8/edit"), true},
		{"two stars", f.AllowsPath("/api/v1/x"), false},
		{"two stars first", f.AllowsPath("/x/y.json"), false},
		{"as an earlier version stored it", (func() bool {
			old := rules.Rules{ExcludedPaths: []string{"/caf%C3%A9/*"}}
			f, err := old.Compile()
			return err != nil || f.AllowsPath("/café/x")
		})(), false},
		{"a dot is literal", f.AllowsPath("/aXb"), true},
		{"an excluded address", f.AllowsAddress(netip.MustParseAddr("203.0.113.7")), false},
		{"the next address", f.AllowsAddress(netip.MustParseAddr("203.0.113.8")), true},
		{"an address in an excluded network", f.AllowsAddress(netip.MustParseAddr("2001:db8:1::5")), false},
		{"no address", f.AllowsAddress(netip.Addr{}), true},
		{"an excluded country", f.AllowsCountry("FR"), false},
		{"another country", f.AllowsCountry("DE"), true},
		{"no country", f.AllowsCountry(""), true},
		{"a listed property", f.AllowsProp("plan"), true},
		{"another property", f.AllowsProp("theme"), false},
		{"a property when none is allowed", none.AllowsProp("plan"), false},
		{"a property when all are allowed", all.AllowsProp("plan"), true},
		{"masks by default", all.Masks() && f.Masks() && unset.Masks(), true},
		{"masks when switched off", compile(t, `{"mask":false}`).Masks(), false},
		{"a nil filter", unset.AllowsHostname("x") && unset.AllowsPath("/") && unset.AllowsAddress(netip.Addr{}) && unset.AllowsCountry("FR") && unset.AllowsProp("x") && unset.Sampled(5), true},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, test.got, test.want)
		}
	}
	if all.Consent() != rules.Signals || unset.Consent() != rules.Signals || compile(t, `{"consent":"required"}`).Consent() != rules.Required {
		t.Error("Consent does not return the mode that was set, or signals by default")
	}
}

// TestSample checks that the sample has the same share of the visitors of each shard.
func TestSample(t *testing.T) {
	t.Parallel()
	f := compile(t, `{"sample":25}`)
	const n = 100_000
	var sampled [4]int
	visitor := uint64(1)
	for range n {
		visitor = visitor*6364136223846793005 + 1442695040888963407
		v := int64(visitor)
		if f.Sampled(v) {
			sampled[uint64(v>>8)%4]++
		}
	}
	for _, k := range sampled {
		if k < n/16*95/100 || k > n/16*105/100 {
			t.Errorf("%v of %d visitors of each shard are in the sample, want a quarter", sampled, n/4)
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
		read, err := rules.Normalize(r)
		if err != nil {
			return
		}
		filter, err := read.Compile()
		if err != nil {
			t.Fatalf("compile normalized rules: %v", err)
		}
		filter.AllowsHostname(host)
		filter.AllowsPath(path)
		filter.AllowsCountry(country)
		filter.AllowsAddress(netip.IPv6Unspecified())
	})
}
