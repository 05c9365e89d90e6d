package resample

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// spreadSlowly is the propagation in float64 over matrices written out.
func spreadSlowly(rgb []float32, w, h, reach int, tau float64, y []float32, alpha float64, steps int) []float64 {
	n := w * h
	lab := labOf(rgb, n)
	weights := make([][]float64, n)
	for i := range weights {
		weights[i] = make([]float64, n)
		for j := range n {
			if i == j || max(i/w-j/w, j/w-i/w) > reach || max(i%w-j%w, j%w-i%w) > reach {
				continue
			}
			d := 0.0
			for c := range 3 {
				d += math.Pow(float64(lab[i][c])-float64(lab[j][c]), 2)
			}
			weights[i][j] = math.Exp(-math.Sqrt(d) / tau)
		}
	}
	root := make([]float64, n)
	for i, row := range weights {
		for _, v := range row {
			root[i] += v
		}
		if root[i] = math.Sqrt(root[i]); root[i] == 0 {
			root[i] = 1
		}
	}
	system := func(x []float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = x[i]
			for j, v := range weights[i] {
				out[i] -= alpha * v / (root[i] * root[j]) * x[j]
			}
		}
		return out
	}
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	z, rest := make([]float64, n), make([]float64, n)
	for i, v := range y {
		rest[i] = float64(v)
	}
	direction := append([]float64{}, rest...)
	norm := dot(rest, rest)
	for range steps {
		image := system(direction)
		step := norm / (dot(direction, image) + 1e-30)
		for i := range z {
			z[i] += step * direction[i]
			rest[i] -= step * image[i]
		}
		next := dot(rest, rest)
		for i := range z {
			direction[i] = rest[i] + next/(norm+1e-30)*direction[i]
		}
		norm = next
	}
	return z
}

func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 9).Draw(t, "w"), rapid.IntRange(1, 9).Draw(t, "h")
		reach, steps := rapid.IntRange(1, 4).Draw(t, "reach"), rapid.IntRange(1, 6).Draw(t, "steps")
		tau := rapid.Float64Range(0.05, 1).Draw(t, "tau")
		queries := rapid.IntRange(1, 20).Draw(t, "queries")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rgb, maps := make([]float32, 3*w*h), make([]float32, w*h*queries)
		for i := range rgb {
			rgb[i] = float32(rng.IntN(256))
		}
		for i := range maps {
			maps[i] = rng.Float32()
		}
		s, err := NewSpread(rgb, w, h, reach, tau)
		if err != nil {
			t.Fatal(err)
		}
		got := append([]float32{}, maps...)
		s.Apply(got, queries, 0.95, steps)
		for q := range queries {
			plane := make([]float32, w*h)
			for i := range plane {
				plane[i] = maps[i*queries+q]
			}
			top := 0.0
			want := spreadSlowly(rgb, w, h, reach, tau, plane, 0.95, steps)
			for _, v := range want {
				top = max(top, math.Abs(v))
			}
			for i, v := range want {
				if d := math.Abs(float64(got[i*queries+q]) - v); !(d <= 1e-4*top) {
					t.Fatalf("query %d at %d: %v, want %v", q, i, got[i*queries+q], v)
				}
			}
		}
	})
}

// Lab of colours as a numpy program of kornia's constants gives it, over (100, 128, 128).
func TestLab(t *testing.T) {
	for rgb, want := range map[[3]float32][3]float64{
		{255, 255, 255}: {100, 0.00, 0.00}, {255, 0, 0}: {53.24, 80.09, 67.20}, {0, 0, 255}: {32.30, 79.19, -107.86},
		{10, 20, 30}: {5.95, -0.67, -8.14},
	} {
		lab := labOf(rgb[:], 1)[0]
		for c, over := range [3]float64{100, 128, 128} {
			if d := math.Abs(float64(lab[c])*over - want[c]); d > 0.05 {
				t.Errorf("%v: channel %d is %v, want %v", rgb, c, float64(lab[c])*over, want[c])
			}
		}
	}
}

func TestSpreadTooLarge(t *testing.T) {
	if _, err := NewSpread(make([]float32, 3*1025*1024), 1025, 1024, 6, 0.01); err == nil ||
		!strings.Contains(err.Error(), "choose a smaller size") {
		t.Errorf("error %v", err)
	}
}
