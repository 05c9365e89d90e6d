package resample

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Two bilinear steps with a cut between them, done at once, are those done one after the other.
func TestTwoStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := func(name string) int { return rapid.IntRange(1, 20).Draw(t, name) }
		sw, sh, mw, mh, w, h := side("sw"), side("sh"), side("mw"), side("mh"), side("w"), side("h")
		cw, ch := rapid.IntRange(1, mw).Draw(t, "cw"), rapid.IntRange(1, mh).Draw(t, "ch")
		src := rapid.SliceOfN(rapid.Float32Range(-8, 8), sw*sh, sw*sh).Draw(t, "src")

		middle, want := make([]float32, mw*mh), make([]float32, w*h)
		Bilinear(middle, mw, mh, src, sw, sh)
		var cut []float32
		for y := range ch {
			cut = append(cut, middle[y*mw:][:cw]...)
		}
		Bilinear(want, w, h, cut, cw, ch)

		var got []float32
		NewTwoStep(sw, sh, mw, mh, cw, ch, w, h).Rows(src, func(y int, row []float32) {
			if y*w != len(got) {
				t.Fatalf("row %d comes behind %d numbers", y, len(got))
			}
			got = append(got, row...)
		})
		if len(got) != len(want) || slices.ContainsFunc(got, func(v float32) bool { return v != v }) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i, v := range want {
			if math.Abs(float64(got[i]-v)) > 1e-5 { // weights up to 1, values up to 8, rounded otherwise
				t.Fatalf("place %d: got %v, want %v", i, got[i], v)
			}
		}
	})
}
