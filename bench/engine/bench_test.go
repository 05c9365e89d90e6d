package engine

import (
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
	"ovbench/runners/clip"
)

// BenchmarkSample is what a sample costs before the network: a 500x375 JPEG and its label map decoded, resized to
// 512x512, normalised, on one core; against the same with Pillow and numpy in the same run, where OVBENCH_PYTHON names
// a Python with both.
func BenchmarkSample(b *testing.B) {
	dir := b.TempDir()
	file, labels := filepath.Join(dir, "a.jpg"), filepath.Join(dir, "a.png")
	rng := rand.New(rand.NewPCG(1, 1))
	img, truth := image.NewRGBA(image.Rect(0, 0, 500, 375)), image.NewGray(image.Rect(0, 0, 500, 375))
	for y := range 375 {
		for x := range 500 {
			n := uint8(rng.IntN(40))
			img.SetRGBA(x, y, color.RGBA{uint8(x/2) + n, uint8(y/2) + n, uint8((x*y)/900) + n, 255})
			truth.Pix[y*500+x] = uint8((x / 60) + (y/90)*4)
		}
	}
	for path, encode := range map[string]func(*os.File) error{
		file:   func(f *os.File) error { return jpeg.Encode(f, img, &jpeg.Options{Quality: 90}) },
		labels: func(f *os.File) error { return png.Encode(f, truth) },
	} {
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := encode(f); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		s, err := picture.Read(file, picture.AsStored)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := labelmap.Read(labels); err != nil {
			b.Fatal(err)
		}
		if _, err := clip.Preprocess(s, 512, 512, clip.Squash, clip.FilterBicubic); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(1e3*best.Seconds(), "best-ms")
	if py := os.Getenv("OVBENCH_PYTHON"); py != "" {
		out, err := exec.CommandContext(b.Context(), py, "../testdata/peer/load.py", file, labels,
			strconv.Itoa(max(b.N, 20))).Output()
		if err != nil {
			b.Fatal(err)
		}
		theirs, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(best.Seconds()/theirs, "ours/pillow")
	}
}
