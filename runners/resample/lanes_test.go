package resample

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// withoutVectors lets the twins work until the function it returns is called.
func withoutVectors() (restore func()) {
	had := vectors
	vectors = false
	return func() { vectors = had }
}

// odd are numbers among which every kind is frequent.
var odd = rapid.OneOf(rapid.Float32Range(-2, 2), rapid.Float32(), rapid.SampledFrom([]float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.25, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
	math.MaxFloat32, 1e-42,
}))

func drawFloats(t *rapid.T, name string, n int) []float32 {
	return rapid.SliceOfN(odd, n, n).Draw(t, name)
}

func drawTaps(t *rapid.T, from, n int) []tap {
	first := rapid.SliceOfN(rapid.IntRange(0, from-1), n, n).Draw(t, "first")
	slices.Sort(first)
	var out []tap
	for _, i := range first {
		w := rapid.Float32Range(0, 1).Draw(t, "weight")
		out = append(out, tap{i, min(i+rapid.IntRange(0, 1).Draw(t, "next"), from-1), 1 - w, w})
	}
	return out
}

// Every function on cells gives the same bits with vectors and without.
func TestLanes(t *testing.T) {
	if !vectors {
		t.Skip("no vectors on this machine")
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 9).Draw(t, "cells")
		a, b, c := drawFloats(t, "a", lanes*n), drawFloats(t, "b", lanes*n), drawFloats(t, "c", lanes*n)
		w0, w1 := odd.Draw(t, "w0"), odd.Draw(t, "w1")
		counts := rapid.SliceOfN(rapid.Uint32Range(0, 5), n, n).Draw(t, "counts")
		taps := drawTaps(t, max(n, 1), n)
		var rows [5][]float32
		for k := range rows {
			rows[k] = drawFloats(t, "row", lanes*(n+2*reach))
		}
		weights := drawFloats(t, "weights", 16*n)
		bits := rapid.Uint16().Draw(t, "mask")
		mask := maskOf(func(k int) bool { return bits>>k&1 == 1 })
		all := maskOf(func(int) bool { return true })
		scale := rapid.Float32Range(0.5, 100).Draw(t, "scale")
		length := rapid.IntRange(0, lanes*n).Draw(t, "length")
		top, lane := make([]float32, n), make([]int32, n)

		for name, do := range map[string]func() []float32{
			"lerp":     func() []float32 { dst := make([]float32, length); lerp(dst, a, b, w0, w1); return dst },
			"lerpAdd":  func() []float32 { dst := slices.Clone(c[:length]); lerpAdd(dst, a, b, w0, w1); return dst },
			"weighAdd": func() []float32 { dst := slices.Clone(c); weighAdd(dst, a, weights[:n]); return dst },
			"stretch":  func() []float32 { dst := make([]float32, lanes*n); stretch(dst, a, taps); return dst },
			"divide":   func() []float32 { dst := slices.Clone(a); divide(dst, counts); return dst },
			"mix":      func() []float32 { dst := make([]float32, lanes*n); mix(dst, &rows, weights); return dst },
			"largest": func() []float32 {
				largest(top, lane, a, mask)
				out := slices.Clone(top)
				for _, k := range lane {
					out = append(out, float32(k))
				}
				return out
			},
			"sumExp": func() []float32 {
				largest(top, lane, a, all)
				sum := make([]float32, n)
				sumExp(sum, top, a, mask, scale)
				return sum
			},
		} {
			got := do()
			restore := withoutVectors()
			want := do()
			restore()
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] != 0 || want[i] != 0) &&
					(got[i] == got[i] || want[i] == want[i]) {
					t.Fatalf("%s of %d cells: number %d is %v, want %v", name, n, i, got[i], want[i])
				}
			}
		}
	})
}

// The plain exponential in float64 tells how far exp32 and roughExp are off: less than their comments promise.
func TestExponentials(t *testing.T) {
	for x := 0.0; x > -110; x -= 0.00037 {
		v := float32(x)
		want := math.Exp(float64(v))
		if v >= -87 {
			if got := float64(exp32(v)); !(math.Abs(got-want) <= 4e-7*want+0x1p-126) {
				t.Fatalf("exp32(%v) = %v, want %v", v, got, want)
			}
		} else if got := exp32(v); got != 0 {
			t.Fatalf("exp32(%v) = %v, want 0", v, got)
		}
		if got := roughExp(x); !(math.Abs(got-math.Exp(x)) <= 1e-8*math.Exp(x)) {
			t.Fatalf("roughExp(%v) = %v, want %v", x, got, math.Exp(x))
		}
	}
	if exp32(0) != 1 || exp32(float32(math.NaN())) != 0 || exp32(float32(math.Inf(-1))) != 0 {
		t.Errorf("exp32 of 0, NaN, -Inf: %v, %v, %v", exp32(0), exp32(float32(math.NaN())), exp32(float32(math.Inf(-1))))
	}
}
