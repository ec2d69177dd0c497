package mask

import "strings"

// most is how many bytes of a value are looked at to decide whether it is a secret, so that
// the time stays linear.
const most = 200

// prefixes returns those by which issuers mark their secrets.
func prefixes() []string {
	return []string{
		"sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_", // Stripe
		"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", // GitHub
		"glpat-", "gldt-", "glrt-", "glptt-", // GitLab
		"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-", // Slack
		"AKIA", "ASIA", // Amazon
		"AIza", "ya29.", "GOCSPX-", // Google
		"wk_", "ak_", "sl_", // our own
		"sk-ant-", "sk-proj-", "sk-", "hf_", "gsk_", // models
		"npm_", "pypi-", "rubygems_", "dckr_pat_", // packages
		"shpat_", "shpss_", "shppa_", "shpca_", "sq0atp-", "sq0csp-", // shops
		"dop_v1_", "doo_v1_", "hvs.", "dapi", "lin_api_", "figd_", "sntrys_", "SG.", "EAAC", "PMAK-",
	}
}

// secrets masks the values that show by themselves that they are secrets: JSON Web Tokens, and
// those with the prefix of an issuer.
func (v *view) secrets() {
	issuers := prefixes()
	for i := 0; i < len(v.text); i++ {
		if isWord(v.byteAt(i-1)) || !isWord(v.text[i]) {
			continue
		}
		if !v.webToken(i) && !v.issuedSecret(i, issuers) {
			continue
		}
		end := v.while(i, isSecret)
		for v.text[end-1] == '.' {
			end-- // the end of a sentence
		}
		v.mask(i, end, Token)
		i = end
	}
}

func isSecret(c byte) bool { return isWord(c) || c == '_' || c == '-' || c == '.' }

// part returns the bytes of a secret that begin at a place, up to a number.
func (v *view) part(i, most int) string {
	end := i
	for end < len(v.text) && end < i+most && isSecret(v.text[end]) {
		end++
	}
	return string(v.text[i:end])
}

func (v *view) issuedSecret(i int, prefixes []string) bool {
	for _, prefix := range prefixes {
		if v.has(i, prefix) {
			tail := v.part(i+len(prefix), most)
			return len(tail) >= 16 && (opaque(tail) || count(tail, isUpper) >= fewestUpper || count(tail, isDigit) >= fewestDigits)
		}
	}
	return false
}

// webToken reports whether a JSON Web Token begins at a place. It has two or more parts in
// base64. The first part is JSON, so it begins with eyJ, which is {" in base64.
func (v *view) webToken(i int) bool {
	if !v.has(i, "eyJ") {
		return false
	}
	head, rest, _ := strings.Cut(v.part(i, 4*most), ".")
	claims, _, _ := strings.Cut(rest, ".")
	return len(head) >= 10 && len(claims) >= 10 && (count(head, isUpper) >= fewestUpper || opaque(head) || opaque(claims))
}

func (v *view) has(i int, prefix string) bool {
	return len(v.text)-i >= len(prefix) && string(v.text[i:i+len(prefix)]) == prefix
}

// parameters masks the values of parameters whose names say that they are secrets.
func (v *view) parameters() {
	for equals, c := range v.text {
		if c != '=' {
			continue
		}
		begin := max(v.before(equals, isName), equals-most)
		names, certain := secretParameter(normal(string(v.text[begin:equals])))
		if !names {
			continue
		}
		begin = equals + 1
		value := string(v.text[begin:v.valueEnd(begin, begin+most)])
		if value == "" || value[0] == '=' || isReplacement(value) || !certain && !opaque(value) {
			continue
		}
		v.mask(begin, v.valueEnd(begin, len(v.text)), Token)
	}
}

// isReplacement reports whether a value has been masked already.
func isReplacement(value string) bool {
	for _, kind := range [...]Kinds{Email, Token, Card} {
		if strings.HasPrefix(value, kind.replacement()) {
			return true
		}
	}
	return false
}

// valueEnd returns the end of the value of a parameter, at most last. A slash that is escaped
// may be part of it.
func (v *view) valueEnd(i, last int) int {
	for ; i < min(last, len(v.text)); i++ {
		if c := v.text[i]; strings.IndexByte("&;#,\"'<> ()|", c) >= 0 || c < ' ' || c == '/' && v.plain(i) {
			break
		}
	}
	return i
}

func isName(c byte) bool { return isWord(c) || c == '_' || c == '-' || c == '.' }

// normal returns a name in lower case with nothing but letters and digits.
func normal(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		default:
			return -1
		}
	}, name)
}

// secretParameter reports whether a parameter of a name holds a secret: certainly, or only if
// its value looks like one.
func secretParameter(name string) (names, certain bool) {
	for _, end := range [...]string{"token", "password", "passwd", "secret", "signature", "apikey", "accesskey", "secretkey", "privatekey", "authkey", "sessionid", "sessid", "credential"} {
		if strings.HasSuffix(name, end) {
			return true, true
		}
	}
	switch name {
	case "pwd", "pass", "otp", "jwt", "sid", "sig", "bearer", "authorization":
		return true, true
	case "key", "session", "auth", "code", "reset", "ticket", "nonce", "state", "hash", "invite", "invitation", "confirm", "confirmation", "verify", "verification", "activation", "hmac", "accesscode":
		return true, false
	default:
		return false, false
	}
}

// segments masks the segments of paths that follow one whose name says that a secret comes. An
// id may be between the two, as in /reset/MQ/SECRET, but no word.
func (v *view) segments() {
	left := 0 // segments that may be secrets
	for i := 0; i < len(v.text); {
		end := v.while(i, isSegment)
		value := string(v.text[i:min(end, i+most)])
		switch {
		case left > 0 && opaque(value):
			v.mask(i, end, Token)
			left = 0
		case secretSegment(normal(value)):
			left = 2
		case strings.Trim(value, "abcdefghijklmnopqrstuvwxyz-_") == "":
			left = 0
		default:
			left--
		}
		if v.byteAt(end) != '/' {
			left = 0
		}
		i = end + 1
	}
}

func isSegment(c byte) bool { return isWord(c) || strings.IndexByte("_-.~+=", c) >= 0 }

// secretSegment reports whether a segment of a name comes before a secret.
func secretSegment(name string) bool {
	switch name {
	case "token", "accesstoken", "resettoken", "reset", "resetpassword", "passwordreset", "passwordresets", "password", "setpassword", "newpassword",
		"forgotpassword", "recover", "recovery", "secret", "session", "sid", "key", "apikey", "signature", "sig", "jwt", "auth", "otp", "login",
		"magic", "magiclink", "verify", "verifyemail", "verification", "confirm", "confirmation", "confirmemail", "activate", "activation",
		"invite", "invitation", "unsubscribe":
		return true
	default:
		return false
	}
}

// opaque reports whether a value looks as if it was drawn at random, not written by a person:
// a long word that mixes letters and digits, or small and capital letters, or a UUID.
func opaque(value string) bool {
	if len(value) < 8 {
		return false
	}
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r > 0x7f || !isWord(byte(r)) }) {
		upper := count(word, isUpper)
		mixed := upper >= fewestUpper && upper*10 >= len(word)*3 && upper*10 <= len(word)*7
		if len(word) >= 10 && changes(word) >= fewestChanges || len(word) >= 16 && mixed {
			return true
		}
	}
	return isUUID(value) && changes(value) >= fewestChanges
}

// changes counts how often letters and digits change in the words of a text.
func changes(text string) (n int) {
	for i := 1; i < len(text); i++ {
		if isWord(text[i-1]) && isWord(text[i]) && isDigit(text[i-1]) != isDigit(text[i]) {
			n++
		}
	}
	return n
}

func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (text[i] == '-') || !dash && !isHex(text[i]) {
			return false
		}
	}
	return true
}

func count(text string, is func(byte) bool) (n int) {
	for i := range len(text) {
		if is(text[i]) {
			n++
		}
	}
	return n
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
