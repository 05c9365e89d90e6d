package draw

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"pgregory.net/rapid"

	"ovbench/reports/draw/drawtest"
	"ovbench/reports/plain"
)

func TestRoundTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-100, 0).Draw(t, "low")
		high := rapid.Float64Range(0.001, 100).Draw(t, "high")
		n := len(roundTicks(low, high))
		if n < 2 || n > 8 {
			t.Fatalf("%d ticks from %v to %v", n, low, high)
		}
	})
}

// TestOverlay: the picture stands under its title and left of a bar from jet's end to its beginning, whatever the
// title.
func TestOverlay(t *testing.T) {
	for _, tt := range []struct {
		w, h  int
		title string
	}{
		{240, 180, "a photo of a cœur, naïve façade; 日本 has no glyphs here, and this text is long"},
		{40, 30, "a_word_too_long_for_the_width_of_this_canvas"},
		{240, 180, ""},
	} {
		img, saliency := drawtest.Scene(tt.w, tt.h), drawtest.Bump(tt.w, tt.h)
		got := drawtest.OnWhite(Overlay(img, saliency, tt.title))
		drawtest.MarginIsWhite(t, tt.title, got)
		want := Blend(img, MapImage(saliency, tt.w, tt.h))
		at := image.Pt(7, got.Rect.Dy()-7-tt.h) // half of a letter's size from the edges
		for y := range tt.h {
			for x := range tt.w {
				if g, w := got.RGBAAt(at.X+x, at.Y+y), want.RGBAAt(x, y); g != w {
					t.Fatalf("%q: (%d, %d) is %v, want %v", tt.title, x, y, g, w)
				}
			}
		}
		bar := at.X + tt.w + 7 + 7
		if top, bottom := got.RGBAAt(bar, at.Y), got.RGBAAt(bar, at.Y+tt.h-1); top != Jet[255] || bottom != Jet[0] {
			t.Errorf("%q: the bar goes from %v to %v", tt.title, top, bottom)
		}
		inked := false
		for y := range at.Y {
			for x := range got.Rect.Dx() {
				inked = inked || got.RGBAAt(x, y) != Paper
			}
		}
		if inked != (tt.title != "") {
			t.Errorf("%q: ink above the picture: %v", tt.title, inked)
		}
	}
}

// TestBlend: 0.4 image + 0.6 jet for all pairs of grey value and saliency but saliency 159 (see TestJet),
// (img*0.4 + applyColorMap(saliency, COLORMAP_JET)*0.6).astype("uint8"): numpy 2.4.6, OpenCV 5.0.0.
func TestBlend(t *testing.T) {
	pic, saliency := image.NewRGBA(image.Rect(0, 0, 256, 256)), image.NewGray(image.Rect(0, 0, 256, 256))
	for y := range 256 {
		for x := range 256 {
			pic.SetRGBA(x, y, color.RGBA{uint8(y), uint8(y), uint8(y), 255})
			saliency.SetGray(x, y, color.Gray{uint8(x)})
		}
	}
	out := Blend(pic, saliency)
	h := sha256.New()
	for y := range 256 {
		for x := range 256 {
			if x != 159 {
				h.Write(out.Pix[out.PixOffset(x, y):][:3])
			}
		}
	}
	const want = "4ba351947de521c98aee0536cb37816f0a19c4361487e28f2c3c7eec27496efd"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("hash of the blend is %s, want %s", got, want)
	}
}

// TestJet: testdata/jet_opencv.txt is applyColorMap(0..255, COLORMAP_JET) of OpenCV 5.0.0, as R G B.
// Its blue of 159 is 1 where the definition gives 1.5 exactly; rounding to even, we have 2.
func TestJet(t *testing.T) {
	text, err := os.ReadFile("testdata/jet_opencv.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 256 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var want color.RGBA
		if _, err := fmt.Sscan(line, &want.R, &want.G, &want.B); err != nil {
			t.Fatal(err)
		}
		if want.A = 255; i == 159 {
			want.B = 2
		}
		if Jet[i] != want {
			t.Errorf("Jet[%d] = %v, want %v", i, Jet[i], want)
		}
	}
}

// TestMapImage: (clip(x, 0, 1)*float32(255)).astype(uint8) of numpy 2.4.6, and NaN as 0.
func TestMapImage(t *testing.T) {
	saliency := []float32{-1, 0, 0.001, 0.00392, 0.0039216, 0.25, 0.5, 0.7499, 0.75, 0.999, 0.99999, 1, 2,
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	want := []uint8{0, 0, 0, 0, 1, 63, 127, 191, 191, 254, 254, 255, 255, 0, 255, 0}
	if diff := cmp.Diff(want, MapImage(saliency, 4, 4).Pix); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
}

// TestVOC: the colours of the twenty classes and of void as the VOC development kit's documentation and label files
// have them.
func TestVOC(t *testing.T) {
	want := [][3]uint8{{0, 0, 0}, {128, 0, 0}, {0, 128, 0}, {128, 128, 0}, {0, 0, 128}, {128, 0, 128}, {0, 128, 128},
		{128, 128, 128},
		{64, 0, 0}, {192, 0, 0}, {64, 128, 0}, {192, 128, 0}, {64, 0, 128}, {192, 0, 128}, {64, 128, 128}, {192, 128,
			128},
		{0, 64, 0}, {128, 64, 0}, {0, 192, 0}, {128, 192, 0}, {0, 64, 128}}
	for i, w := range want {
		if got := VOC(i); got != (color.RGBA{w[0], w[1], w[2], 255}) {
			t.Errorf("VOC(%d) = %v, want %v", i, got, w)
		}
	}
	if got, want := VOC(Void8), (color.RGBA{224, 224, 192, 255}); got != want {
		t.Errorf("VOC(255) = %v, want %v", got, want)
	}
	seen := map[color.RGBA]int{}
	for i := range 1 << 16 {
		if j, ok := seen[VOC(i)]; ok {
			t.Fatalf("labels %d and %d have one colour", j, i)
		}
		seen[VOC(i)] = i
	}
}

// TestVOCPaletteOfTheDataSet compares all 256 colours with the palette of a label file of VOC 2012.
func TestVOCPaletteOfTheDataSet(t *testing.T) {
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	files, err := filepath.Glob(filepath.Join(root, "samples/voc/VOCdevkit/VOC2012/SegmentationClass/*.png"))
	if err != nil || len(files) == 0 {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatalf("no label file below %s; set OVBENCH_SHARED", root)
		}
		t.Skip("set OVBENCH_SHARED to the folder with samples/voc")
	}
	m, ok := drawtest.DecodePNG(t, files[0]).(*image.Paletted)
	if !ok || len(m.Palette) != 256 {
		t.Fatalf("%s has no palette of 256 colours", files[0])
	}
	for i, c := range m.Palette {
		if got := VOC(i); got != color.RGBAModel.Convert(c) {
			t.Errorf("VOC(%d) = %v, want %v", i, got, c)
		}
	}
}

// TestFit: shortened text is as long as it can be and keeps both ends.
func TestFit(t *testing.T) {
	p := NewPen(16)
	rapid.Check(t, func(t *rapid.T) {
		s := plain.Line(rapid.String().Draw(t, "s"))
		width := rapid.IntRange(20, 400).Draw(t, "width")
		got := p.Fit(s, width)
		if p.Width(s) <= width {
			if got != s {
				t.Fatalf("fit(%q) = %q, though there is room", s, got)
			}
			return
		}
		if p.Width(got) > width {
			t.Fatalf("%q is %d pixels wide, not %d", got, p.Width(got), width)
		}
		front, back, ok := strings.Cut(got, "…")
		if !ok || !strings.HasPrefix(s, front) || !strings.HasSuffix(s, back) {
			t.Fatalf("fit(%q) = %q", s, got)
		}
	})
}

func BenchmarkOverlay(b *testing.B) {
	img, saliency := drawtest.Scene(500, 375), drawtest.Bump(500, 375)
	for b.Loop() {
		Overlay(img, saliency, "a photo of a cat")
	}
}

// TestNamesAreSeen: a name in letters that the font lacks leaves something to see in a picture, too.
func TestNamesAreSeen(t *testing.T) {
	written := func(s string) image.Image {
		f := Figure{W: 60, H: 20, Draw: func(c vgdraw.Canvas) { c.FillText(lettering(9), vg.Point{X: 2, Y: 5}, s) }}
		return f.Picture(100)
	}
	if diff := cmp.Diff(written("?? a"), written("日本 a")); diff != "" {
		t.Error("letters that the font lacks are not question marks")
	}
	if cmp.Equal(written("?? a"), written(" a")) {
		t.Error("question marks cannot be seen")
	}
}

// Arcs become cubic curves that stay on the circle to 0.03 %, wherever a canvas is moved, turned and scaled to.
func TestArcsAreRound(t *testing.T) {
	c := &State{}
	c.Now.To = Affine{1, 0, 0, -1, 0, 100}
	c.Translate(vg.Point{X: 10, Y: 20})
	c.Rotate(0.7)
	c.Scale(2, 2)
	var p vg.Path
	p.Arc(vg.Point{X: 3, Y: 4}, 5, 0.3, 1.9*math.Pi)
	x0, y0 := c.Now.To.At(vg.Point{X: 3, Y: 4})
	var x, y float64
	curves := 0
	c.Segments(p, func(kind byte, at ...float64) {
		n := len(at)
		if kind == 'C' {
			curves++
			mid := func(k int, from float64) float64 { return (from + 3*at[k] + 3*at[k+2] + at[k+4]) / 8 }
			if r := math.Hypot(mid(0, x)-x0, mid(1, y)-y0); math.Abs(r-10) > 0.003 {
				t.Errorf("radius %v in the middle of a curve, want 10", r)
			}
		}
		x, y = at[n-2], at[n-1]
		if r := math.Hypot(x-x0, y-y0); math.Abs(r-10) > 1e-9 {
			t.Errorf("radius %v at an end, want 10", r)
		}
	})
	if curves != 4 {
		t.Errorf("%d curves, want 4", curves)
	}
	// The end lies 0.3 + 1.9π further, turned by 0.7.
	angle := 0.3 + 1.9*math.Pi + 0.7
	if wx, wy := x0+10*math.Cos(angle), y0-10*math.Sin(angle); math.Hypot(x-wx, y-wy) > 1e-9 {
		t.Errorf("ends at (%v, %v), want (%v, %v)", x, y, wx, wy)
	}
}
