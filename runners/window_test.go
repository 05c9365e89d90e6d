package runners_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"ovbench/runners"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Counts of the published protocols on usual pictures, and windows of SCLIP's loop on a few sizes (Python, the loop
// over h_idx and w_idx).
func TestWindows(t *testing.T) {
	for _, c := range []struct{ h, w, crop, stride, n int }{
		{336, 448, 224, 112, 6}, {448, 597, 224, 112, 15}, {448, 597, 448, 224, 2}, {336, 448, 336, 112, 2},
		{448, 597, 336, 112, 8},
		{336, 448, 224, 28, 45}, {560, 1120, 224, 112, 36}, {448, 896, 224, 224, 8}, {448, 896, 224, 112, 21},
		{100, 50, 224, 112, 1}, {300, 500, 0, 0, 1},
	} {
		got := runners.Sliding{Window: c.crop, Stride: c.stride}.Windows(c.h, c.w)
		if len(got) != c.n {
			t.Errorf("%+v: %d windows", c, len(got))
		}
		seen := make([]bool, c.h*c.w)
		for _, w := range got {
			if w.W != got[0].W || w.H != got[0].H || w.X < 0 || w.Y < 0 || w.X+w.W > c.w || w.Y+w.H > c.h {
				t.Fatalf("%+v: window %+v", c, w)
			}
			for y := w.Y; y < w.Y+w.H; y++ {
				for x := w.X; x < w.X+w.W; x++ {
					seen[y*c.w+x] = true
				}
			}
		}
		if slices.Contains(seen, false) {
			t.Errorf("%+v: pixels in no window", c)
		}
	}
	want := []runners.Window{{0, 0, 64, 64}, {32, 0, 64, 64}, {36, 0, 64, 64}, {0, 6, 64, 64}, {32, 6, 64, 64},
		{36, 6, 64, 64}}
	if got := (runners.Sliding{Window: 64, Stride: 32}).Windows(70, 100); !slices.Equal(got, want) {
		t.Errorf("windows %v, want %v", got, want)
	}
}

// The windows of a picture run together give what each gives alone, cut out and padded by hand.
func TestScan(t *testing.T) {
	m, _ := open(t, "clip/testdata/micro/hf", "clip/testdata/micro/hf")
	r := images(t, m, named(t, "clip", "clip_surgery"), runners.ImageOptions{Similarities: true})
	const h, w, texts = 91, 150, 3
	pixels := random(1, h, w)
	words := random(1, texts, m.Embed)
	words = tensor.Dense{Shape: []int{texts, m.Embed}, Data: words.Data[:texts*m.Embed]}
	for _, s := range []runners.Sliding{{}, {Pad: runners.Around}, {Pad: runners.Corner},
		{Window: 51, Stride: 20, Pad: runners.Corner}, {Window: 64, Stride: 32},
		{Window: 51, Stride: 20, Pad: runners.Around}, {Window: 51, Stride: 20}, {Window: 32, Stride: 5},
		{Window: 120, Stride: 60, Pad: runners.Around}} {
		s.Fill = vit.CLIP.Grey() // of which normalising makes zeros
		scan, err := r.Scan(context.Background(), runners.Picture{Pixels: raw(pixels)}, s, runners.TextSet{Texts: words})
		if err != nil {
			t.Fatal(err)
		}
		for i, win := range scan.Windows {
			ph, pw := win.H, win.W
			if s.Pad != runners.NoPadding {
				ph, pw = (win.H+m.Patch-1)/m.Patch*m.Patch, (win.W+m.Patch-1)/m.Patch*m.Patch
			}
			top, left := (ph-win.H)/2, (pw-win.W)/2
			if s.Pad == runners.Corner {
				top, left = 0, 0
			}
			alone := tensor.New(1, 3, ph, pw)
			for c := range 3 {
				for y := range win.H {
					for x := range win.W {
						alone.Data[(c*ph+y+top)*pw+x+left] = pixels.Data[(c*h+win.Y+y)*w+win.X+x]
					}
				}
			}
			want := similarities(t, r, alone, words)
			for k := range want {
				m := scan.Maps(k, i, 0, texts)
				got := append(slices.Clone(m.Global), m.Patches...)
				if len(got) != len(want[k].Data) {
					t.Fatalf("%+v: %d numbers, want %d", s, len(got), len(want[k].Data))
				}
				for j, v := range want[k].Data {
					if math.Abs(float64(got[j]-v)) > 1e-6 {
						t.Fatalf("%+v: window %d, method %d: number %d is %v, alone %v", s, i, k, j, got[j], v)
					}
				}
			}
		}
		checkStitched(t, scan, s, texts, h, w)
	}
}

// checkStitched compares the middle text's map, taken out of all, with the mosaic of that text.
func checkStitched(t *testing.T, scan runners.Scan, s runners.Sliding, texts, h, w int) {
	t.Helper()
	all, one := make([]float32, h*w), make([]float32, h*w)
	scan.Mosaic(1, 0, texts).Plane(all, w, h, 1)
	scan.Mosaic(1, 1, 2).Plane(one, w, h, 0)
	if !slices.Equal(all, one) {
		t.Errorf("%+v: the map of a text depends on its neighbours", s)
	}
	first := scan.Mosaic(1, 0, texts).Tiles[0]
	if got, want := first.Logits[:texts], scan.Maps(1, 0, 0, texts).Patches[:texts]; !slices.Equal(got, want) {
		t.Errorf("%+v: the map begins with %v, want the first patch %v", s, got, want)
	}
}
