package bearer_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/edge/bearer"
)

const text = "a token of the whole installation"

func TestSent(t *testing.T) {
	t.Parallel()
	token, err := bearer.New("TOKEN", text)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		header string
		want   bool
	}{
		"the token":                {"Bearer " + text, true},
		"the scheme in lower case": {"bearer " + text, true},
		"further spaces":           {"Bearer  " + text + " ", true},
		"another token":            {"Bearer " + strings.ToUpper(text), false},
		"a part of it":             {"Bearer " + text[:20], false},
		"more than it":             {"Bearer " + text + "x", false},
		"another scheme":           {"Basic " + text, false},
		"no scheme":                {text, false},
		"no token":                 {"Bearer", false},
		"no header":                {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			request.Header.Set("Authorization", test.header)
			if got := token.Sent(request); got != test.want {
				t.Errorf("Sent = %t", got)
			}
			if (bearer.Token{}).Sent(request) {
				t.Error("the zero token was sent")
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"0123456789012345678901234567890":  false, // short
		"01234567890123456789012345678901": true,
		"01234567801234567801234567801234": false, // of nine different characters
		strings.Repeat("token", 20):        false,
	} {
		token, err := bearer.New("METRICS_TOKEN", text)
		if ok != (err == nil) || ok == token.IsZero() || err != nil && !strings.HasPrefix(err.Error(), "METRICS_TOKEN must have at least 32 characters, and 10 different ones") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := bearer.New("METRICS_TOKEN", ""); err == nil {
		t.Error("no error for an empty token")
	}
	if token, err := bearer.Optional("METRICS_TOKEN", ""); err != nil || !token.IsZero() || token.Matches("") {
		t.Errorf("no token: %v, %v", token, err)
	}
	if _, err := bearer.Optional("METRICS_TOKEN", "short"); err == nil {
		t.Error("no error for a short optional token")
	}
}
