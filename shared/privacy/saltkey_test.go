package privacy_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
)

func TestSaltKeys(t *testing.T) {
	t.Parallel()
	const day event.Day = 20_000
	salt := privacy.Salt([]byte(strings.Repeat("salt", 8)))
	keys := func(text string) *privacy.SaltKeys {
		t.Helper()
		var k privacy.SaltKeys
		if err := k.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return &k
	}
	a, b := strings.Repeat("a", privacy.MinSaltKey), strings.Repeat("b", privacy.MinSaltKey)
	sealed := keys(a).Seal(day, salt)
	if bytes.Contains(sealed, salt[:]) || bytes.Equal(sealed, keys(a).Seal(day, salt)) {
		t.Error("a sealed salt shows the salt, or is the same each time")
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for name, test := range map[string]struct {
		keys    string
		day     event.Day
		sealed  []byte
		current bool
		err     error
	}{
		"the key":            {a, day, sealed, true, nil},
		"a previous key":     {b + "," + a, day, sealed, false, nil},
		"with spaces":        {b + ", " + a + "\n", day, sealed, false, nil},
		"another key":        {b, day, sealed, false, privacy.ErrSaltKey},
		"another day":        {a, day + 1, sealed, false, privacy.ErrSaltKey},
		"altered":            {a, day, altered, false, privacy.ErrSaltKey},
		"empty":              {a, day, nil, false, privacy.ErrSaltKey},
		"a salt in plain":    {a, day, salt[:], false, nil},
		"a sealed half":      {a, day, sealed[:len(sealed)/2], false, privacy.ErrSaltKey},
		"sealed with excess": {a, day, append(bytes.Clone(sealed), 0), false, privacy.ErrSaltKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, current, err := keys(test.keys).Open(test.day, test.sealed)
			if !errors.Is(err, test.err) || current != test.current || err == nil && got != salt {
				t.Errorf("got %x, current %t, %v", got, current, err)
			}
		})
	}
	for _, text := range []string{"", "short", a + ",", a + ",short"} {
		if err := new(privacy.SaltKeys).UnmarshalText([]byte(text)); err == nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%q: got error %v, want one without the key", text, err)
		}
	}
}
