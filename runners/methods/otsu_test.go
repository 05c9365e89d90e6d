package methods

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// slowOtsu tries every threshold and takes the two sides' means anew.
func slowOtsu(saliency []float32) float32 {
	best, at := 0.0, float32(0)
	for i := 1; i < 256; i++ {
		var n, sum [2]float64
		for _, v := range saliency {
			side := 0
			if v >= float32(i)/256 {
				side = 1
			}
			n[side]++
			sum[side] += float64(v)
		}
		if n[0] == 0 || n[1] == 0 {
			continue
		}
		apart := sum[0]/n[0] - sum[1]/n[1]
		if v := n[0] * n[1] * apart * apart; v > best*(1+1e-12) {
			best, at = v, float32(i)/256
		}
	}
	return at
}

func TestOtsuEqualsSlowTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		saliency := rapid.SliceOf(rapid.Custom(func(t *rapid.T) float32 {
			return float32(rapid.IntRange(0, 1000).Draw(t,
				"v")) / 1000
		})).Draw(t, "saliency")
		got, want := Otsu(saliency), slowOtsu(saliency)
		if got != want {
			// Rounding may decide between thresholds that are as good as each other.
			if a, b := parted(saliency, got), parted(saliency, want); math.Abs(a-b) > 1e-9*b {
				t.Fatalf("%v: %v, want %v (variance %v, %v)", saliency, got, want, a, b)
			}
		}
	})
}

// parted is the variance between the two sides of a threshold.
func parted(saliency []float32, at float32) float64 {
	var n, sum [2]float64
	for _, v := range saliency {
		side := 0
		if v >= at {
			side = 1
		}
		n[side]++
		sum[side] += float64(v)
	}
	if n[0] == 0 || n[1] == 0 {
		return 0
	}
	apart := sum[0]/n[0] - sum[1]/n[1]
	return n[0] * n[1] * apart * apart
}

// By hand: what the best threshold parts is plain to see, or there is nothing to part.
func TestOtsu(t *testing.T) {
	for _, c := range []struct {
		saliency []float32
		low, top float32
	}{
		{[]float32{0.1, 0.2, 0.3, 0.7, 0.8, 1}, 0.3, 0.7},
		{[]float32{0, 0, 0, 0, 1}, 0, 1},
		{[]float32{0.5, 0.5}, -1, 0},
		{nil, -1, 0},
	} {
		if got := Otsu(c.saliency); !(got > c.low && got <= c.top) {
			t.Errorf("%v: %v, want over %v, up to %v", c.saliency, got, c.low, c.top)
		}
	}
}
