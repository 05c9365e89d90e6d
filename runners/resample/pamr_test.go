package resample

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// planes are n channels of the numbers that testdata/make.py lays out channels last.
func planes(w, h, n int, seed uint32) []float32 {
	last := randomNumbers(w*h*n, seed)
	out := make([]float32, len(last))
	for i := range w * h {
		for k := range n {
			out[k*w*h+i] = last[i*n+k]
		}
	}
	return out
}

// Expected numbers: torch 2.15.0, testdata/make.py; the published module (pamr.py of NACLIP and SCLIP, after Araslanov
// and Roth) gives them within 4e-7.
func TestPAMREqualsTorch(t *testing.T) {
	for _, g := range readGoldens(t, "pamr.json") {
		got := planes(g.W, g.H, g.Channels, g.Seed+100)
		NewPAMR(planes(g.W, g.H, 3, g.Seed), g.W, g.H).Apply(got, g.Iterations)
		raw, err := base64.StdEncoding.DecodeString(g.Raw)
		if err != nil {
			t.Fatal(err)
		}
		step := 1 + len(got)/700
		if len(raw) != 4*((len(got)+step-1)/step) {
			t.Fatalf("%v: %d bytes for %d numbers", g, len(raw), len(got))
		}
		for i := 0; i < len(got); i += step {
			want := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i/step):]))
			if d := math.Abs(float64(got[i] - want)); !(d <= 3e-6) {
				t.Errorf("%v: number %d is %v, want %v", g, i, got[i], want)
				break
			}
		}
	}
}

// pamrPlain is PAMR as its formula reads, in float64 and pixel by pixel.
func pamrPlain(planes, image []float32, w, h, channels, iterations int) {
	at := func(x, y int) int { return min(max(y, 0), h-1)*w + min(max(x, 0), w-1) }
	around := func(x, y int) (out []int) {
		for _, d := range []int{8, 16} {
			for _, s := range [][2]int{{-1, -1}, {0, -1}, {1, -1}, {-1, 0}, {1, 0}, {-1, 1}, {0, 1}, {1, 1}} {
				out = append(out, at(x+s[0]*d, y+s[1]*d))
			}
		}
		return out
	}
	weights := make([][]float64, w*h)
	for i := range weights {
		others := around(i%w, i/w)
		weights[i] = make([]float64, len(others))
		for c := range channels {
			plane := image[c*w*h:]
			sum, squares := 0.0, 0.0
			for _, k := range append([]int{i, i}, others...) {
				sum += float64(plane[k]) / 18
			}
			for _, k := range append([]int{i, i}, others...) {
				squares += (float64(plane[k]) - sum) * (float64(plane[k]) - sum)
			}
			for n, k := range others {
				weights[i][n] -= math.Abs(float64(plane[i])-float64(plane[k])) / (1e-8 +
					0.1*math.Sqrt(squares/17)) / float64(channels)
			}
		}
		total := 0.0
		top := slices.Max(weights[i])
		for n, v := range weights[i] {
			weights[i][n] = math.Exp(v - top)
			total += weights[i][n]
		}
		for n := range weights[i] {
			weights[i][n] /= total
		}
	}
	for first := 0; first < len(planes); first += w * h {
		now, next := make([]float64, w*h), make([]float64, w*h)
		for i := range now {
			now[i] = float64(planes[first+i])
		}
		for range iterations {
			for i := range next {
				next[i] = 0
				for n, k := range around(i%w, i/w) {
					next[i] += weights[i][n] * now[k]
				}
			}
			now, next = next, now
		}
		for i, v := range now {
			planes[first+i] = float32(v)
		}
	}
}

func TestPAMREqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string, most int) int { return rapid.IntRange(1, most).Draw(t, name) }
		w, h, n, channels := size("w", 45), size("h", 45), size("planes", 9), size("channels", 4)
		iterations, seed := rapid.IntRange(0, 12).Draw(t, "iterations"), rapid.Uint32().Draw(t, "seed")
		image := planes(w, h, channels, seed)
		if rapid.Bool().Draw(t, "flat") { // few colours: many differences and deviations are 0
			for i, v := range image {
				image[i] = float32(math.Round(float64(v)))
			}
		}
		got := planes(w, h, n, seed+1)
		want := slices.Clone(got)
		NewPAMR(image, w, h).Apply(got, iterations)
		pamrPlain(want, image, w, h, channels, iterations)
		for i := range want {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= 5e-6) {
				t.Fatalf("number %d of %d planes of %dx%d: %v, want %v", i, n, w, h, got[i], want[i])
			}
		}
	})
}

// A mean of equal numbers is that number; planes do not see each other, nor the cores they are worked on.
func TestPAMRLaws(t *testing.T) {
	const w, h, n = 70, 53, 6
	p := NewPAMR(planes(w, h, 3, 1), w, h)
	flat := slices.Repeat([]float32{0.75}, w*h)
	p.Apply(flat, 10)
	for _, v := range flat {
		if math.Abs(float64(v)-0.75) > 1e-5 {
			t.Fatalf("a constant plane became %v", v)
		}
	}
	together := planes(w, h, n, 2)
	alone := slices.Clone(together)
	p.Apply(together, 10)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	for k := range n {
		NewPAMR(planes(w, h, 3, 1), w, h).Apply(alone[k*w*h:][:w*h], 10)
	}
	if !slices.Equal(together, alone) {
		t.Error("planes refined together and alone differ")
	}
}

func BenchmarkPAMR(b *testing.B) {
	const w, h = 640, 480
	image, masks := planes(w, h, 3, 1), planes(w, h, 20, 2)
	b.Run("affinity", func(b *testing.B) {
		for b.Loop() {
			NewPAMR(image, w, h)
		}
	})
	b.Run("20 planes", func(b *testing.B) {
		p := NewPAMR(image, w, h)
		for b.Loop() {
			p.Apply(masks, 10)
		}
	})
}

// Apply refines planes [n, h, w] in place by so many iterations (10 in published
// protocols), on all cores.
func (p *PAMR) Apply(planes []float32, iterations int) {
	size := p.w * p.h
	n := len(planes) / size
	mustHave("planes", len(planes), n*size)
	if iterations < 1 {
		return
	}
	inOrder((n+lanes-1)/lanes, p.workers(), func() func(int) func() {
		s := p.sheets(iterations)
		return func(group int) func() {
			here := planes[group*lanes*size : min((group+1)*lanes, n)*size]
			for k := range len(here) / size {
				for y := range p.h {
					row := s.inside(y)
					for x, v := range here[k*size+y*p.w:][:p.w] {
						row[x*lanes+k] = v
					}
				}
			}
			p.refine(s)
			for k := range len(here) / size {
				for y := range p.h {
					row := s.inside(y)
					for x := range p.w {
						here[k*size+y*p.w+x] = row[x*lanes+k]
					}
				}
			}
			return func() {}
		}
	})
}
