package clip

import (
	"image"
	"image/color"
	"testing"
)

// Expected: Python 3.11, after mmcv's rule for keep_ratio with scale (long, short):
//
//	f = min(long / max(h, w), short / min(h, w)); int(h * f + 0.5), int(w * f + 0.5)
func TestShortSide(t *testing.T) {
	for _, c := range []struct{ h, w, short, long, height, width int }{
		{375, 500, 336, 2048, 336, 448}, {333, 500, 336, 2048, 336, 505}, {500, 334, 336, 2048, 503, 336},
		{480, 640, 448, 2048, 448, 597},
		{427, 640, 448, 2048, 448, 671}, {1024, 2048, 560, 2048, 560, 1120}, {375, 500, 520, 520, 390, 520},
		{60, 640, 336, 2048, 192, 2048},
		{683, 512, 448, 2048, 598, 448}, {1, 500, 336, 2048, 4, 2048}, {1, 5000, 336, 2048, 1, 2048},
		{60, 640, 336, 0, 336, 3584},
	} {
		in := Input{Resize: ShortSide, Height: c.short, Width: c.short, Long: c.long, Filter: FilterCV2Linear}
		if h, w := in.Size(c.h, c.w); h != c.height || w != c.width {
			t.Errorf("%dx%d, short %d, long %d: %dx%d, want %dx%d", c.h, c.w, c.short, c.long, h, w, c.height, c.width)
		}
	}
}

// A grey of 100 stays 100, at the size that mmcv gives.
func TestGrey(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 30, 20))
	for i := range 600 {
		img.Set(i%30, i/30, color.Gray{100})
	}
	got, err := Input{Resize: ShortSide, Height: 16, Width: 16, Filter: FilterCV2Linear}.Pixels(img)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Shape; s[2] != 16 || s[3] != 24 {
		t.Fatalf("shape %v, want 1x3x16x24", s)
	}
	for i, v := range got.Data {
		if v != 100 {
			t.Fatalf("value %d is %v", i, v)
		}
	}
}

func TestInputRefuses(t *testing.T) {
	strip := image.NewNRGBA(image.Rect(0, 0, 20000, 1))
	for _, in := range []Input{
		{Resize: ShortSide, Height: 16, Width: 17, Filter: FilterBicubic}, {Resize: "stretch", Height: 16, Width: 16,
			Filter: FilterBicubic},
		{Resize: Squash, Filter: FilterBicubic},
		{Resize: ShortSide, Height: 336, Width: 336, Filter: FilterBicubic}, // 336 x 6.7 million pixels
	} {
		if _, err := in.Pixels(strip); err == nil {
			t.Errorf("%+v is accepted", in)
		}
	}
}
