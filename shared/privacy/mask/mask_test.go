package mask_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/analytics-platform/analytics/shared/privacy/mask"
)

// secret returns a text that looks like a secret with a prefix. It is put together here, so
// that no search for leaked secrets finds one in this file.
func secret(prefix string) string { return prefix + "4eC39HqLyjWDarjtT1zdp7dcBx9Q8w2Z" }

// webToken is a JSON Web Token.
const webToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + "." + "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ" + "." + "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"

const uuid = "550e8400-e29b-41d4-a716-446655440000"

func TestText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text, want string
		kinds      mask.Kinds
	}{
		"address":                     {"/unsubscribe/jane.doe@example.com", "/unsubscribe/[email]", mask.Email},
		"address with a tag":          {"jane+shop@mail.example.co.uk", "[email]", mask.Email},
		"capital letters":             {"JANE@EXAMPLE.COM", "[email]", mask.Email},
		"end of a sentence":           {"Write to jane@example.com.", "Write to [email].", mask.Email},
		"brackets":                    {"Jane <jane@example.com>, Bob", "Jane <[email]>, Bob", mask.Email},
		"quotes":                      {"'jane@example.com'", "'[email]'", mask.Email},
		"percent-encoded address":     {"/u/jane%40example.com/edit", "/u/[email]/edit", mask.Email},
		"encoded twice":               {"/u/jane%2540example%252ecom", "/u/[email]", mask.Email},
		"encoded three times":         {"/u/jane%252540example.com", "/u/[email]", mask.Email},
		"everything encoded":          {"%6a%61%6E%65%40%65%78.%63%6f", "[email]", mask.Email},
		"encoded neighbours":          {"a%2Fjane%40example.com%2Fb", "a%2F[email]%2Fb", mask.Email},
		"full-width characters":       {"ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", "[email]", mask.Email},
		"encoded full-width at sign":  {"/jane%EF%BC%A0example.com", "/[email]", mask.Email},
		"unicode":                     {"/jürgen@müller.de", "/[email]", mask.Email},
		"encoded unicode":             {"/j%C3%BCrgen@m%C3%BCller.de", "/[email]", mask.Email},
		"punycode":                    {"jane@xn--mller-kva.xn--p1ai", "[email]", mask.Email},
		"domain of digits":            {"jane@163.com", "[email]", mask.Email},
		"page of an address":          {"/contact/jane@example.com.html", "/contact/[email].html", mask.Email},
		"two addresses":               {"a@example.com,b@example.org", "[email],[email]", mask.Email},
		"mailto":                      {"mailto:jane@example.com?subject=Hi", "mailto:[email]?subject=Hi", mask.Email},
		"password of an address":      {"https://jane:secret@example.com/", "https://jane:[email]/", mask.Email},
		"handle":                      {"/@jane@mastodon.social/109372", "/@jane@mastodon.social/109372", 0},
		"encoded handle":              {"/%40jane%40mastodon.social", "/%40jane%40mastodon.social", 0},
		"community":                   {"/c/technology@lemmy.ml", "/c/technology@lemmy.ml", 0},
		"version":                     {"/npm/react@18.2.0/umd/react.min.js", "/npm/react@18.2.0/umd/react.min.js", 0},
		"version before a release":    {"/vue@3.0.0-beta.next", "/vue@3.0.0-beta.next", 0},
		"version of a module":         {"/golang.org/x/tools@v0.1.0/cmd", "/golang.org/x/tools@v0.1.0/cmd", 0},
		"scope":                       {"/package/@types/node@20.1.0", "/package/@types/node@20.1.0", 0},
		"image for sharp screens":     {"/img/logo@2x.png", "/img/logo@2x.png", 0},
		"image of a theme":            {"/img/logo@dark.svg", "/img/logo@dark.svg", 0},
		"repository":                  {"git@github.com:golang/go.git", "git@github.com:golang/go.git", 0},
		"place on a map":              {"/maps/@52.5163,13.3777,15z", "/maps/@52.5163,13.3777,15z", 0},
		"JSON Web Token":              {"/callback/" + webToken, "/callback/[token]", mask.Token},
		"JSON Web Token in a title":   {"Bearer " + webToken + ".", "Bearer [token].", mask.Token},
		"secret of an issuer":         {"/x/" + secret("sk_live_") + "/y", "/x/[token]/y", mask.Token},
		"encoded secret of an issuer": {"/x/" + secret("sk%5Flive%5F"), "/x/[token]", mask.Token},
		"parameter":                   {"https://example.com/?a=1&access_token=abc&b=2", "https://example.com/?a=1&access_token=[token]&b=2", mask.Token},
		"capital parameter":           {"?RESET_TOKEN=abc#x", "?RESET_TOKEN=[token]#x", mask.Token},
		"encoded parameter":           {"/login?next=%2Fa%3Ftoken%3Dabc%26b%3D1", "/login?next=%2Fa%3Ftoken%3D[token]%26b%3D1", mask.Token},
		"encoded value":               {"?sig=ab%2Fcd%3D%3D&x", "?sig=[token]&x", mask.Token},
		"signature of a file":         {"/f?X-Amz-Signature=00ff&X-Amz-Date=2026", "/f?X-Amz-Signature=[token]&X-Amz-Date=2026", mask.Token},
		"session in a path":           {"/shop;jsessionid=1A2B3C.node1/cart", "/shop;jsessionid=[token]/cart", mask.Token},
		"code of a login":             {"?code=4%2F0AY0e-g7xK2mP9qL4nB8vC", "?code=[token]", mask.Token},
		"code of a voucher":           {"?code=SPRING26", "?code=SPRING26", 0},
		"comparison":                  {"token == nil", "token == nil", 0},
		"segment":                     {"/reset/k3J9x2Lm8Qp4", "/reset/[token]", mask.Token},
		"segment after an id":         {"/password/reset/MQ/5zk9e1b2c3d4e5f/", "/password/reset/MQ/[token]/", mask.Token},
		"UUID of a segment":           {"/invite/" + uuid, "/invite/[token]", mask.Token},
		"words of a segment":          {"/reset/forgotten-password-help-2026", "/reset/forgotten-password-help-2026", 0},
		"documentation of tokens":     {"/docs/token/introduction", "/docs/token/introduction", 0},
		"UUID":                        {"/orders/" + uuid, "/orders/" + uuid, 0},
		"hex id":                      {"/commit/4f3a2b1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a", "/commit/4f3a2b1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a", 0},
		"card":                        {"/pay/4111111111111111/x", "/pay/[card]/x", mask.Card},
		"card in groups":              {"card 5555-5555-5555-4444!", "card [card]!", mask.Card},
		"encoded spaces":              {"/q/4111%201111%201111%201111", "/q/[card]", mask.Card},
		"spaces as plus":              {"4111+1111+1111+1111", "[card]", mask.Card},
		"American Express":            {"3782 822463 10005.", "[card].", mask.Card},
		"Diners Club":                 {"30569309025904", "[card]", mask.Card},
		"card of 19 digits":           {"6205500000000000004", "[card]", mask.Card},
		"full-width digits":           {"４１１１１１１１１１１１１１１１", "[card]", mask.Card},
		"wrong check digit":           {"4111111111111112", "4111111111111112", 0},
		"no issuer":                   {"1111111111111117", "1111111111111117", 0},
		"part of a number":            {"94111111111111111", "94111111111111111", 0},
		"decimal fraction":            {"0.4111111111111111", "0.4111111111111111", 0},
		"part of a word":              {"x4111111111111111", "x4111111111111111", 0},
		"all at once":                 {"a@b.example 4111111111111111 token=x", "[email] [card] token=[token]", mask.Email | mask.Card | mask.Token},
		"nothing":                     {"", "", 0},
		"invalid escape":              {"/100%/a%4/b%zz", "/100%/a%4/b%zz", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, kinds := mask.Text(test.text, 1000)
			if got != test.want || kinds != test.kinds {
				t.Errorf("%q: got %q, %b; want %q, %b", test.text, got, kinds, test.want, test.kinds)
			}
		})
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	for _, prefix := range mask.Prefixes() {
		if got, kinds := mask.Text("Key: "+secret(prefix), 100); got != "Key: [token]" || kinds != mask.Token {
			t.Errorf("%s: got %q", prefix, got)
		}
		words := "/docs/" + prefix + "with-words-of-a-page"
		if got, _ := mask.Text(words, 100); got != words {
			t.Errorf("%s: got %q", words, got)
		}
	}
}

// TestLimit checks that a text that becomes longer than it may be is a replacement alone.
func TestLimit(t *testing.T) {
	t.Parallel()
	const text = "/a?token=x"
	for limit, want := range map[int]string{16: "/a?token=[token]", 15: "[token]", 1: "[token]"} {
		if got, kinds := mask.Text(text, limit); got != want || kinds != mask.Token {
			t.Errorf("limit %d: got %q", limit, got)
		}
	}
}

// texts draws texts that are full of what may be masked.
func texts() *rapid.Generator[string] {
	part := rapid.SampledFrom([]string{
		"@", "%40", "%2540", "＠", "jane", "a", "example.com", ".", "..", "-", "/", "/c/", "!", "=", "==", "&", "?", ";", " ", "%", "%2", "%25", "%20", "%2F", "\xef", "\xef\xbc",
		"token", "key", "reset", "/reset/", "password=", "eyJ", webToken, secret("ghp_"), "sk_live_", "4111", "111111111111", "4111111111111111", "3782 822463 10005", "a1b2c3d4e5f6",
		"ABCDEFGhijklmnop", uuid, "[email]", "[token]", "[card]", "[", "]", "2x.png", ".html", "ü", "%C3%BC", "x", "1", "\x00",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), "")
	})
}

// check checks what holds for every text.
func check(t interface{ Errorf(string, ...any) }, text string, limit int) {
	masked, kinds := mask.Text(text, limit)
	if full, _ := mask.Apply(text, limit); full != masked {
		t.Errorf("%q: the quick look misses what becomes %q", text, full)
	}
	if again, _ := mask.Text(masked, limit); again != masked {
		t.Errorf("%q: masked as %q, and then as %q", text, masked, again)
	}
	if len(masked) > max(limit, len(text)) {
		t.Errorf("%q: %q is longer than %d bytes", text, masked, limit)
	}
	if kinds == 0 && masked != text {
		t.Errorf("%q: became %q, and no kind tells", text, masked)
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		check(t, texts().Draw(t, "text"), rapid.IntRange(len("[email]"), 100).Draw(t, "limit"))
	})
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"/u/jane%2540example.com", "4111-1111-1111-1111", "?token=" + webToken, "/reset/" + uuid, "/@a@b.example", secret("xoxb-")} {
		f.Add(text, 20)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) { check(t, text, max(limit, len("[email]"))) })
}

// BenchmarkText masks usual texts, and two that take longer.
func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"path":    "/blog/2026/03/how-we-count-visitors",
		"title":   "How we count visitors without cookies - Example Blog",
		"encoded": "/wiki/%E5%8C%97%E4%BA%AC%E5%B8%82",
		"uuid":    "/orders/" + uuid,
		"address": "/unsubscribe/jane.doe@example.com",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mask.Text(text, 2048)
			}
		})
	}
}
