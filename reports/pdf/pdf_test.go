package pdf

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovbench/reports/draw/drawtest"
)

// inventSample is a sample of w x h pixels with so many methods.
func inventSample(w, h, methods int) *Sample {
	m := &Sample{ID: "sample", W: w, H: h, Image: drawtest.Scene(w, h), Kinds: []string{"labels", "errors"}}
	truth := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.RGBA{0, 0, 0, 255},
		color.RGBA{192, 0, 128, 255}})
	for i := range truth.Pix {
		truth.Pix[i] = uint8(i % w * 2 / w)
	}
	m.Truth = truth
	m.See = func(kind, method string) (Picture, bool) { return Picture{Image: truth, Text: kind}, true }
	for i := range methods {
		m.Methods = append(m.Methods, "method "+strconv.Itoa(i))
	}
	return m
}

// TestSamplesHaveEveryMethod: whatever the shape and the number of methods, all stand inside of the page.
func TestSamplesHaveEveryMethod(t *testing.T) {
	for _, size := range [][2]int{{320, 240}, {200, 400}, {4000, 40}, {40, 4000}, {1, 1}} {
		for methods := 1; methods <= 12; methods++ {
			l := layOut(inventSample(size[0], size[1], methods))
			if right := l.at(l.columns-1) + l.column(); right > pageWidth-pageSide+1e-6 ||
				l.lineHeight() > pageHeight-pageTop-pageBottom || l.columns*l.lines() < methods+l.lead {
				t.Errorf("%v, %d methods: %d lines of %d columns to %.1f, %.1f high", size, methods, l.lines(),
					l.columns, right, l.lineHeight())
			}
		}
	}
}

// TestPicturesAreExact: label maps stand on a page in the colours that went in, to the pixel.
func TestPicturesAreExact(t *testing.T) {
	s := inventSample(64, 48, 1)
	s.Image = s.Truth
	l := layOut(s)
	var b bytes.Buffer
	if err := Write(&b, &Document{Title: "pictures", Blocks: []any{s}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "r.pdf")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	const dpi = 144
	drawtest.Poppler(t, "pdftoppm", "-r", strconv.Itoa(dpi), "-f", "2", "-png", "-singlefile", path,
		filepath.Join(dir, "p"))
	page, n := drawtest.OnWhite(drawtest.DecodePNG(t, filepath.Join(dir, "p.png"))), 0
	for y := range page.Rect.Dy() {
		for x := range page.Rect.Dx() {
			if page.RGBAAt(x, y) == (color.RGBA{192, 0, 128, 255}) {
				n++
			}
		}
	}
	// The right halves of image, truth, labels and errors; a line of pixels may be lost at each edge.
	w, h := l.w*dpi/72, l.h*dpi/72
	if most, least := 4*(w/2+1)*(h+1), 4*(w/2-2)*(h-2); float64(n) > most || float64(n) < least {
		t.Errorf("%d pixels of the right half's colour, want %.0f to %.0f", n, least, most)
	}
}

// TestColumnEnds: parts of a table fit the page, and none is left with a column or two of many.
func TestColumnEnds(t *testing.T) {
	s := newWriter(&Document{}, nil)
	wide := Table{Head: []string{"Method"}}
	for c := range 9 {
		wide.Head = append(wide.Head, strings.Repeat("w", 8)+strconv.Itoa(c))
	}
	wide.Rows = [][]Cell{wide.headCells()}
	parts := s.split(wide)
	if len(parts) < 2 {
		t.Fatalf("%d parts", len(parts))
	}
	least, most := 9, 0
	for _, p := range parts {
		least, most = min(least, len(p.Head)-1), max(most, len(p.Head)-1)
	}
	if most-least > len(parts)-1 {
		t.Errorf("parts of %d to %d columns", least, most)
	}
}

// TestFairWidths: what fits is given, and what does not is shared.
func TestFairWidths(t *testing.T) {
	for _, c := range []struct {
		natural []float64
		room    float64
		want    []float64
	}{
		{[]float64{10, 20}, 40, []float64{10, 20}},
		{[]float64{10, 50, 70}, 90, []float64{10, 40, 40}},
		{[]float64{90, 0}, 40, []float64{40, 0}},
		{[]float64{5, 5}, 0, []float64{0, 0}},
	} {
		got := fairWidths(c.natural, c.room)
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-6 {
				t.Errorf("%v in %v: %v, want %v", c.natural, c.room, got, c.want)
				break
			}
		}
	}
}

// TestSamplesAreOnePage: samples in a file of their own stand on one page, which ends where they do.
func TestSamplesAreOnePage(t *testing.T) {
	for _, n := range []int{1, 3, 9} {
		var samples []*Sample
		for range n {
			samples = append(samples, inventSample(64, 48, 5))
		}
		data, err := Samples("samples", samples, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Samples("samples", samples, time.Unix(0, 0))
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("written twice, it differs: %v", err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "s.pdf")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		if info := drawtest.Poppler(t, "pdfinfo", path); !strings.Contains(strings.Join(strings.Fields(info), " "),
			"Pages: 1 ") {
			t.Errorf("%d samples: %s", n, info)
		}
		drawtest.Poppler(t, "pdftoppm", "-cropbox", "-r", "72", "-png", "-singlefile", path, filepath.Join(dir, "s"))
		m := drawtest.OnWhite(drawtest.DecodePNG(t, filepath.Join(dir, "s.png")))
		last := 0
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				if m.RGBAAt(x, y).R < 200 {
					last = y
				}
			}
		}
		if white := m.Rect.Dy() - last; white > 30 {
			t.Errorf("%d samples: %d points of white below them", n, white)
		}
	}
}
