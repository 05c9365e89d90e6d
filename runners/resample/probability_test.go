package resample

import (
	"math"
	"testing"
)

// The probability of a class is the largest softmax, or sigmoid, of its queries' planes.
func TestProbabilities(t *testing.T) {
	const w, h, queries = 37, 29, 5
	classes := []int{0, 2, 0, 3, 2} // class 1 has no query
	m := sliding(64, 48, 32, 16, true, queries, func(n, tile int) []float32 { return randomNumbers(n, uint32(tile)) })
	m.Tiles[0].Logits[3] = float32(math.NaN())
	planes := make([][]float32, queries)
	for q := range planes {
		planes[q] = make([]float32, w*h)
		m.Plane(planes[q], w, h, q)
	}
	for _, r := range []Rule{{Classes: classes, Scale: 3}, {Classes: classes, Scale: 3, Bias: -1, Sigmoid: true}} {
		probability := m.Probabilities(w, h, r)
		got := make([]float32, w*h)
		for class := range 4 {
			probability(got, class)
			for i := range got {
				want, sum := 0.0, 0.0
				for q := range planes {
					if v := float64(planes[q][i]); v == v {
						sum += math.Exp(r.Scale * v)
					}
				}
				for q, c := range classes {
					v := float64(planes[q][i])
					p := math.Exp(r.Scale*v) / sum
					if r.Sigmoid {
						p = 1 / (1 + math.Exp(1-r.Scale*v))
					}
					if c == class && p > want {
						want = p
					}
				}
				if math.Abs(float64(got[i])-want) > 1e-6 {
					t.Fatalf("%+v: class %d at pixel %d has %v, want %v", r, class, i, got[i], want)
				}
			}
		}
	}
}
