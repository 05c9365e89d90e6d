package resample

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Pixels as CLIP's networks saw them, [1, 3, H, W]: Pillow bicubic to the size, float32
// (v/255 - mean)/std. Recorded from Pillow and torch beside the reference activations.
func TestPillowEqualsRecordedPixels(t *testing.T) {
	micro := filepath.Join("..", "clip", "testdata", "micro")
	for _, name := range []string{"pixels_32.npy", "pixels_72.npy", "pixels_48x64.npy"} {
		checkPixels(t, filepath.Join(micro, "image.png"), filepath.Join(micro, name))
	}
}

func TestPillowEqualsRecordedPixelsOfLargerModels(t *testing.T) {
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	found, _ := filepath.Glob(filepath.Join(root, "golden", "tiny-*", "a_*_pixels.npy"))
	if len(found) == 0 {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal("no recorded pixels; set OVBENCH_SHARED to the folder of the reference data")
		}
		t.Skip("no recorded pixels; set OVBENCH_SHARED to the folder of the reference data")
	}
	for _, name := range found {
		checkPixels(t, filepath.Join(root, "golden", "a.png"), name)
	}
}

func checkPixels(t *testing.T, imageFile, pixelFile string) {
	t.Helper()
	want, shape := readNPY(t, pixelFile)
	if len(shape) != 4 || shape[0] != 1 || shape[1] != 3 {
		t.Fatalf("%s has shape %v", pixelFile, shape)
	}
	h, w := shape[2], shape[3]
	small := Pillow(readPNG(t, imageFile), w, h, BicubicFilter)
	mean := [3]float32{0.48145466, 0.4578275, 0.40821073} // OpenAI CLIP's preprocessing
	std := [3]float32{0.26862954, 0.26130258, 0.27577711}
	differ := 0
	for i := range w * h {
		for c := range 3 {
			got := (float32(small.Pix[3*i+c])/255 - mean[c]) / std[c]
			if got != want[c*w*h+i] {
				differ++
			}
		}
	}
	if differ != 0 {
		t.Errorf("%s: %d of %d numbers differ", pixelFile, differ, len(want))
	}
}

func readPNG(t *testing.T, name string) RGB {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	flat := image.NewNRGBA(img.Bounds())
	draw.Draw(flat, flat.Rect, img, flat.Rect.Min, draw.Src)
	return FromNRGBA(flat)
}

var npyShape = regexp.MustCompile(`\d+`)

// readNPY reads float32 numbers of a version 1 .npy file.
func readNPY(t *testing.T, name string) (data []float32, shape []int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	n := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	header := b[10:n]
	if !bytes.Contains(header, []byte("'<f4'")) {
		t.Fatalf("%s is not float32: %s", name, header)
	}
	for _, d := range npyShape.FindAll(header[bytes.IndexByte(header, '('):], -1) {
		v, _ := strconv.Atoi(string(d))
		shape = append(shape, v)
	}
	data = make([]float32, (len(b)-n)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[n+4*i:]))
	}
	return data, shape
}

func TestFromNRGBADropsAlpha(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 3))
	for i := range img.Pix {
		img.Pix[i] = uint8(i)
	}
	img.SetNRGBA(2, 1, color.NRGBA{200, 100, 50, 0}) // transparent, colour kept
	part := img.SubImage(image.Rect(1, 1, 3, 3)).(*image.NRGBA)
	want := RGB{W: 2, H: 2, Pix: []uint8{20, 21, 22, 200, 100, 50, 36, 37, 38, 40, 41, 42}}
	if d := cmp.Diff(want, FromNRGBA(part)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// pillowPlain is Pillow one number at a time.
func pillowPlain(src RGB, w, h int, f Filter) RGB {
	pass := func(src RGB, w, h int, k kernel, window func(x, y, first, j int) (int, int), output func(x, y int) int) RGB {
		dst := NewRGB(w, h)
		for y := range h {
			for x := range w {
				first, weight := k.of(output(x, y))
				for c := range 3 {
					sum := int32(1 << (fixedBits - 1))
					for j, v := range weight {
						sx, sy := window(x, y, first, j)
						sum += v * int32(src.Pix[3*(sy*src.W+sx)+c])
					}
					dst.Pix[3*(y*w+x)+c] = uint8(min(max(sum>>fixedBits, 0), 255))
				}
			}
		}
		return dst
	}
	if w != src.W {
		src = pass(src, w, src.H, newKernel(f, src.W, w),
			func(_, y, first, j int) (int, int) { return first + j, y }, func(x, _ int) int { return x })
	}
	if h != src.H {
		src = pass(src, src.W, h, newKernel(f, src.H, h),
			func(x, _, first, j int) (int, int) { return x, first + j }, func(_, y int) int { return y })
	}
	return src
}

// Two rows in a word and whole rows of sums change nothing. Pixels are mostly black and
// white, which makes sums leave 0..255 on both sides.
func TestPillowEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := func(name string) int { return rapid.IntRange(1, 24).Draw(t, name) }
		src := NewRGB(size("sw"), size("sh"))
		for i := range src.Pix {
			src.Pix[i] = rapid.SampledFrom([]uint8{0, 255, 0, 255, 1, 127, 254}).Draw(t, "v")
		}
		w, h, f := size("w"), size("h"), Filter(rapid.IntRange(0, 3).Draw(t, "filter"))
		if d := cmp.Diff(pillowPlain(src, w, h, f), Pillow(src, w, h, f)); d != "" {
			t.Fatalf("%v (-plain +fast):\n%s", f, d)
		}
	})
}

// A table is its channels, resized one by one, in every rule.
func TestTablesEqualPlanes(t *testing.T) {
	rules := map[string]func(dst []float32, w, h int, src []float32, sw, sh, channels int){
		"bilinear":  BilinearCells,
		"antialias": BicubicAntialias,
		"bicubic": func(dst []float32, w, h int, src []float32, sw, sh, channels int) {
			Bicubic(dst, w, h, src, sw, sh, channels, float64(sw)/(float64(w)+0.1), 0)
		},
	}
	for name, rule := range rules {
		for _, c := range [][4]int{{14, 14, 32, 32}, {7, 5, 3, 9}, {1, 3, 4, 2}} {
			const channels = 5
			sw, sh, w, h := c[0], c[1], c[2], c[3]
			table := randomNumbers(sw*sh*channels, 1)
			got := make([]float32, w*h*channels)
			rule(got, w, h, table, sw, sh, channels)
			plane, out := make([]float32, sw*sh), make([]float32, w*h)
			for k := range channels {
				for i := range plane {
					plane[i] = table[i*channels+k]
				}
				rule(out, w, h, plane, sw, sh, 1)
				for i, v := range out {
					if got[i*channels+k] != v {
						t.Fatalf("%s %v: channel %d of cell %d is %v, as a plane %v", name, c, k, i, got[i*channels+k], v)
					}
				}
			}
		}
	}
}

func TestWrongSizesPanic(t *testing.T) {
	img, f := NewRGB(2, 2), make([]float32, 4)
	for name, call := range map[string]func(){
		"empty image":        func() { Pillow(RGB{}, 1, 1, BoxFilter) },
		"no pixels":          func() { Pillow(img, 0, 1, BoxFilter) },
		"short image":        func() { CV2Linear(RGB{W: 2, H: 2, Pix: img.Pix[:11]}, 1, 1) },
		"unknown filter":     func() { Pillow(img, 1, 1, LanczosFilter+1) },
		"short destination":  func() { Bilinear(f[:3], 2, 2, f, 2, 2) },
		"short source":       func() { Bicubic(f, 2, 2, f[:3], 2, 2, 1, 0, 0) },
		"short logits":       func() { Rule{}.Decode(make([]uint16, 4), 2, 2, f, 2, 2, 2) },
		"unfit rule":         func() { Rule{Threshold: 2}.Decode(make([]uint16, 4), 2, 2, f, 2, 2, 1) },
		"short label map":    func() { Rule{}.Decode(make([]uint16, 3), 2, 2, f, 2, 2, 1) },
		"no channels at all": func() { BicubicAntialias(nil, 2, 2, nil, 2, 2, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func BenchmarkPillow(b *testing.B) {
	for _, c := range [][4]int{{500, 375, 512, 512}, {500, 375, 224, 224}, {2048, 1024, 512, 512}} {
		src := randomPixels(c[0], c[1], 1)
		b.Run(fmt.Sprint(c), func(b *testing.B) {
			for b.Loop() {
				Pillow(src, c[2], c[3], BicubicFilter)
			}
		})
	}
}

func BenchmarkCV2Linear(b *testing.B) {
	src := randomPixels(2048, 1024, 1)
	for b.Loop() {
		CV2Linear(src, 1120, 560)
	}
}

func BenchmarkBilinear(b *testing.B) {
	src, dst := randomNumbers(32*32, 1), make([]float32, 500*375)
	for b.Loop() {
		Bilinear(dst, 500, 375, src, 32, 32)
	}
}
