package sam

import (
	"fmt"
	"path/filepath"
	"testing"

	"ovbench/runners/ort"
	"ovbench/runners/resample"
)

// madeUp is four classes with waves for probabilities, and background where none is above 0.4: made_up of
// testdata/make_refined.py, to the last bit.
func madeUp(w, h int) LabelMap {
	const classes = 4
	m := LabelMap{W: w, H: h, Classes: classes, Labels: make([]uint16, w*h)}
	planes := make([]float32, classes*w*h)
	for i := range w * h {
		var squares [classes]float64
		total := 0.0
		for c := range classes {
			at := ((3+c)*(i%w) + (5-2*c)*(i/w) + 97*c) % 480
			if at < 0 {
				at += 480
			}
			v := float64(min(at, 480-at)) / 240
			squares[c] = v * v
			total += squares[c]
		}
		best := float32(0)
		for c, s := range squares {
			p := float32(s / (total + 0.125))
			if planes[c*w*h+i] = p; p > best {
				best, m.Labels[i] = p, uint16(c)
			}
		}
		if best < 0.4 {
			m.Labels[i] = 0
		}
	}
	m.Probability = func(dst []float32, class int) { copy(dst, planes[class*w*h:]) }
	return m
}

// Label maps are corrected as by the authors' code, in all but a few pixels at the edges of masks.
func TestRecordedRefinement(t *testing.T) {
	lib := library(t)
	for _, r := range recordings(t) {
		if filepath.Base(r.dir) != "tiny" {
			continue
		}
		s, err := Load(lib, filepath.Join(r.dir, "sam.pth"), ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		picture := resample.FromNRGBA(readPNG(t, filepath.Join(r.dir, r.index.Pictures["a"])))
		for _, size := range [][2]int{{200, 150}, {161, 137}} {
			up := func(n int) int { return (n + 15) / 16 * 16 }
			seen := resample.CV2Linear(part(picture, size[0], size[1]), up(size[0]), up(size[1]))
			e, err := s.Embed(t.Context(), seen)
			if err != nil {
				t.Fatal(err)
			}
			prompts := 0
			refiner, err := s.Refiner(seen.W, seen.H, func(p Prompt) (*Masks, error) {
				prompts++
				return s.Segment(t.Context(), e, p)
			})
			if err != nil {
				t.Fatal(err)
			}
			refiner.IoU = -1.3
			m := madeUp(size[0], size[1])
			if err := refiner.Refine(m, 0.35); err != nil {
				t.Fatal(err)
			}
			want := readPNG(t, filepath.Join("testdata", fmt.Sprintf("refined_%dx%d.png", size[0], size[1])))
			differ := 0
			for i, label := range m.Labels {
				if uint8(label) != want.Pix[4*i] {
					differ++
				}
			}
			if differ > len(m.Labels)/1000 {
				t.Errorf("%v: %d of %d labels differ from those recorded, after %d prompts", size, differ, len(m.Labels), prompts)
			}
		}
	}
}

// part is the top left corner of a picture.
func part(rgb resample.RGB, w, h int) resample.RGB {
	out := resample.NewRGB(w, h)
	for y := range h {
		copy(out.Pix[3*y*w:][:3*w], rgb.Pix[3*y*rgb.W:])
	}
	return out
}

// A label without probability prompts nothing, and a line of pixels prompts with a box that is none.
func TestRefinementPrompts(t *testing.T) {
	var prompts []Prompt
	f, err := newFrame(800, 64, 1024)
	if err != nil {
		t.Fatal(err)
	}
	r := &Refiner{Area: 225, IoU: 0.8, frame: f, low: 256, segment: func(p Prompt) (*Masks, error) {
		prompts = append(prompts, p)
		return &Masks{IoU: []float32{0.8}}, p.Check(800, 64)
	}}
	m := LabelMap{W: 800, H: 60, Classes: 2, Labels: make([]uint16, 800*60), Probability: func(dst []float32, class int) {
		for i := range dst {
			dst[i] = []float32{0.1, 0.5}[class]
		}
	}}
	if err := r.Refine(m, 0.2); err != nil || prompts != nil {
		t.Errorf("%d prompts, %v", len(prompts), err)
	}
	for i := range 800 {
		m.Labels[20*800+i], m.Labels[21*800+i] = 1, 1
	}
	if err := r.Refine(m, 0.2); err != nil || len(prompts) != 1 || prompts[0].Box.Y0 != prompts[0].Box.Y1 {
		t.Errorf("%+v, %v", prompts, err)
	}
}
