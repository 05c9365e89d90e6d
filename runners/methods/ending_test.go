package methods

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Worked by hand: two patches in a row, enlarged to four pixels. Bilinear puts pixel centres at -0.25, 0.25, 0.75 and
// 1.25 patches, of which the outer ones take the nearest patch.
func TestEndings(t *testing.T) {
	for _, c := range []struct {
		ending Ending
		values []float32
		want   []float32
		flaw   Flaw
	}{
		{MinMaxResize, []float32{-1, 3}, []float32{0, 0.25, 0.75, 1}, ""},
		{ResizeMinMax, []float32{-1, 3}, []float32{0, 0.25, 0.75, 1}, ""},
		{ReLUMinMaxResize, []float32{-1, 3}, []float32{0, 0.25, 0.75, 1}, ""},
		{ReLUMinMaxResize, []float32{-1, -3}, []float32{0, 0, 0, 0}, AllNegative},
		{ReLUMinMaxResizeMinMax, []float32{0, -3}, []float32{0, 0, 0, 0}, AllNegative},
		{MinMaxResize, []float32{-1, -3}, []float32{1, 0.75, 0.25, 0}, ""},
		{MinMaxResize, []float32{2, 2}, []float32{0, 0, 0, 0}, Constant},
		{ResizeMinMax, []float32{2, 2}, []float32{0, 0, 0, 0}, Constant},
		{ReLUMinMaxResize, []float32{2, 2}, []float32{0, 0, 0, 0}, Constant},
		{ResizeMinMax, []float32{2, float32(math.NaN())}, []float32{0, 0, 0, 0}, NotFinite},
		{MinMaxResize, []float32{2, float32(math.Inf(1))}, []float32{0, 0, 0, 0}, NotFinite},
	} {
		got, flaw := c.ending.Map(c.values, 1, 2, 1, 4)
		if !slices.Equal(got, c.want) || flaw != c.flaw {
			t.Errorf("%s of %v: %v %q, want %v %q", c.ending, c.values, got, flaw, c.want, c.flaw)
		}
	}
	// A single bright patch of three, enlarged to six pixels: no pixel lies at its centre, so an early minmax leaves less
	// than 1.
	early, _ := MinMaxResize.Map([]float32{0, 1, 0}, 1, 3, 1, 6)
	late, _ := ResizeMinMax.Map([]float32{0, 1, 0}, 1, 3, 1, 6)
	if slices.Max(early) != 0.75 || slices.Max(late) != 1 {
		t.Errorf("largest values %v and %v, want 0.75 and 1", slices.Max(early), slices.Max(late))
	}
}

// Whatever the values, a map is in 0..1; one with a flaw is 0 everywhere; the best pixel of positive values does not
// depend on the ending.
func TestEndingsStayInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "cols")
		values := rapid.SliceOfN(rapid.Float32Range(-3, 3), rows*cols, rows*cols).Draw(t, "values")
		if rapid.Bool().Draw(t, "positive") {
			for i := range values {
				values[i] = max(values[i], -values[i])
			}
		}
		before := slices.Clone(values)
		for _, e := range Endings {
			m, flaw := e.Map(values, rows, cols, 7, 9)
			for _, v := range m {
				if !(v >= 0 && v <= 1) || flaw != "" && v != 0 {
					t.Fatalf("%s gives %v, flaw %q", e, v, flaw)
				}
			}
			if parsed, err := ParseEnding(string(e)); parsed != e || err != nil {
				t.Fatal(parsed, err)
			}
		}
		if !slices.Equal(values, before) {
			t.Fatal("values have changed")
		}
	})
}
