package methods

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// affinityPlain is segments.affinity as its comment reads: pixel by pixel, nothing looked up.
func affinityPlain(s segments, sigma float64, split bool) []float64 {
	n := len(s.text)
	longest := max(s.rows, s.cols) - 1
	share := func(k int) float32 { // torch.linspace(0, 1, longest+1)[k]
		step := 1 / float32(max(longest, 1))
		if k < (longest+1)/2 {
			return float32(step * float32(k))
		}
		return 1 - float32(step*float32(longest-k))
	}
	between := func(a, b int, t float32) int {
		return int(math.RoundToEven(float64(float32(float32(a)*(1-t)) + float32(float32(b)*t))))
	}
	kernel := gaussianKernel(sigma, n)
	out := make([]float64, n*n)
	top := 0.0
	for i := range n {
		row := make([]float64, n)
		for j := range n {
			if s.text[i] != s.text[j] {
				continue
			}
			row[j] = 1
			iy, ix, jy, jx := i/s.cols, i%s.cols, j/s.cols, j%s.cols
			steps := max(abs(iy-jy), abs(ix-jx))
			for k := range steps + 1 {
				if split && s.text[between(iy, jy, share(k))*s.cols+between(ix, jx, share(k))] != s.text[i] {
					row[j] = math.Exp(-float64(steps) / float64(longest))
				}
			}
		}
		sum := 0.0
		for j := range n {
			for k, v := range kernel {
				if at := j + k - len(kernel)/2; at >= 0 && at < n {
					out[i*n+j] += v * row[at]
				}
			}
			sum += out[i*n+j]
		}
		for j := range n {
			out[i*n+j] /= sum + 1e-8
			top = max(top, out[i*n+j])
		}
	}
	for i := range out {
		out[i] /= top
	}
	return out
}

func TestAffinityEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := segments{rows: rapid.IntRange(1, 12).Draw(t, "rows"), cols: rapid.IntRange(1, 12).Draw(t, "cols")}
		texts := rapid.IntRange(0, 3).Draw(t, "texts")
		for range s.rows * s.cols {
			s.text = append(s.text, rapid.IntRange(0, texts).Draw(t, "text"))
		}
		sigma, split := rapid.Float64Range(0.3, 9).Draw(t, "sigma"), rapid.Bool().Draw(t, "split")
		got, want := s.affinity(sigma, split), affinityPlain(s, sigma, split)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-14) { // the order of sums is the same, but for zeros left out
				t.Fatalf("patches %d and %d: %v, want %v", i/len(s.text), i%len(s.text), got[i], want[i])
			}
		}
	})
}

// BenchmarkAffinity is ResCLIP's step between two graphs, after the segmentation, of a picture of 512 pixels.
func BenchmarkAffinity(b *testing.B) {
	s := segments{rows: 32, cols: 32}
	for i := range 32 * 32 {
		s.text = append(s.text, (i%32/11)+(i/32/20)*3)
	}
	for b.Loop() {
		s.affinity(5, true)
	}
}
