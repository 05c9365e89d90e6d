package reports

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovbench/reports/results"
)

// checkPicture compares with a golden PNG, looked at when it was written. Processors that
// fuse multiplications and additions may round a channel otherwise, so that a little difference is allowed.
func checkPicture(t *testing.T, name string, got image.Image) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		var b bytes.Buffer
		e := png.Encoder{CompressionLevel: png.BestCompression}
		if err := e.Encode(&b, got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := decodePNG(t, path)
	if want.Bounds() != got.Bounds() {
		t.Errorf("%s: bounds %v, want %v", path, got.Bounds(), want.Bounds())
		return
	}
	a, b := onWhite(want), onWhite(got)
	const tolerance = 4
	differ := 0
	for i := range a.Pix {
		if max(a.Pix[i], b.Pix[i])-min(a.Pix[i], b.Pix[i]) > tolerance {
			differ++
		}
	}
	if differ > 0 {
		out := filepath.Join(t.ArtifactDir(), name)
		if err := WritePNG(out, got); err != nil {
			t.Error(err)
		}
		t.Errorf("%s: %d values differ; see %s (-artifacts keeps it)", path, differ, out)
	}
}

// marginIsWhite: nothing is cut at the edge of a picture.
func marginIsWhite(t *testing.T, name string, img image.Image) {
	t.Helper()
	m := onWhite(img)
	inner := m.Rect.Inset(3)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			if !image.Pt(x, y).In(inner) && m.RGBAAt(x, y) != paper {
				t.Errorf("%s: ink at the edge, (%d, %d) of %v", name, x, y, m.Rect)
				return
			}
		}
	}
}

func TestPanelsGolden(t *testing.T) {
	tests := []struct {
		name string
		plan plan
	}{
		{"panels_3_classes_2_methods", plan{methods: 2, sets: 1, classes: 3, samples: 3}},
		{"panels_171_classes_12_methods", plan{methods: 12, sets: 1, classes: 171, samples: 1}},
		{"panels_171_classes_6_long", plan{methods: 6, sets: 1, classes: 171, samples: 1, long: true}},
		{"panels_300_classes_1_method", plan{methods: 1, sets: 1, classes: 300, samples: 1}}, // 16-bit label maps
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := withPanels(t, invent(tt.plan), tt.plan)
			var sheets [2][]image.Image
			for i := range sheets {
				var err error
				if sheets[i], err = Panels(r, "set0"); err != nil {
					t.Fatal(err)
				}
			}
			for i, img := range sheets[0] {
				if !bytes.Equal(img.(*image.RGBA).Pix, sheets[1][i].(*image.RGBA).Pix) {
					t.Error("drawn twice, it differs")
				}
				marginIsWhite(t, tt.name, img)
				checkPicture(t, fmt.Sprintf("%s_%d.png", tt.name, i+1), img)
			}
		})
	}
}

// Where no method made label maps, similarity maps stand in their place: the sheet is no taller than one of label maps
// alone, and has no empty frames.
func TestPanelsOfMapsAlone(t *testing.T) {
	p := plan{methods: 2, sets: 1, classes: 3, samples: 1}
	heights := map[string]int{}
	for name, change := range map[string]func(*results.Panel){
		"both":   func(*results.Panel) {},
		"labels": func(p *results.Panel) { p.Maps = nil },
		"maps":   func(p *results.Panel) { p.Predictions = nil },
	} {
		r := withPanels(t, invent(p), p)
		change(&r.Panels[0])
		sheets, err := Panels(r, "set0")
		if err != nil {
			t.Fatal(err)
		}
		marginIsWhite(t, name, sheets[0])
		heights[name] = sheets[0].Bounds().Dy()
	}
	if heights["maps"] > heights["labels"] || heights["both"] <= heights["labels"] {
		t.Errorf("heights %v: want maps alone no taller than labels alone, and both taller", heights)
	}
}

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

func TestOverlayGolden(t *testing.T) {
	img := scene(240, 180)
	checkPicture(t, "overlay.png", Overlay(img, bump(240, 180), "a photo of a cœur, naïve façade; 日本 has no glyphs here, and this text is long"))
	small := scene(40, 30)
	checkPicture(t, "overlay_small.png", Overlay(small, bump(40, 30), "a_word_too_long_for_the_width_of_this_canvas"))
}

// TestBlend: 0.4 image + 0.6 jet for all pairs of grey value and heat but heat 159 (see TestJet),
// (img*0.4 + applyColorMap(heat, COLORMAP_JET)*0.6).astype("uint8"): numpy 2.4.6, OpenCV 5.0.0.
func TestBlend(t *testing.T) {
	pic, heat := image.NewRGBA(image.Rect(0, 0, 256, 256)), image.NewGray(image.Rect(0, 0, 256, 256))
	for y := range 256 {
		for x := range 256 {
			pic.SetRGBA(x, y, color.RGBA{uint8(y), uint8(y), uint8(y), 255})
			heat.SetGray(x, y, color.Gray{uint8(x)})
		}
	}
	out := blend(pic, heat)
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
		if jet[i] != want {
			t.Errorf("jet[%d] = %v, want %v", i, jet[i], want)
		}
	}
}

// TestMapImage: (clip(x, 0, 1)*float32(255)).astype(uint8) of numpy 2.4.6, and NaN as 0.
func TestMapImage(t *testing.T) {
	heat := []float32{-1, 0, 0.001, 0.00392, 0.0039216, 0.25, 0.5, 0.7499, 0.75, 0.999, 0.99999, 1, 2, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	want := []uint8{0, 0, 0, 0, 1, 63, 127, 191, 191, 254, 254, 255, 255, 0, 255, 0}
	if diff := cmp.Diff(want, MapImage(heat, 4, 4).Pix); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
}

// TestVOC: the colours of the twenty classes and of void as the VOC development kit's documentation and label files have them.
func TestVOC(t *testing.T) {
	want := [][3]uint8{{0, 0, 0}, {128, 0, 0}, {0, 128, 0}, {128, 128, 0}, {0, 0, 128}, {128, 0, 128}, {0, 128, 128}, {128, 128, 128},
		{64, 0, 0}, {192, 0, 0}, {64, 128, 0}, {192, 128, 0}, {64, 0, 128}, {192, 0, 128}, {64, 128, 128}, {192, 128, 128},
		{0, 64, 0}, {128, 64, 0}, {0, 192, 0}, {128, 192, 0}, {0, 64, 128}}
	for i, w := range want {
		if got := VOC(i); got != (color.RGBA{w[0], w[1], w[2], 255}) {
			t.Errorf("VOC(%d) = %v, want %v", i, got, w)
		}
	}
	if got, want := VOC(void8), (color.RGBA{224, 224, 192, 255}); got != want {
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
		root = "../../shared"
	}
	files, err := filepath.Glob(filepath.Join(root, "samples/voc/VOCdevkit/VOC2012/SegmentationClass/*.png"))
	if err != nil || len(files) == 0 {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatalf("no label file below %s; set OVBENCH_SHARED", root)
		}
		t.Skip("set OVBENCH_SHARED to the folder with samples/voc")
	}
	m, ok := decodePNG(t, files[0]).(*image.Paletted)
	if !ok || len(m.Palette) != 256 {
		t.Fatalf("%s has no palette of 256 colours", files[0])
	}
	for i, c := range m.Palette {
		if got := VOC(i); got != color.RGBAModel.Convert(c) {
			t.Errorf("VOC(%d) = %v, want %v", i, got, c)
		}
	}
}

// TestLabelImageKeepsLabels writes label maps and reads them as panels are read.
func TestLabelImageKeepsLabels(t *testing.T) {
	dir := t.TempDir()
	r := &results.Run{Dir: dir}
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SampledFrom([]int{1, 2, 21, 254, 255, 256, 847, 65535}).Draw(t, "classes")
		labels := rapid.SliceOfN(rapid.Uint16(), 12, 12).Draw(t, "labels")
		if err := WritePNG(filepath.Join(dir, "l.png"), LabelImage(labels, 4, 3, classes)); err != nil {
			t.Fatal(err)
		}
		got, err := loadLabels(r, "l.png")
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range labels {
			if int(l) >= classes {
				l = got.void
			}
			if got.at[i] != l {
				t.Fatalf("label %d of %d classes came back as %d, want %d", labels[i], classes, got.at[i], l)
			}
		}
	})
}

// header is the beginning of a grey PNG of w x h pixels, and no more.
func header(w, h uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}

func TestPanelsRefuse(t *testing.T) {
	p := plan{methods: 1, sets: 1, classes: 3, samples: 1}
	tests := []struct {
		name, want string
		change     func(dir string, p *results.Panel) error
	}{
		{"path up", "path escapes", func(dir string, p *results.Panel) error { p.Image = "../i0.png"; return nil }},
		{"absolute path", "path escapes", func(dir string, p *results.Panel) error {
			p.Image = filepath.Join(dir, "panels", "i0.png")
			return nil
		}},
		{"link out", "path escapes", func(dir string, p *results.Panel) error {
			p.Image = "panels/link.png"
			return os.Symlink("/etc/hosts", filepath.Join(dir, "panels", "link.png"))
		}},
		{"missing", "no such file", func(dir string, p *results.Panel) error { p.Truth = "panels/none.png"; return nil }},
		{"folder", "not a regular file", func(dir string, p *results.Panel) error { p.Truth = "panels"; return nil }},
		{"huge", "at most 33554432", func(dir string, p *results.Panel) error {
			return os.WriteFile(filepath.Join(dir, "panels", "i0.png"), header(1<<20, 1<<20), 0o666)
		}},
		{"cut", "unexpected EOF", func(dir string, p *results.Panel) error {
			return os.WriteFile(filepath.Join(dir, "panels", "i0.png"), header(9, 9), 0o666)
		}},
		{"text", "panels are PNG or JPEG files", func(dir string, p *results.Panel) error {
			return os.WriteFile(filepath.Join(dir, "panels", "m0-0.png"), []byte("hello"), 0o666)
		}},
		{"coloured labels", "a label map has a palette or grey values", func(dir string, p *results.Panel) error {
			return WritePNG(filepath.Join(dir, "panels", "t0.png"), scene(8, 8))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := withPanels(t, invent(p), p)
			if err := tt.change(r.Dir, &r.Panels[0]); err != nil {
				t.Fatal(err)
			}
			_, err := Panels(r, "set0")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), r.Dir) {
				t.Errorf("error %v, want one with %q and the path", err, tt.want)
			}
		})
	}
	r := invent(p)
	if _, err := Panels(r, "voc"); err == nil {
		t.Error("drew a data set that is not there")
	}
	if got, err := Panels(r, "set0"); len(got) != 0 || err != nil {
		t.Errorf("panels of nothing: %v, %v", got, err)
	}
}

func TestChooseMaps(t *testing.T) {
	m := func(method, class string) results.PanelMap { return results.PanelMap{Method: method, Class: class} }
	got := chooseMaps([]results.PanelMap{m("a", "cat"), m("a", "dog"), m("b", "dog"), m("c", "sky"), m("c", "sea")})
	want := []results.PanelMap{m("a", "dog"), m("b", "dog"), m("c", "sky")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("maps (-want +got):\n%s", diff)
	}
}

// TestFit: shortened text is as long as it can be and keeps both ends.
func TestFit(t *testing.T) {
	p := newPen(16)
	rapid.Check(t, func(t *rapid.T) {
		s := plain(rapid.String().Draw(t, "s"))
		width := rapid.IntRange(20, 400).Draw(t, "width")
		got := p.fit(s, width)
		if p.width(s) <= width {
			if got != s {
				t.Fatalf("fit(%q) = %q, though there is room", s, got)
			}
			return
		}
		if p.width(got) > width {
			t.Fatalf("%q is %d pixels wide, not %d", got, p.width(got), width)
		}
		front, back, ok := strings.Cut(got, "…")
		if !ok || !strings.HasPrefix(s, front) || !strings.HasSuffix(s, back) {
			t.Fatalf("fit(%q) = %q", s, got)
		}
	})
}

func BenchmarkOverlay(b *testing.B) {
	img, heat := scene(500, 375), bump(500, 375)
	for b.Loop() {
		Overlay(img, heat, "a photo of a cat")
	}
}

func BenchmarkPanels(b *testing.B) {
	p := plan{methods: 7, sets: 1, classes: 21, samples: 6}
	r := withPanels(b, invent(p), p)
	for b.Loop() {
		if _, err := Panels(r, "set0"); err != nil {
			b.Fatal(err)
		}
	}
}
