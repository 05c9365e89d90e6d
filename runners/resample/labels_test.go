package resample

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// decodePlain is Rule.Decode as one would write it: every query as a plane of pixels, the
// softmax at every pixel, the maximum within each class, the argmax over classes.
func decodePlain(r Rule, dst []uint16, w, h int, logits []float32, sw, sh, queries int) {
	planes := make([][]float32, queries)
	plane := make([]float32, sw*sh)
	for q := range planes {
		for i := range plane {
			plane[i] = logits[i*queries+q]
		}
		planes[q] = make([]float32, w*h)
		Bilinear(planes[q], w, h, plane, sw, sh)
	}
	class := make([]int, queries)
	for q := range class {
		class[q] = q
		if r.Classes != nil {
			class[q] = r.Classes[q]
		}
	}
	for i := range dst {
		best, label := float32(math.Inf(-1)), slices.Min(class)
		for q := range planes {
			if v := planes[q][i]; v > best || v == best && class[q] < label {
				best, label = v, class[q]
			}
		}
		dst[i] = uint16(label)
		if !(r.Threshold > 0) {
			continue
		}
		values := make([]float32, queries)
		for q := range planes {
			values[q] = planes[q][i]
		}
		if doubtfulPlain(r, values, best, label, nil) {
			dst[i] = 0
		}
	}
}

// doubtfulPlain is the rule about background as it is printed, on the values of a pixel won by a class.
func doubtfulPlain(r Rule, values []float32, best float32, class int, barred map[int]bool) bool {
	scale := r.Scale
	if scale == 0 {
		scale = 1
	}
	sum, next := 0.0, 0.0
	for q, v := range values {
		if v != v {
			continue
		}
		e := math.Exp(scale * (float64(v) - float64(best)))
		sum += e
		if c := r.class(q); c != class && !barred[c] {
			next = max(next, e)
		}
	}
	switch {
	case r.Sigmoid:
		return 1/(1+math.Exp(-r.scale()*float64(best)-r.Bias)) < r.Threshold
	case !r.Margin:
		return sum*r.Threshold > 1 // probability 1/sum < threshold
	}
	p1, p2 := 1/sum, next/sum
	return p1*math.Sqrt(max(p1-p2, 0)) < math.Pow(r.Threshold, 1.25)
}

// scene makes logits as a network does: regions with a favourite class each, noise, and
// cosines around 0.2. Token-major [sh*sw, queries].
func scene(sw, sh, queries int, seed uint32) []float32 {
	random := randomNumbers(sw*sh*queries+100, seed)
	noise, random := random[100:], random[:100]
	out := make([]float32, sw*sh*queries)
	const regions = 12
	for y := range sh {
		for x := range sw {
			nearest, at := 0, math.Inf(1)
			for r := range regions {
				cx, cy := float64(random[4*r]+1)/2*float64(sw), float64(random[4*r+1]+1)/2*float64(sh)
				if d := math.Hypot(cx-float64(x), cy-float64(y)); d < at {
					nearest, at = r, d
				}
			}
			token := out[(y*sw+x)*queries:][:queries]
			for q := range token {
				token[q] = 0.2 + 0.01*noise[(y*sw+x)*queries+q]
			}
			token[int((random[4*nearest+2]+1)/2*float32(queries-1))] += 0.03
			token[int((random[4*nearest+3]+1)/2*float32(queries-1))] += 0.02
		}
	}
	return out
}

// The fused decoder equals the plain one: sizes up and down, ties, many queries per
// class in any order, thresholds that are hit exactly, and numbers that are none.
func TestDecodeEqualsPlain(t *testing.T) { rapid.Check(t, checkDecode) }

func FuzzDecode(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkDecode)) }

func checkDecode(t *rapid.T) {
	size := func(name string, most int) int { return rapid.IntRange(1, most).Draw(t, name) }
	sw, sh, w, h, queries := size("sw", 6), size("sh", 6), size("w", 40), size("h", 40), size("queries", 9)
	logits := make([]float32, sw*sh*queries)
	values := rapid.SampledFrom([]*rapid.Generator[float32]{
		rapid.SampledFrom([]float32{-1, -0.5, 0, 0.5, 1}),
		rapid.Float32Range(-1, 1),
		rapid.Map(rapid.Float32Range(-1, 1), func(v float32) float32 { return 0.2 + v/100 }),
		rapid.Map(rapid.Float32Range(-1, 1), func(v float32) float32 { return v * 1e-44 }),
		rapid.Float32(),
		rapid.SampledFrom([]float32{0, 1, -1, 3e38, -3e38, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}),
	}).Draw(t, "values")
	for i := range logits {
		logits[i] = values.Draw(t, "logit")
	}
	var r Rule
	if rapid.Bool().Draw(t, "synonyms") {
		r.Classes = rapid.SliceOfN(rapid.IntRange(0, 4), queries, queries).Draw(t, "classes")
	}
	if rapid.Bool().Draw(t, "threshold") {
		r.Scale = rapid.SampledFrom([]float64{0, 1, 10, 40, 100}).Draw(t, "scale")
		r.Threshold = rapid.OneOf(rapid.SampledFrom([]float64{1e-300, 0.25, 0.5, 1}), rapid.Float64Range(0, 1)).Draw(t,
			"threshold")
		r.Margin = rapid.Bool().Draw(t, "margin")
	}
	if rapid.Bool().Draw(t, "sigmoid") {
		r.Sigmoid, r.Margin, r.Bias = true, false, rapid.SampledFrom([]float64{0, -3, 2.5}).Draw(t, "bias")
	}
	got := make([]uint16, w*h)
	r.Decode(got, w, h, logits, sw, sh, queries)
	low, high := aroundPlain(r, func(r Rule) []uint16 {
		want := make([]uint16, w*h)
		decodePlain(r, want, w, h, logits, sw, sh, queries)
		return want
	})
	for i, v := range got {
		if v != low[i] && v != high[i] {
			t.Fatalf("%+v: label %d is %d, want %d or %d", r, i, v, low[i], high[i])
		}
	}
}

// Where pruning could go wrong: neighbouring floats, whose order rounding turns
// around; sums that overflow; infinities without weight.
func TestDecodeEqualsPlainAtTheEdges(t *testing.T) {
	inf := float32(math.Inf(1))
	near := func(v float32, ulps int32) float32 {
		return math.Float32frombits(uint32(int32(math.Float32bits(v)) + ulps))
	}
	palettes := map[string][]float32{
		"neighbours": {near(0.3, -1), 0.3, near(0.3, 1), near(0.3, 2)},
		"subnormal":  {0, 1e-45, 3e-45, -1e-45},
		"huge":       {math.MaxFloat32, near(math.MaxFloat32, -1), -math.MaxFloat32, 1},
		"infinite":   {inf, 0, 1, 2, 3, 4},
		"minus":      {-inf, 0, 1, 2},
		"none":       {float32(math.NaN()), inf, -inf, 1},
	}
	const sw, sh, w, h, queries = 3, 2, 29, 17, 4
	got, want := make([]uint16, w*h), make([]uint16, w*h)
	for name, palette := range palettes {
		for _, rule := range []Rule{{}, {Classes: []int{3, 1, 2, 1}}, {Scale: 1, Threshold: 0.3}} {
			for seed := range uint32(300) {
				logits := make([]float32, sw*sh*queries)
				for i, v := range stream(len(logits), seed*1000) {
					logits[i] = palette[int(v>>8)%len(palette)]
				}
				rule.Decode(got, w, h, logits, sw, sh, queries)
				decodePlain(rule, want, w, h, logits, sw, sh, queries)
				if n := differing(got, want); n != 0 {
					t.Errorf("%s, %+v, seed %d: %d of %d labels differ", name, rule, seed, n, len(want))
					break
				}
			}
		}
	}
}

// aroundPlain is what a plain way gives at the rule's threshold, and where a margin computes it in another order on
// either side of it.
func aroundPlain(r Rule, plain func(Rule) []uint16) (low, high []uint16) {
	if !r.Margin {
		low = plain(r)
		return low, low
	}
	below, above := r, r
	below.Threshold, above.Threshold = r.Threshold*(1-1e-9), r.Threshold*(1+1e-9)
	return plain(below), plain(above)
}

// What stands in Decode's documentation on numbers that are none.
func TestDecodeOddNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		rule   Rule
		logits []float32
		want   uint16
	}{
		{"NaN never wins", Rule{}, []float32{nan, -5, -6}, 1},
		{"only NaN", Rule{}, []float32{nan, nan, nan}, 0},
		{"only NaN, classes from 3", Rule{Classes: []int{4, 3, 3}}, []float32{nan, nan, nan}, 3},
		{"-Inf never wins", Rule{}, []float32{-inf, -5, -6}, 1},
		{"+Inf wins", Rule{}, []float32{1, 2, inf}, 2},
		{"NaN is not in the softmax", Rule{Threshold: 0.6}, []float32{nan, 1, 1}, 0},
		{"softmax not a number", Rule{Threshold: 1}, []float32{0, inf, inf}, 1},
		{"first of equal classes", Rule{Classes: []int{2, 1, 1}}, []float32{1, 1, 0}, 1},
		{"probability equal to the threshold", Rule{Threshold: 0.5}, []float32{-inf, 1, 1}, 1},
		{"probability below the threshold", Rule{Threshold: 0.51}, []float32{-inf, 1, 1}, 0},
		{"scale sharpens", Rule{Threshold: 0.51, Scale: 100}, []float32{-inf, 1, 0.9}, 1},
		{"margin: no other class", Rule{Classes: []int{1, 1}, Threshold: 0.4, Margin: true}, []float32{1, 1}, 1},
		{"margin: two alike", Rule{Threshold: 0.01, Margin: true}, []float32{-inf, 1, 1}, 0},
		// p = 0.6, p' = 0.3: 0.6 √0.3 = 0.329 = 0.411^1.25
		{"margin above", Rule{Threshold: 0.410, Margin: true}, []float32{-2.302585, -1.203973, -0.510826}, 2},
		{"margin below", Rule{Threshold: 0.412, Margin: true}, []float32{-2.302585, -1.203973, -0.510826}, 0},
		{"margin within a class", Rule{Classes: []int{0, 1, 1}, Threshold: 0.50, Margin: true},
			[]float32{-2.302585, -1.203973, -0.510826}, 1}, // 0.6 √0.5 = 0.424 = 0.503^1.25
		{"synonyms share no probability", Rule{Classes: []int{0, 1, 1}, Threshold: 0.5}, []float32{0, 1, 1}, 0},
	} {
		got := []uint16{9, 9, 9, 9} // in the last one all four corners have weight
		c.rule.Decode(got, 2, 2, c.logits, 1, 1, len(c.logits))
		if got[3] != c.want {
			t.Errorf("%s: label %d, want %d", c.name, got[3], c.want)
		}
	}
}

func TestRuleCheck(t *testing.T) {
	for _, c := range []struct {
		rule    Rule
		queries int
		want    string // "" for none
	}{
		{Rule{}, 1, ""},
		{Rule{Classes: []int{0, 65535}, Scale: 100, Threshold: 1}, 2, ""},
		{Rule{}, 0, "0 queries: at least one is needed"},
		{Rule{}, 65537, "65537 queries are more classes than a label map holds (65536)"},
		{Rule{Classes: []int{1}}, 2, "2 queries, but the class of 1 is given"},
		{Rule{Classes: []int{0, -1}}, 2, "query 1 has class -1: 0 to 65535 fit a label map"},
		{Rule{Classes: []int{65536}}, 1, "query 0 has class 65536: 0 to 65535 fit a label map"},
		{Rule{Scale: -1}, 1, "scale -1: a positive number is needed"},
		{Rule{Scale: math.Inf(1)}, 1, "scale +Inf: a positive number is needed"},
		{Rule{Threshold: math.NaN()}, 1, "threshold NaN: a probability from 0 to 1 is needed"},
		{Rule{Threshold: 1.5}, 1, "threshold 1.5: a probability from 0 to 1 is needed"},
	} {
		got := ""
		if err := c.rule.Check(c.queries); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v with %d queries: %q, want %q", c.rule, c.queries, got, c.want)
		}
	}
}

// The same at the sizes of the benchmarks, where pruning has something to do.
func TestDecodeEqualsPlainOnScenes(t *testing.T) {
	for _, c := range []struct {
		sw, sh, w, h, queries int
		rule                  Rule
	}{
		{37, 28, 640, 480, 60, Rule{}},
		{32, 32, 500, 375, 171, Rule{}},
		{32, 32, 97, 61, 21, Rule{Scale: 100, Threshold: 0.3}},
		{32, 32, 97, 61, 21, Rule{Scale: 100, Threshold: 0.3, Margin: true}},
		{28, 28, 333, 500, 33, Rule{Scale: 40, Threshold: 0.06}},
		{14, 14, 448, 448, 21, Rule{Scale: 100, Threshold: 0.5}},
		{14, 14, 97, 61, 21, Rule{Scale: 100, Bias: -24, Sigmoid: true, Threshold: 0.3}},
		{64, 48, 31, 33, 21, Rule{Scale: 100, Threshold: 0.5}},
	} {
		logits := scene(c.sw, c.sh, c.queries, 1)
		got, want := make([]uint16, c.w*c.h), make([]uint16, c.w*c.h)
		c.rule.Decode(got, c.w, c.h, logits, c.sw, c.sh, c.queries)
		decodePlain(c.rule, want, c.w, c.h, logits, c.sw, c.sh, c.queries)
		if n := differing(got, want); n != 0 {
			t.Errorf("%+v: %d of %d labels differ", c, n, len(want))
		}
		if slices.Max(want) == slices.Min(want) {
			t.Errorf("%+v: the scene has one label only and tests nothing", c)
		}
	}
}

func differing(a, b []uint16) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func BenchmarkDecode(b *testing.B) {
	voc := Rule{Scale: 40, Threshold: 0.1}
	for _, c := range []struct {
		sw, sh, w, h, queries int
		rule                  Rule
	}{
		{37, 28, 640, 480, 171, Rule{}},
		{32, 32, 2048, 1024, 171, Rule{}},
		{128, 64, 2048, 1024, 171, Rule{}},
		{128, 64, 2048, 1024, 19, Rule{}},
		{32, 32, 500, 375, 21, Rule{}},
		{32, 32, 500, 375, 60, voc},
		{32, 32, 500, 375, 60, Rule{Scale: 100, Threshold: 0.3}},
		{32, 32, 500, 375, 60, Rule{Scale: 100, Threshold: 0.3, Margin: true}},
		{128, 64, 2048, 1024, 171, Rule{Scale: 100, Threshold: 0.2}},
	} {
		logits := scene(c.sw, c.sh, c.queries, 1)
		dst := make([]uint16, c.w*c.h)
		name := fmt.Sprintf("%dx%d-%dx%d-%d-%g-%v", c.sw, c.sh, c.w, c.h, c.queries, c.rule.Threshold, c.rule.Margin)
		b.Run(name+"/fused", func(b *testing.B) {
			for b.Loop() {
				c.rule.Decode(dst, c.w, c.h, logits, c.sw, c.sh, c.queries)
			}
		})
		b.Run(name+"/plain", func(b *testing.B) {
			if testing.Short() || c.queries*c.w*c.h > 1<<27 {
				b.Skip("planes of more than 512 MiB")
			}
			for b.Loop() {
				decodePlain(c.rule, dst, c.w, c.h, logits, c.sw, c.sh, c.queries)
			}
		})
	}
}

func TestRoughExp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 0).Draw(t, "x")
		if got, want := roughExp(x), math.Exp(x); math.Abs(got-want) > 1e-8*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	})
	for _, x := range []float64{-1000, math.Inf(-1), math.NaN()} {
		if got, want := roughExp(x), math.Exp(x); math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
}
