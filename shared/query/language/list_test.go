package language

import "testing"

func FuzzVisitID(f *testing.F) {
	for _, seed := range []string{"", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAA\nAAAAAAAAAAA", "AAYi0iFcAAB_________w", "_____________________w", "' OR 1=1 --", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseVisitID(text); err == nil && id.String() != text {
			t.Errorf("%q is parsed as %v", text, id)
		}
	})
}

func FuzzEventID(f *testing.F) {
	for _, seed := range []string{
		"", "AAABlbwRyAAAAAAAAAAAAAAAAAAAAAAA", "AAABnLKl7ABQnh_kqE9HeZ0-9X0YqzBP", "_______________________________w",
		"________________________________", "AAABlbwRyAAAAAAAAAAAAAAAAAAAAAA=", "' OR 1=1 --", "é", "___000000000000\r00000000000000000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseEventID(text); err == nil && id.String() != text {
			t.Errorf("%q is parsed as %v", text, id)
		}
	})
}
