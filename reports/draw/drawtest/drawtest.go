// Package drawtest helps tests of what is drawn: pictures to draw on, golden files, and what must hold of every
// picture.
package drawtest

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Update asks for golden files to be written again.
var Update = flag.Bool("update", false, "rewrite golden files")

// Scene is a picture of a few flat shapes.
func Scene(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	fill := func(r image.Rectangle, c color.RGBA) { draw.Draw(m, r, image.NewUniform(c), image.Point{}, draw.Src) }
	fill(m.Rect, color.RGBA{170, 200, 230, 255})
	fill(image.Rect(0, h*2/3, w, h), color.RGBA{120, 150, 90, 255})
	radius := float64(min(w, h)) / 5
	for y := range h {
		for x := range w {
			if math.Hypot(float64(x)+0.5-float64(w)/2, float64(y)+0.5-float64(h)/2) < radius {
				m.SetRGBA(x, y, color.RGBA{200, 120, 60, 255})
			}
		}
	}
	return m
}

// Bump is a hill in the middle of a map.
func Bump(w, h int) []float32 {
	m := make([]float32, w*h)
	for y := range h {
		for x := range w {
			dx, dy := float64(2*x-w)/float64(w), float64(2*y-h)/float64(h)
			m[y*w+x] = float32(math.Exp(-4 * (dx*dx + dy*dy)))
		}
	}
	return m
}

// OnWhite is a copy of img without transparency, from the origin.
func OnWhite(img image.Image) *image.RGBA {
	b := img.Bounds()
	m := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(m, m.Rect, img, b.Min, draw.Over)
	return m
}

// DecodePNG reads a file.
func DecodePNG(t testing.TB, path string) image.Image {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return img
}

// write writes a picture, small.
func write(t testing.TB, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Golden compares with a picture in testdata, looked at when it was written. Processors that fuse multiplications and
// additions may round a channel otherwise, so that a little difference is allowed.
func Golden(t *testing.T, name string, got image.Image) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *Update {
		write(t, path, got)
	}
	Alike(t, name, DecodePNG(t, path), got, 1, 0.01, 4)
}

// Alike compares two pictures, each reduced so many times: by how much grey values may differ in the mean, and at most.
func Alike(t *testing.T, name string, want, got image.Image, reduce int, mean float64, most int) {
	t.Helper()
	if want.Bounds().Size() != got.Bounds().Size() && reduce == 1 {
		t.Errorf("%s: %v, want %v", name, got.Bounds(), want.Bounds())
		return
	}
	a, b := reduced(want, reduce, want.Bounds()), reduced(got, reduce, want.Bounds())
	sum, worst := 0, 0
	for i := range a {
		d := max(a[i]-b[i], b[i]-a[i])
		sum, worst = sum+d, max(worst, d)
	}
	if m := float64(sum) / float64(len(a)); m > mean || worst > most {
		path := filepath.Join(t.ArtifactDir(), strings.TrimSuffix(name, ".png")+".png")
		write(t, path, got)
		t.Errorf("%s differs by %.2f in the mean, %d at most; see %s (-artifacts keeps it)", name, m, worst, path)
	}
}

// reduced is the mean of every n x n pixels of an area, channel by channel.
func reduced(img image.Image, n int, area image.Rectangle) []int {
	m := OnWhite(img)
	var out []int
	for y := 0; y+n <= area.Dy(); y += n {
		for x := 0; x+n <= area.Dx(); x += n {
			for c := range 3 {
				sum := 0
				for k := range n * n {
					at := image.Pt(x+k%n, y+k/n)
					if !at.In(m.Rect) {
						sum += 255
						continue
					}
					sum += int(m.Pix[m.PixOffset(at.X, at.Y)+c])
				}
				out = append(out, sum/(n*n))
			}
		}
	}
	return out
}

// MarginIsWhite fails where something is cut at the edge of a picture.
func MarginIsWhite(t *testing.T, name string, img image.Image) {
	t.Helper()
	m := OnWhite(img)
	inner := m.Rect.Inset(3)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			if !image.Pt(x, y).In(inner) && m.RGBAAt(x, y) != (color.RGBA{255, 255, 255, 255}) {
				t.Errorf("%s: ink at the edge, (%d, %d) of %v", name, x, y, m.Rect)
				return
			}
		}
	}
}

// need is the path of a program of a Debian package, or the test is skipped.
func need(t testing.TB, debian string, programs ...string) string {
	t.Helper()
	for _, p := range programs {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	if os.Getenv("OVBENCH_PARITY") == "1" {
		t.Fatalf("no %s: install the Debian package %s", programs[0], debian)
	}
	t.Skipf("no %s: install the Debian package %s", programs[0], debian)
	return ""
}

// Poppler runs one of its tools, or the test is skipped.
func Poppler(t testing.TB, tool string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), need(t, "poppler-utils", tool), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", tool, args, err, out)
	}
	return string(out)
}

// Browser opens a page in headless Chromium, away from any network, and returns what it writes to standard output and
// the lines of its log; or the test is skipped.
func Browser(t testing.TB, page string, args ...string) (out string, log []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + t.TempDir()}, args...)
	c := exec.CommandContext(ctx, need(t, "chromium", "chromium", "chromium-browser", "google-chrome"),
		append(args, "file://"+page)...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return stdout.String(), strings.Split(stderr.String(), "\n")
}
