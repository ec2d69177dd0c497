package writekey_test

import (
	"testing"

	"github.com/analytics-platform/analytics/shared/model/writekey"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sites []int32
		want  bool
	}{
		"all sites":   {nil, true},
		"the site":    {[]int32{1, 2}, true},
		"other sites": {[]int32{1, 3}, false},
	} {
		if got := (&writekey.Key{Sites: test.sites}).Covers(2); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
