package resample

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sliding is a mosaic of windows on a canvas, with tokens of 16 pixels, as testdata/make.py has it.
func sliding(w, h, crop, stride int, pad bool, queries int, logits func(n, tile int) []float32) Mosaic {
	m := Mosaic{W: w, H: h, Queries: queries}
	for j := range max(h-crop+stride-1, 0)/stride + 1 {
		for i := range max(w-crop+stride-1, 0)/stride + 1 {
			x2, y2 := min(i*stride+crop, w), min(j*stride+crop, h)
			t := Tile{X: max(x2-crop, 0), Y: max(y2-crop, 0)}
			t.W, t.H = x2-t.X, y2-t.Y
			mw, mh := t.W, t.H
			if pad {
				mw, mh = (t.W+15)/16*16, (t.H+15)/16*16
				t.MapW, t.MapH, t.Left, t.Top = mw, mh, (mw-t.W)/2, (mh-t.H)/2
			}
			t.Cols, t.Rows = mw/16, mh/16
			t.Logits = logits(t.Cols*t.Rows*queries, len(m.Tiles))
			m.Tiles = append(m.Tiles, t)
		}
	}
	return m
}

func labelBytes(labels []uint16) (b []byte) {
	for _, v := range labels {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

// Expected: torch 2.15.0 with ATEN_CPU_CAPABILITY=default, testdata/make.py, which holds the whole canvas of all
// queries.
func TestMosaicEqualsTorch(t *testing.T) {
	for _, g := range readGoldens(t, "mosaic.json") {
		m := sliding(g.SW, g.SH, g.Window, g.Stride, g.Pad, g.Channels, func(n, tile int) []float32 {
			return randomNumbers(n, 1000*g.Seed+uint32(tile))
		})
		if len(m.Tiles) != g.Tiles {
			t.Fatalf("%v: %d tiles, want %d", g, len(m.Tiles), g.Tiles)
		}
		labels := make([]uint16, g.W*g.H)
		switch g.Op {
		case "argmax":
			m.Decode(labels, g.W, g.H, Rule{})
			g.check(t, labelBytes(labels))
		case "area":
			m.Decode(labels, g.W, g.H, Rule{Classes: []int{0, 0, 1, 2, 2, 3, 3}, Scale: 4, Threshold: 0.4, Area: 0.25})
			g.check(t, labelBytes(labels))
		case "planes":
			var all []float32
			for q := range g.Channels {
				plane := make([]float32, g.W*g.H)
				m.Plane(plane, g.W, g.H, q)
				all = append(all, plane...)
			}
			want, err := base64.StdEncoding.DecodeString(g.Raw)
			if err != nil || len(want) == 0 {
				t.Fatal(g, err)
			}
			step := 1 + len(all)/300
			for i := range len(want) / 4 {
				if v := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:])); !(math.Abs(float64(v-all[i*step])) <= 1e-6) {
					t.Errorf("%v: number %d is %v, want %v", g, i*step, all[i*step], v)
				}
			}
		default:
			t.Fatalf("%v is not known", g)
		}
	}
}

// planesPlain holds the canvas and the picture of every query.
func (m Mosaic) planesPlain(w, h int) [][]float32 {
	var out [][]float32
	for q := range m.Queries {
		canvas, count := make([]float32, m.W*m.H), make([]float32, m.W*m.H)
		for _, tile := range m.Tiles {
			mw, mh := tile.size()
			tokens := make([]float32, tile.Cols*tile.Rows)
			for i := range tokens {
				tokens[i] = tile.Logits[i*m.Queries+q]
			}
			pixels := make([]float32, mw*mh)
			Bilinear(pixels, mw, mh, tokens, tile.Cols, tile.Rows)
			for y := range tile.H {
				for x := range tile.W {
					at := (tile.Y+y)*m.W + tile.X + x
					canvas[at] += pixels[(tile.Top+y)*mw+tile.Left+x]
					count[at]++
				}
			}
		}
		for i := range canvas {
			canvas[i] /= count[i]
		}
		picture := make([]float32, w*h)
		Bilinear(picture, w, h, canvas, m.W, m.H)
		out = append(out, picture)
	}
	return out
}

// labelsPlain reads labels off whole planes.
func labelsPlain(planes [][]float32, r Rule) []uint16 {
	size := len(planes[0])
	barred := map[int]bool{}
	pass := func(threshold float64) []uint16 {
		var order []int // free queries by class
		for q := range planes {
			if !barred[r.class(q)] {
				order = append(order, q)
			}
		}
		sort.SliceStable(order, func(a, b int) bool { return r.class(order[a]) < r.class(order[b]) })
		labels := make([]uint16, size)
		for i := range labels {
			best, label := float32(math.Inf(-1)), 0
			for k, q := range order {
				if v := planes[q][i]; k == 0 || v > best {
					label = r.class(q)
					best = max(best, v)
					if v != v {
						best = float32(math.Inf(-1))
					}
				}
			}
			values := make([]float32, len(planes))
			for q := range planes {
				values[q] = planes[q][i]
			}
			if threshold > 0 && doubtfulPlain(r, values, best, label, barred) {
				label = 0
			}
			labels[i] = uint16(label)
		}
		return labels
	}
	if r.Area == 0 {
		return pass(r.Threshold)
	}
	counts, total := map[int]int{}, 0
	for _, c := range pass(0) {
		if c > 0 {
			counts[int(c)]++
			total++
		}
	}
	for q := range planes {
		if c := r.class(q); c > 0 {
			barred[c] = float64(counts[c]) <= r.Area*float64(total)
		}
	}
	return pass(r.Threshold)
}

func drawMosaic(t *rapid.T) (m Mosaic, w, h int) {
	size := func(name string, from, to int) int { return rapid.IntRange(from, to).Draw(t, name) }
	crop := size("crop", 16, 80)
	values := rapid.SampledFrom([]*rapid.Generator[float32]{
		rapid.SampledFrom([]float32{-1, 0, 0.5, 1}),
		rapid.Float32Range(-1, 1),
		rapid.Map(rapid.Float32Range(-1, 1), func(v float32) float32 { return 0.2 + v/100 }),
		rapid.SampledFrom([]float32{0, 1, -1, 3e38, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}),
	}).Draw(t, "values")
	m = sliding(size("W", 16, 120), size("H", 16, 120), crop, size("stride", 8, crop), rapid.Bool().Draw(t, "pad"),
		size("queries", 1, 9), func(n, _ int) []float32 {
			return rapid.SliceOfN(values, n, n).Draw(t, "logits")
		})
	return m, size("w", 1, 150), size("h", 1, 150)
}

func drawRule(t *rapid.T, queries int) (r Rule) {
	if rapid.Bool().Draw(t, "synonyms") {
		r.Classes = rapid.SliceOfN(rapid.IntRange(0, 4), queries, queries).Draw(t, "classes")
		r.Classes[0] = 0
	}
	if rapid.Bool().Draw(t, "threshold") {
		r.Scale = rapid.SampledFrom([]float64{0, 10, 40, 100}).Draw(t, "scale")
		r.Threshold = rapid.SampledFrom([]float64{1e-300, 0.1, 0.25, 0.5, 1}).Draw(t, "probability")
		r.Margin = rapid.Bool().Draw(t, "margin")
	}
	if rapid.Bool().Draw(t, "sigmoid") {
		r.Sigmoid, r.Margin, r.Bias = true, false, rapid.SampledFrom([]float64{0, -3, 2.5}).Draw(t, "bias")
	}
	if rapid.Bool().Draw(t, "small classes") {
		r.Area = rapid.SampledFrom([]float64{0.01, 0.1, 0.4, 0.9}).Draw(t, "area")
	}
	return r
}

func TestMosaicEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, w, h := drawMosaic(t)
		r := drawRule(t, m.Queries)
		planes := m.planesPlain(w, h)
		got := make([]uint16, w*h)
		m.Decode(got, w, h, r)
		low, high := aroundPlain(r, func(r Rule) []uint16 { return labelsPlain(planes, r) })
		for i, v := range got {
			if v != low[i] && v != high[i] {
				t.Fatalf("%+v: label %d is %d, want %d or %d", r, i, v, low[i], high[i])
			}
		}
		plane := make([]float32, w*h)
		m.Plane(plane, w, h, m.Queries-1)
		for i, want := range planes[m.Queries-1] {
			if math.Float32bits(plane[i]) != math.Float32bits(want) && want == want {
				t.Fatalf("number %d is %v, want %v", i, plane[i], want)
			}
		}
	})
}

// One map decoded by cells and as a mosaic of one tile gives the same labels.
func TestWholeEqualsDecode(t *testing.T) {
	const cols, rows, queries, w, h = 9, 7, 12, 150, 101
	logits := scene(cols, rows, queries, 3)
	for _, r := range []Rule{{}, {Scale: 30, Threshold: 0.3}, {Scale: 30, Threshold: 0.3, Margin: true}} {
		got, want := make([]uint16, w*h), make([]uint16, w*h)
		Whole(logits, cols, rows, queries, w, h).Decode(got, w, h, r)
		r.Decode(want, w, h, logits, cols, rows, queries)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%+v: labels differ", r)
		}
	}
}

func TestRefineEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, w, h := drawMosaic(t)
		for i, tile := range m.Tiles { // refined infinities are the subject of no protocol
			for k, v := range tile.Logits {
				if !(v > -10 && v < 10) {
					m.Tiles[i].Logits[k] = 0.25
				}
			}
		}
		for q := 1; q < m.Queries; q++ { // some queries are others, a little or much larger or smaller
			by := rapid.SampledFrom([]float32{0, -1e-6, 1e-7, 1e-6, 1e-5, -0.5, 0.5}).Draw(t, "by")
			of := rapid.IntRange(0, q).Draw(t, "of")
			for _, tile := range m.Tiles {
				for at := 0; of < q && at < len(tile.Logits); at += m.Queries {
					other := tile.Logits[at+rapid.SampledFrom([]int{of, of, of, 0}).Draw(t, "other")]
					tile.Logits[at+q] = (tile.Logits[at+of]+other)/2 + by*rapid.SampledFrom([]float32{1, 1, 1, 1.5}).Draw(t, "times")
				}
			}
		}
		r := drawRule(t, m.Queries)
		p := NewPAMR(planes(w, h, 3, rapid.Uint32().Draw(t, "image")), w, h)
		refined := m.planesPlain(w, h)
		for _, plane := range refined {
			p.Apply(plane, 3)
		}
		got := make([]uint16, w*h)
		m.Refine(got, w, h, r, p, 3)
		// A probability as near to the threshold as sums of exponentials are inexact may lie on either side.
		below, above := r, r
		below.Threshold *= 1 - 4e-6
		above.Threshold *= 1 + 4e-6
		low, high := labelsPlain(refined, below), labelsPlain(refined, above)
		for i, v := range got {
			if v != low[i] && v != high[i] {
				t.Fatalf("%+v: label %d is %d, want %d or %d", r, i, v, low[i], high[i])
			}
		}
	})
}

// A query that is second at every token wins what is refined of two that take turns. One below another never wins, nor
// one below the mean of those two.
func TestContenders(t *testing.T) {
	const cols, rows, w, h = 10, 8, 80, 64
	refined := NewPAMR(make([]float32, w*h), w, h)
	for _, c := range []struct {
		last float32
		want []int // of queries
		wins int
	}{{0.5, []int{1, 2, 3}, 3}, {-0.5, []int{1, 2}, 2}} {
		var logits []float32
		for i := range cols * rows {
			turn := float32((i+i/cols)%2*2 - 1)
			logits = append(logits, c.last-0.1, turn, 0.1-turn, c.last)
		}
		m := Whole(logits, cols, rows, 4, w, h)
		if got := m.layout(w, h).contenders([]int{0, 1, 2, 3}, 10); !slices.Equal(got, c.want) {
			t.Errorf("queries %v can win, want %v", got, c.want)
		}
		labels := make([]uint16, w*h)
		m.Refine(labels, w, h, Rule{}, refined, 10)
		if at := h/2*w + w/2; int(labels[at]) != c.wins {
			t.Errorf("the middle has label %d, want %d", labels[at], c.wins)
		}
	}
}

// Labels do not depend on the cores, nor on the functions of lanes_amd64.s.
func TestRefineIsOne(t *testing.T) {
	const w, h, queries = 150, 101, 41
	m := Whole(scene(9, 7, queries, 3), 9, 7, queries, w, h)
	p := NewPAMR(planes(w, h, 3, 5), w, h)
	for _, r := range []Rule{{}, {Scale: 30, Threshold: 0.05}, {Scale: 30, Threshold: 0.05, Area: 0.1},
		{Scale: 30, Threshold: 0.001, Area: 0.1, Margin: true}} {
		refine := func(cores int, scalar bool) []uint16 {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			if scalar {
				defer withoutVectors()()
			}
			labels := make([]uint16, w*h)
			m.Refine(labels, w, h, r, p, 4)
			return labels
		}
		want := refine(1, true)
		if slices.Max(want) == slices.Min(want) {
			t.Errorf("%+v: one label only tests nothing", r)
		}
		if !slices.Equal(refine(4, true), want) {
			t.Errorf("%+v: labels depend on the cores", r)
		}
		if !slices.Equal(refine(3, false), want) {
			t.Errorf("%+v: labels depend on vectors", r)
		}
	}
}

// Pruning and groups of planes where they have something to do, at the sizes of the benchmarks.
func TestMosaicScenes(t *testing.T) {
	for _, c := range []struct {
		name                             string
		w, h, crop, stride, pw, ph, n, k int
		rule                             Rule
	}{
		{"VOC21, SCLIP", 448, 336, 224, 112, 500, 375, 56, 21, Rule{Scale: 65, Threshold: 0.1, Area: 0.1}},
		{"Stuff, SCLIP", 597, 448, 224, 112, 320, 240, 171, 171, Rule{Scale: 40}},
		{"Object, ClearCLIP", 597, 448, 448, 224, 400, 300, 81, 81, Rule{Scale: 50, Threshold: 0.06}},
	} {
		for i := range c.n {
			c.rule.Classes = append(c.rule.Classes, max(0, i-c.n+c.k))
		}
		m := sliding(c.w, c.h, c.crop, c.stride, false, c.n, func(n, tile int) []float32 { return nil })
		stitchScene(&m)
		got := make([]uint16, c.pw*c.ph)
		m.Decode(got, c.pw, c.ph, c.rule)
		planes := m.planesPlain(c.pw, c.ph)
		if n := differing(got, labelsPlain(planes, c.rule)); n > 0 {
			t.Errorf("%s: %d of %d labels differ", c.name, n, len(got))
		}
		if slices.Max(got) == slices.Min(got) {
			t.Errorf("%s: one label only tests nothing", c.name)
		}
	}
}

// stitchScene fills the tiles of a mosaic with windows of one scene, which differ a little where they overlap.
func stitchScene(m *Mosaic) {
	cols, rows := (m.W+15)/16, (m.H+15)/16
	whole := scene(cols, rows, m.Queries, 1)
	for i := range m.Tiles {
		t := &m.Tiles[i]
		t.Logits = make([]float32, t.Cols*t.Rows*m.Queries)
		noise := randomNumbers(len(t.Logits), uint32(i))
		for k := range t.Logits {
			token, q := k/m.Queries, k%m.Queries
			x, y := min(t.X/16+token%t.Cols, cols-1), min(t.Y/16+token/t.Cols, rows-1)
			t.Logits[k] = whole[(y*cols+x)*m.Queries+q] + 0.005*noise[k]
		}
	}
}

func BenchmarkMosaic(b *testing.B) {
	for _, c := range []struct {
		name                          string
		w, h, crop, stride, pw, ph, n int
		rule                          Rule
	}{
		{"Stuff 171", 597, 448, 224, 112, 640, 480, 171, Rule{}},
		{"VOC21 56 threshold", 448, 336, 224, 112, 500, 375, 56, Rule{Scale: 65, Threshold: 0.1, Area: 0.1}},
		{"Object 113 threshold", 448, 336, 224, 112, 640, 480, 113, Rule{Scale: 50, Threshold: 0.1}},
		{"Cityscapes 19", 1120, 560, 224, 112, 2048, 1024, 19, Rule{}},
		{"Cityscapes size, 171", 1120, 560, 224, 112, 2048, 1024, 171, Rule{}},
	} {
		m := sliding(c.w, c.h, c.crop, c.stride, false, c.n, func(n, _ int) []float32 { return nil })
		stitchScene(&m)
		dst := make([]uint16, c.pw*c.ph)
		b.Run(c.name+"/fused", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Decode(dst, c.pw, c.ph, c.rule)
			}
		})
		b.Run(c.name+"/planes", func(b *testing.B) { // every query at the size of the picture, one after the other, undecoded
			plane := make([]float32, c.pw*c.ph)
			l := m.layout(c.pw, c.ph)
			var s buffers
			for b.Loop() {
				for q := range c.n {
					l.plane(plane, m.query(q), &s)
				}
			}
		})
	}
}

// Refinement at the size of Cityscapes with the classes of COCO-Stuff: time, and memory that does not grow with the
// classes.
func BenchmarkRefine(b *testing.B) {
	for _, c := range []struct {
		name                          string
		w, h, crop, stride, pw, ph, n int
	}{
		{"Stuff 171", 597, 448, 224, 112, 640, 480, 171},
		{"Cityscapes size, 19", 1120, 560, 224, 112, 2048, 1024, 19},
		{"Cityscapes size, 171", 1120, 560, 224, 112, 2048, 1024, 171},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := sliding(c.w, c.h, c.crop, c.stride, false, c.n, func(n, _ int) []float32 { return nil })
			stitchScene(&m)
			p := NewPAMR(planes(c.pw, c.ph, 3, 1), c.pw, c.ph)
			dst := make([]uint16, c.pw*c.ph)
			b.ReportAllocs()
			for b.Loop() {
				m.Refine(dst, c.pw, c.ph, Rule{}, p, 10)
			}
		})
	}
}
