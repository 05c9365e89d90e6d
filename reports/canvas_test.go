package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ovbench/reports/draw/drawtest"
	"ovbench/reports/pdf"
)

// canvasFigures have lines, dashes, dots of all shapes, fields, turned and coloured text.
func canvasFigures(t *testing.T) []figure {
	few := rich(plan{methods: 5, sets: 1, classes: 7})
	var out []figure
	for _, name := range []string{"scores-segmentation", "classes-PASCAL-VOC-21-segmentation",
		"confusions-PASCAL-VOC-21-segmentation", "curve-fg-mIoU-over-threshold-PASCAL-VOC-21-explanation"} {
		out = append(out, figureOf(t, name, few))
	}
	return append(out, figureOf(t, "sweep-size-PASCAL-VOC-21", resized()...))
}

// A figure is the same in a picture and on a page, where poppler draws it. Letters have other edges on every canvas, so
// that pictures are compared as they look from afar.
func TestPDFFiguresLookLikePictures(t *testing.T) {
	for _, f := range canvasFigures(t) {
		whole := f.Alone()
		data, err := pdf.Figure(&whole, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "f.pdf")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		drawtest.Poppler(t, "pdftoppm", "-r", "144", "-png", "-singlefile", path, filepath.Join(dir, "f"))
		drawtest.Alike(t, f.Name, whole.Picture(144), drawtest.DecodePNG(t, filepath.Join(dir, "f.png")), 6, 2.5, 90)
	}
}

// A figure is the same in a picture and as SVG, where Chromium draws it.
func TestSVGFiguresLookLikePictures(t *testing.T) {
	for _, f := range canvasFigures(t) {
		whole := f.Alone()
		want := whole.Picture(144)
		dir := t.TempDir()
		page, shot := filepath.Join(dir, "f.html"), filepath.Join(dir, "f.png")
		svg := `<body style="margin:0">` + string(whole.ScaledSVG(1.5)) // a point is 4/3 pixels there
		if err := os.WriteFile(page, []byte(svg), 0o666); err != nil {
			t.Fatal(err)
		}
		drawtest.Browser(t, page, fmt.Sprintf("--window-size=%d,%d", want.Bounds().Dx()+40, want.Bounds().Dy()+40),
			"--screenshot="+shot)
		drawtest.Alike(t, f.Name, want, drawtest.DecodePNG(t, shot), 6, 2.5, 90)
	}
}
