package reports

import (
	"context"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	xdraw "golang.org/x/image/draw"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// alike compares two drawings of a figure as they look from afar: letters have other edges on every canvas.
func alike(t *testing.T, what string, want, got image.Image) {
	t.Helper()
	w, h := want.Bounds().Dx()/6, want.Bounds().Dy()/6
	small := func(img image.Image) *image.Gray {
		out := image.NewGray(image.Rect(0, 0, w, h))
		xdraw.BiLinear.Scale(out, out.Rect, onWhite(img), image.Rect(0, 0, want.Bounds().Dx(), want.Bounds().Dy()), xdraw.Src, nil)
		return out
	}
	a, b := small(want), small(got)
	sum, worst := 0, 0
	for i := range a.Pix {
		d := max(a.Pix[i], b.Pix[i]) - min(a.Pix[i], b.Pix[i])
		sum, worst = sum+int(d), max(worst, int(d))
	}
	mean := float64(sum) / float64(len(a.Pix))
	t.Logf("%s: grey values differ by %.2f in the mean, %d at most", what, mean, worst)
	if mean > 2.5 || worst > 75 {
		path := filepath.Join(t.ArtifactDir(), what+".png")
		if err := WritePNG(path, got); err != nil {
			t.Error(err)
		}
		t.Errorf("%s differs by %.2f in the mean, %d at most; see %s (-artifacts keeps it)", what, mean, worst, path)
	}
}

// canvasFigures have lines, dashes, dots of all shapes, fields, turned and coloured text.
func canvasFigures(t *testing.T) []figure {
	few := rich(plan{methods: 5, sets: 1, classes: 7})
	var out []figure
	for _, name := range []string{"scores", "classes-PASCAL-VOC-21-segmentation", "confusions-PASCAL-VOC-21-segmentation", "curve-fg-mIoU-over-threshold-PASCAL-VOC-21-explain"} {
		out = append(out, figureOf(t, name, few))
	}
	return append(out, figureOf(t, "sweep-size-PASCAL-VOC-21", resized()...))
}

// A figure is the same in a picture and on a page, where poppler draws it.
func TestPDFFiguresLookLikePictures(t *testing.T) {
	for _, f := range canvasFigures(t) {
		whole := f.alone()
		data, err := whole.pdf(time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "f.pdf")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		poppler(t, "pdftoppm", "-r", "144", "-png", "-singlefile", path, filepath.Join(dir, "f"))
		alike(t, f.name, whole.picture(144), decodePNG(t, filepath.Join(dir, "f.png")))
	}
}

// A figure is the same in a picture and as SVG, where Chromium draws it.
func TestSVGFiguresLookLikePictures(t *testing.T) {
	chromium := browser(t)
	for _, f := range canvasFigures(t) {
		whole := f.alone()
		want := whole.picture(144)
		dir := t.TempDir()
		page, shot := filepath.Join(dir, "f.html"), filepath.Join(dir, "f.png")
		svg := `<body style="margin:0">` + string(whole.scaledSVG(1.5)) // a point is 4/3 pixels there
		if err := os.WriteFile(page, []byte(svg), 0o666); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		out, err := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
			"--window-size="+strconv.Itoa(want.Bounds().Dx()+40)+","+strconv.Itoa(want.Bounds().Dy()+40), "--screenshot="+shot, "file://"+page).CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		alike(t, f.name, want, decodePNG(t, shot))
	}
}

// TestNamesAreSeen: a name in letters that the font lacks leaves something to see in a picture, too.
func TestNamesAreSeen(t *testing.T) {
	written := func(s string) image.Image {
		f := figure{w: 60, h: 20, draw: func(c draw.Canvas) { c.FillText(lettering(9), vg.Point{X: 2, Y: 5}, s) }}
		return f.picture(100)
	}
	if diff := cmp.Diff(written("?? a"), written("日本 a")); diff != "" {
		t.Error("letters that the font lacks are not question marks")
	}
	if cmp.Equal(written("?? a"), written(" a")) {
		t.Error("question marks cannot be seen")
	}
}
