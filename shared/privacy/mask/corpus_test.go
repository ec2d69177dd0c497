package mask_test

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/privacy/mask"
)

//go:embed testdata/paths.txt
var templates string

// TestOrdinaryPaths checks that masking changes none of 20,000 ordinary paths: as they are,
// encoded once more, as a title, and as an address.
func TestOrdinaryPaths(t *testing.T) {
	t.Parallel()
	var paths []string
	for line := range strings.Lines(templates) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			paths = append(paths, line)
		}
	}
	draw := drawer{rand.New(rand.NewPCG(14, 9))}
	seen := map[string]bool{}
	for i := range 20_000 {
		path := draw.path(t, paths[i%len(paths)])
		seen[path] = true
		for _, text := range []string{path, url.QueryEscape(path), "Page " + path + ".", "https://example.com" + path} {
			if got, kinds := mask.Text(text, 2048); got != text || kinds != 0 {
				t.Errorf("%s: %q becomes %q", paths[i%len(paths)], text, got)
			}
		}
	}
	if len(seen) < 10_000 {
		t.Errorf("the corpus has only %d different paths", len(seen))
	}
}

// drawer fills in templates.
type drawer struct{ random *rand.Rand }

func (d drawer) path(t *testing.T, template string) string {
	t.Helper()
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		value := d.value(name)
		if value == "" {
			t.Fatalf("no value is called %q", name)
		}
		out.WriteString(value)
		template = after
	}
}

func (d drawer) one(of ...string) string { return of[d.random.IntN(len(of))] }

func (d drawer) from(alphabet string, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[d.random.IntN(len(alphabet))]
	}
	return string(out)
}

func (d drawer) word() string {
	return d.one("alpha", "badger", "cache", "dune", "editor", "fjord", "garden", "harbour", "island", "jacket", "kernel", "lantern", "meadow", "number", "orchard",
		"parser", "quartz", "router", "sensor", "theme", "uplink", "violet", "widget", "xenon", "yarrow", "zebra", "token", "secret", "password", "session", "keyboard", "reset", "mp3", "h264", "utf8", "s3", "win11", "gpt4", "es2015")
}

func (d drawer) slug() string {
	words := make([]string, 2+d.random.IntN(4))
	for i := range words {
		words[i] = d.word()
	}
	return strings.Join(words, "-")
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// phrase returns a percent-encoded text of a language.
func (d drawer) phrase() string {
	return url.PathEscape(d.one("北京市", "人工智能", "東京都", "ひらがな", "서울특별시", "Москва", "Санкт-Петербург", "Αθήνα", "القاهرة", "ירושלים", "गंगा", "กรุงเทพ",
		"Zürich", "Straßenbahn", "Łódź", "São_Paulo", "Đà_Nẵng", "İstanbul", "Île-de-France", "Ærø", "naïve_café", "C#", "100%", "Rock'n'Roll", "50 € günstig", "a＝b，c！", "ＡＢＣ")) + "_" + d.word()
}

// value returns a value for a name in a template: a number of digits or hex digits stands
// behind some names.
func (d drawer) value(name string) string {
	const digits, hexadecimal, capitals = "0123456789", "0123456789abcdef", "ABCDEFGHJKLMNPQRSTUVWXYZ"
	two := func(most int) string { return fmt.Sprintf("%02d", 1+d.random.IntN(most)) }
	sized := strings.TrimRight(name, digits)
	size, err := strconv.Atoi(name[len(sized):])
	if err != nil {
		size = 6
	}
	switch sized {
	case "number", "ean":
		return d.from(digits, size)
	case "hex":
		return d.from(hexadecimal, size)
	case "sku", "SKU":
		return d.from(capitals[:12]+digits, size)
	case "small":
		return strconv.Itoa(1 + d.random.IntN(30))
	case "word":
		return d.word()
	case "Word":
		return capital(d.word())
	case "WORD":
		return strings.ToUpper(d.word())
	case "slug":
		return d.slug()
	case "camel":
		return capital(d.word()) + d.one("Factory", "Builder", "Of", "And") + d.one("Provider", "Manager", "Test", "Reset", "Token")
	case "phrase":
		return d.phrase()
	case "locale":
		return d.one("en", "en-GB", "de_AT", "pt-br", "zh-Hant", "sk-sk", "sr-Latn")
	case "host":
		return d.one("mastodon.social", "fosstodon.org", "social.example.co.uk", "xn--sterreich-z7a.at", "163.com", "lemmy.ml")
	case "order":
		return d.one("#", "A-", "2026-", "SO", "") + d.from(digits, 4+d.random.IntN(9))
	case "semver":
		return fmt.Sprintf("%d.%d.%d", d.random.IntN(30), d.random.IntN(30), d.random.IntN(100))
	case "version":
		return d.one("latest", "stable", "v1", "v2.3", "1.27", "3.0-beta")
	case "uuid", "UUID":
		id := strings.Join([]string{d.from(hexadecimal, 8), d.from(hexadecimal, 4), d.from(hexadecimal, 4), d.from(hexadecimal, 4), d.from(hexadecimal, 12)}, "-")
		if sized == "UUID" {
			return strings.ToUpper(id)
		}
		return id
	case "ulid":
		return "01J" + d.from(capitals+digits, 23)
	case "year":
		return strconv.Itoa(1998 + d.random.IntN(30))
	case "month":
		return two(12)
	case "day":
		return two(28)
	case "time":
		return two(23) + ":" + two(59) + ":" + two(59)
	case "stamp":
		return d.value("year") + two(12) + two(28) + two(23) + two(59) + two(59)
	default:
		return ""
	}
}
