package datasets

import (
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestReadLabels(t *testing.T) {
	want := Labels{W: 3, H: 2, Pix: []uint16{0, 1, 2, 3, 1, 0}}
	rect := image.Rect(0, 0, 3, 2)
	small := []uint8{0, 1, 2, 3, 1, 0}
	wide := image.NewGray16(rect)
	for i, v := range []uint16{0, 255, 256, 33999, 1000, 65535} {
		wide.SetGray16(i%3, i/3, color.Gray16{v})
	}
	for _, test := range []struct {
		name string
		m    image.Image
		want Labels
	}{
		// Two classes share a colour on purpose: only the index tells them apart.
		{"palette of 2 bits", &image.Paletted{Pix: small, Stride: 3, Rect: rect, Palette: color.Palette{color.Black, color.White, color.White, color.Black}}, want},
		{"palette of 8 bits", &image.Paletted{Pix: small, Stride: 3, Rect: rect, Palette: vocPalette()}, want},
		{"grey", &image.Gray{Pix: small, Stride: 3, Rect: rect}, want},
		{"16-bit grey", wide, Labels{W: 3, H: 2, Pix: []uint16{0, 255, 256, 33999, 1000, 65535}}},
	} {
		got, err := decodeLabels(encodePNG(t, test.m))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestReadLabelsErrors(t *testing.T) {
	dir := t.TempDir()
	lossy := filepath.Join(dir, "lossy.png")
	f, err := os.Create(lossy)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(jpeg.Encode(f, image.NewGray(image.Rect(0, 0, 8, 8)), nil), f.Close()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		lossy:                                 "label maps are PNG, this is a JPEG",
		"testdata/pixels/rgb.png":             "stored as colours, not as class numbers",
		"testdata/pixels/rgba.png":            "stored as colours",
		"testdata/pixels/grey_alpha.png":      "stored as colours",
		"testdata/pixels/bilevel.png":         "grey PNG of 1 bits per pixel",
		filepath.Join(dir, "missing.png"):     "no such file",
		"testdata/pixels/grey16.png.rgb":      "no such file",
		"testdata/pixels/420_progressive.jpg": "this is a JPEG",
	} {
		if _, err := ReadLabels(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

// mmsegReduce is mmsegmentation's reduce_zero_label, step by step on 8-bit values.
func mmsegReduce(v uint8) uint8 {
	if v == 0 {
		v = 255
	}
	v--
	if v == 254 {
		v = 255
	}
	return v
}

func TestReduceZeroLabel(t *testing.T) {
	table := newLabelTable(20, 255, true)
	for v := range 256 {
		l := Labels{W: 1, H: 1, Pix: []uint16{uint16(v)}}
		err := table.apply(l)
		if legal := v <= 20 || v == 255; legal != (err == nil) {
			t.Errorf("%d: %v", v, err)
		} else if legal {
			want := uint16(mmsegReduce(uint8(v)))
			if want == 255 {
				want = Ignore
			}
			if l.Pix[0] != want {
				t.Errorf("%d becomes %d, want %d", v, l.Pix[0], want)
			}
		} else if !errors.Is(err, ErrLabelValue) {
			t.Errorf("%d: %v is not ErrLabelValue", v, err)
		}
	}
}

func TestLabelTableRefusesWideValues(t *testing.T) {
	for _, v := range []uint16{21, 254, 256, 1000, noLabel, Ignore} {
		err := newLabelTable(21, 255, false).apply(Labels{W: 2, H: 1, Pix: []uint16{0, v}})
		if !errors.Is(err, ErrLabelValue) || !strings.Contains(err.Error(), "at x 1, y 0; allowed are 0..20, 255") {
			t.Errorf("%d: %v", v, err)
		}
	}
}

// Levenshtein's distance is a metric; the law that catches most slips is the triangle's.
func TestEditDistance(t *testing.T) {
	word := rapid.StringMatching(`[a-c]{0,5}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if (editDistance(a, b) == 0) != (a == b) || editDistance(a, b) != editDistance(b, a) ||
			editDistance(a, c) > editDistance(a, b)+editDistance(b, c) || editDistance(a, "") != len(a) {
			t.Fatal(a, b, c)
		}
	})
	if d := editDistance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten, sitting: %d", d)
	}
}
