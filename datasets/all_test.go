package datasets

import (
	"testing"

	"pgregory.net/rapid"
)

// Levenshtein's distance is a metric; the law that catches most slips is the triangle's.
func TestEditDistance(t *testing.T) {
	word := rapid.StringMatching(`[a-c]{0,5}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if (editDistance(a, b) == 0) != (a == b) || editDistance(a, b) != editDistance(b, a) ||
			editDistance(a, c) > editDistance(a, b)+editDistance(b, c) || editDistance(a, "") != len(a) {
			t.Fatal(a, b, c)
		}
	})
	if d := editDistance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten, sitting: %d", d)
	}
}
