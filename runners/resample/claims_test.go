package resample

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// softmaxPlain is the softmax of scale times the values of all planes at a pixel, and the best of them.
func softmaxPlain(planes [][]float32, pixel int, scale float64) (p []float64, best int) {
	sum := 0.0
	for q := range planes {
		p = append(p, math.Exp(scale*float64(planes[q][pixel])))
		sum += p[q]
		if planes[q][pixel] > planes[best][pixel] {
			best = q
		}
	}
	for q := range p {
		p[q] /= sum
	}
	return p, best
}

// drawExperts are a reading of one picture by all queries, and one of each class's expert: queries and rule are theirs.
func drawExperts(t *rapid.T) (plain Mosaic, experts []Mosaic, r Rule, w, h int) {
	queries := rapid.IntRange(1, 6).Draw(t, "queries")
	values := rapid.SampledFrom([]*rapid.Generator[float32]{
		rapid.SampledFrom([]float32{-1, 0, 0.5, 1}),
		rapid.Map(rapid.Float32Range(-1, 1), func(v float32) float32 { return 0.2 + v/20 }),
	}).Draw(t, "values")
	size := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
	W, H, crop := size("W", 16, 90), size("H", 16, 90), size("crop", 16, 60)
	stride, pad := size("stride", 8, crop), rapid.Bool().Draw(t, "pad")
	draw := func() Mosaic {
		return sliding(W, H, crop, stride, pad, queries, func(n, _ int) []float32 {
			return rapid.SliceOfN(values, n, n).Draw(t, "logits")
		})
	}
	r = Rule{Scale: rapid.SampledFrom([]float64{1, 10, 40, 100}).Draw(t, "scale")}
	if rapid.Bool().Draw(t, "synonyms") {
		r.Classes = rapid.SliceOfN(rapid.IntRange(0, 3), queries, queries).Draw(t, "classes")
		slices.Sort(r.Classes)
	}
	plain = draw()
	for range r.class(queries-1) + 1 {
		experts = append(experts, draw())
	}
	return plain, experts, r, size("w", 1, 100), size("h", 1, 100)
}

// Claims are those of FLOSS, section 3, pixel by pixel: of the experts whose best query is of their own class the one
// of the highest probability has the pixel, and the reading without experts where there is none.
func TestClaimsEqualPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, experts, r, w, h := drawExperts(t)
		threshold := rapid.SampledFrom([]float64{0, 0.3, 0.9}).Draw(t, "threshold")
		got := make([]uint16, w*h)
		plain.Decode(got, w, h, r)
		want := slices.Clone(got)
		c := NewClaims(w, h)
		for class, m := range experts {
			c.Hear(m, r, class)
		}
		c.Settle(got, threshold)
		var planes [][][]float32
		for _, m := range experts {
			planes = append(planes, m.planesPlain(w, h))
		}
		for i := range want {
			sure, close := 0.0, false
			for class, own := range planes {
				p, best := softmaxPlain(own, i, r.Scale)
				if r.class(best) != class {
					continue
				}
				close = close || math.Abs(p[best]-sure) < 1e-6 || math.Abs(p[best]-threshold) < 1e-6
				if p[best] <= sure {
					continue
				}
				if sure, want[i] = p[best], uint16(class); sure < threshold {
					want[i] = 0
				}
			}
			if !close && got[i] != want[i] {
				t.Fatalf("pixel %d is %d, want %d", i, got[i], want[i])
			}
		}
	})
}

// An expert for each class with the texts of the reading without experts changes nothing.
func TestClaimsOfOneReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, experts, r, w, h := drawExperts(t)
		want := make([]uint16, w*h)
		plain.Decode(want, w, h, r)
		got := make([]uint16, w*h)
		c := NewClaims(w, h)
		for class := range experts {
			c.Hear(plain, r, class)
		}
		c.Settle(got, 0)
		if !slices.Equal(got, want) {
			t.Fatal("labels differ")
		}
	})
}

func TestEntropyEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _, r, w, h := drawExperts(t)
		planes := m.planesPlain(w, h)
		var want, got [6]float64 // sums by class
		for i := range w * h {
			p, best := softmaxPlain(planes, i, r.Scale)
			entropy := 0.0
			for _, x := range p {
				if x > 0 {
					entropy -= x * math.Log(x)
				}
			}
			want[r.class(best)] += entropy
		}
		n := 0
		m.Entropy(w, h, r, func(class int, nats float64) {
			got[class] += nats
			n++
		})
		if n != w*h {
			t.Fatalf("%d of %d pixels", n, w*h)
		}
		for c := range want {
			if math.Abs(got[c]-want[c]) > 1e-5*(1+want[c]) {
				t.Fatalf("class %d: entropies of %v, want %v", c, got[c], want[c])
			}
		}
	})
}

// BenchmarkClaims is a picture of COCO-Stuff in windows of 224, as 171 experts read it; plain is one reading.
func BenchmarkClaims(b *testing.B) {
	const w, h, queries = 640, 480, 171
	experts := make([]Mosaic, queries)
	for k := range experts {
		experts[k] = sliding(448, 336, 224, 112, false, queries, func(int, int) []float32 { return nil })
		stitchScene(&experts[k])
		for _, t := range experts[k].Tiles { // as other templates say it
			for j := range t.Logits {
				t.Logits[j] += 0.01 * float32((j%queries*7+k*13)%11)
			}
		}
	}
	r := Rule{Scale: 40}
	labels := make([]uint16, w*h)
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			experts[0].Decode(labels, w, h, r)
		}
	})
	b.Run("experts", func(b *testing.B) {
		for b.Loop() {
			c := NewClaims(w, h)
			for k, m := range experts {
				c.Hear(m, r, k)
			}
			c.Settle(labels, 0)
		}
	})
	b.Run("entropy", func(b *testing.B) { // of one template, at every 4th pixel
		for b.Loop() {
			experts[0].Entropy(w/4, h/4, r, func(int, float64) {})
		}
	})
}
