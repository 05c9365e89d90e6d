package reports

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ovbench/reports/draw"
	"ovbench/reports/draw/drawtest"
	"ovbench/reports/results"
)

// The golden picture was looked at when it was written. Of the others hold what holds of any: two drawings are equal,
// nothing is cut, and they are as large as their samples and methods ask for.
func TestPanels(t *testing.T) {
	for name, tt := range map[string]struct {
		plan   plan
		sheets int
	}{
		"panels_3_classes_2_methods":    {plan{methods: 2, sets: 1, classes: 3, samples: 3}, 2},
		"panels_171_classes_12_methods": {plan{methods: 12, sets: 1, classes: 171, samples: 1}, 1},
		"panels_171_classes_6_long":     {plan{methods: 6, sets: 1, classes: 171, samples: 1, long: true}, 1},
		"panels_300_classes_1_method":   {plan{methods: 1, sets: 1, classes: 300, samples: 1}, 1}, // 16-bit label maps
	} {
		t.Run(name, func(t *testing.T) {
			r := withPanels(t, invent(tt.plan), tt.plan)
			var sheets [2][]image.Image
			for i := range sheets {
				var err error
				if sheets[i], err = panelsOf(r, "set0"); err != nil {
					t.Fatal(err)
				}
			}
			if len(sheets[0]) != tt.sheets {
				t.Errorf("%d sheets, want %d", len(sheets[0]), tt.sheets)
			}
			for i, img := range sheets[0] {
				if !bytes.Equal(img.(*image.RGBA).Pix, sheets[1][i].(*image.RGBA).Pix) {
					t.Error("drawn twice, it differs")
				}
				drawtest.MarginIsWhite(t, name, img)
				if across := img.Bounds().Dx(); across > 2*margin+maxAcross*(cell+gap)-gap {
					t.Errorf("%d pixels across", across)
				}
			}
			if name == "panels_3_classes_2_methods" {
				drawtest.Golden(t, name+".png", sheets[0][0])
			}
		})
	}
}

// TestPanelsShowRightAndWrong: the truth, label maps and error maps stand in their columns, in their colours, and as
// much of an error map is wrong as of the prediction.
func TestPanelsShowRightAndWrong(t *testing.T) {
	p := plan{methods: 2, sets: 1, classes: 3, samples: 1}
	r := withPanels(t, invent(p), p)
	sheets, err := panelsOf(r, "set0")
	if err != nil {
		t.Fatal(err)
	}
	img := sheets[0].(*image.RGBA)
	s, err := loadSample(r, &r.Panels[0], cell)
	if err != nil {
		t.Fatal(err)
	}
	count := func(column int, c color.RGBA) (n int) {
		for y := range img.Rect.Dy() {
			for x := margin + column*(cell+gap); x < margin+column*(cell+gap)+cell; x++ {
				if img.RGBAAt(x, y) == c {
					n++
				}
			}
		}
		return n
	}
	for column, l := range []*labels{1: s.truth, 2: s.predictions["clip"], 3: s.predictions["clip_surgery"]} {
		if l == nil {
			continue
		}
		of := map[uint16]int{}
		for _, x := range l.at {
			of[x]++
		}
		for _, x := range []uint16{1, 2} { // 0 is black, as letters are
			if n := count(column, draw.VOC(int(x))); of[x] == 0 || n < of[x] || n > of[x]+2*swatchSize*swatchSize {
				t.Errorf("column %d: %d pixels of class %d, the map has %d", column, n, x, of[x])
			}
		}
	}
	for column, method := range []string{2: "clip", 3: "clip_surgery"} {
		if method == "" {
			continue
		}
		wrong := s.wrong(method)
		for i, k := range errorColors[:2] {
			want := bytes.Count(wrong.Pix, []byte{uint8(i)})
			if n := count(column, k.color); want == 0 || n < want || n > want+2*swatchSize*swatchSize {
				t.Errorf("%s: %d pixels are %s, want %d", method, n, k.name, want)
			}
		}
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
		sheets, err := panelsOf(r, "set0")
		if err != nil {
			t.Fatal(err)
		}
		drawtest.MarginIsWhite(t, name, sheets[0])
		heights[name] = sheets[0].Bounds().Dy()
	}
	if heights["maps"] > heights["labels"] || heights["both"] <= heights["labels"] {
		t.Errorf("heights %v: want maps alone no taller than labels alone, and both taller", heights)
	}
}

// TestLabelImageKeepsLabels writes label maps and reads them as panels are read.
func TestLabelImageKeepsLabels(t *testing.T) {
	dir := t.TempDir()
	r := &results.Run{Dir: dir}
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SampledFrom([]int{1, 2, 21, 254, 255, 256, 847, 65535}).Draw(t, "classes")
		labels := rapid.SliceOfN(rapid.Uint16(), 12, 12).Draw(t, "labels")
		if err := WritePNG(filepath.Join(dir, "l.png"), draw.LabelImage(labels, 4, 3, classes)); err != nil {
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
		{"missing", "no such file", func(dir string,
			p *results.Panel) error {
			p.Truth = "panels/none.png"
			return nil
		}},
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
			return WritePNG(filepath.Join(dir, "panels", "t0.png"), drawtest.Scene(8, 8))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := withPanels(t, invent(p), p)
			if err := tt.change(r.Dir, &r.Panels[0]); err != nil {
				t.Fatal(err)
			}
			_, err := panelsOf(r, "set0")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), r.Dir) {
				t.Errorf("error %v, want one with %q and the path", err, tt.want)
			}
		})
	}
	r := invent(p)
	if _, err := panelsOf(r, "voc"); err == nil {
		t.Error("drew a data set that is not there")
	}
	if got, err := panelsOf(r, "set0"); len(got) != 0 || err != nil {
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

func BenchmarkPanels(b *testing.B) {
	p := plan{methods: 7, sets: 1, classes: 21, samples: 6}
	r := withPanels(b, invent(p), p)
	for b.Loop() {
		if _, err := panelsOf(r, "set0"); err != nil {
			b.Fatal(err)
		}
	}
}
