package labelmap

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	want := Map{W: 3, H: 2, Pix: []uint16{0, 1, 2, 3, 1, 0}}
	rect := image.Rect(0, 0, 3, 2)
	small := []uint8{0, 1, 2, 3, 1, 0}
	wide := image.NewGray16(rect)
	for i, v := range []uint16{0, 255, 256, 33999, 1000, 65535} {
		wide.SetGray16(i%3, i/3, color.Gray16{v})
	}
	for _, test := range []struct {
		name string
		m    image.Image
		want Map
	}{
		// Two classes share a colour on purpose: only the index tells them apart.
		{"palette of 2 bits", &image.Paletted{Pix: small, Stride: 3, Rect: rect, Palette: color.Palette{color.Black,
			color.White, color.White, color.Black}}, want},
		{"palette of 8 bits", &image.Paletted{Pix: small, Stride: 3, Rect: rect, Palette: Palette()}, want},
		{"grey", &image.Gray{Pix: small, Stride: 3, Rect: rect}, want},
		{"16-bit grey", wide, Map{W: 3, H: 2, Pix: []uint16{0, 255, 256, 33999, 1000, 65535}}},
	} {
		got, err := decode(encodePNG(t, test.m))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestReadErrors(t *testing.T) {
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
		lossy:                                            "label maps are PNG, this is a JPEG",
		"../picture/testdata/pixels/rgb.png":             "stored as colours, not as class numbers",
		"../picture/testdata/pixels/rgba.png":            "stored as colours",
		"../picture/testdata/pixels/grey_alpha.png":      "stored as colours",
		"../picture/testdata/pixels/bilevel.png":         "grey PNG of 1 bits per pixel",
		filepath.Join(dir, "missing.png"):                "no such file",
		"../picture/testdata/pixels/grey16.png.rgb":      "no such file",
		"../picture/testdata/pixels/420_progressive.jpg": "this is a JPEG",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
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
	table := NewTable(20, 255, true)
	for v := range 256 {
		l := Map{W: 1, H: 1, Pix: []uint16{uint16(v)}}
		err := table.Apply(l)
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
		} else if !errors.Is(err, ErrValue) {
			t.Errorf("%d: %v is not ErrValue", v, err)
		}
	}
}

func TestLabelTableRefusesWideValues(t *testing.T) {
	for _, v := range []uint16{21, 254, 256, 1000, Stray, Ignore} {
		err := NewTable(21, 255, false).Apply(Map{W: 2, H: 1, Pix: []uint16{0, v}})
		if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "at x 1, y 0; allowed are 0..20, 255") {
			t.Errorf("%d: %v", v, err)
		}
	}
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
