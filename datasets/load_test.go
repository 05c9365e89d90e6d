package datasets

import (
	"bytes"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ovbench/datasets/jpeg"
	"ovbench/datasets/labelmap"
)

// loadScenes are pictures as large as those of VOC and Cityscapes.
var loadScenes = []struct{ w, h int }{{500, 375}, {2048, 1024}}

// BenchmarkLoad reads samples, picture and label map, on one core. Where OVBENCH_PYTHON names a Python with numpy and
// Pillow, the same files are read by Pillow right afterwards, and x-pillow is how many times longer this package takes.
func BenchmarkLoad(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, size := range loadScenes {
		b.Run(fmt.Sprintf("%s/%dx%d", strings.ReplaceAll(jpeg.Decoder, "/", "-"), size.w, size.h), func(b *testing.B) {
			root := loadTree(b, size.w, size.h)
			ds, err := Open("voc21", Options{Root: root})
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				if _, err := ds.At(i % ds.Len()); err != nil {
					b.Fatal(err)
				}
				i++
			}
			perSample := b.Elapsed().Seconds() / float64(i)
			if pillow := loadWithPillow(b, root); pillow > 0 {
				b.ReportMetric(1000*pillow, "pillow-ms")
				b.ReportMetric(perSample/pillow, "x-pillow")
			}
		})
	}
}

// loadTree draws four pictures of a size in the layout of VOC.
func loadTree(b *testing.B, w, h int) string {
	b.Helper()
	root := b.TempDir()
	var ids []string
	for k := range 4 {
		s := scene{id: fmt.Sprintf("load_%d", k), w: w, h: h, ground: meadow, things: []thing{
			{"sheep", street, []shape{oval(w/3+10*k, h/2, w/5, h/6)}},
			{"person", water, []shape{oval(2*w/3, h/4, w/12, h/10), box(2*w/3-w/10, h/3, 2*w/3+w/10, 3*h/4+k)}},
		}}
		var picture bytes.Buffer
		if err := stdjpeg.Encode(&picture, s.picture(), &stdjpeg.Options{Quality: 90}); err != nil {
			b.Fatal(err)
		}
		dir := filepath.Join(root, "VOC2012")
		write(b, filepath.Join(dir, "JPEGImages", s.id+".jpg"), picture.Bytes())
		write(b, filepath.Join(dir, "SegmentationClass", s.id+".png"),
			encodePNG(b, &image.Paletted{Pix: s.labels(), Stride: w, Rect: image.Rect(0, 0, w, h), Palette: labelmap.Palette()}))
		ids = append(ids, s.id)
	}
	write(b, filepath.Join(root, "VOC2012", "ImageSets", "Segmentation", "val.txt"), []byte(strings.Join(ids, "\n")))
	return root
}

// loadWithPillow is Pillow's time per sample in seconds, 0 without OVBENCH_PYTHON.
func loadWithPillow(b *testing.B, root string) float64 {
	b.Helper()
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" {
		return 0
	}
	out, err := exec.CommandContext(b.Context(), python, "testdata/load.py", filepath.Join(root, "VOC2012"),
		"2").CombinedOutput()
	var seconds float64
	var version string
	if _, scanErr := fmt.Sscan(string(out), &seconds, &version); err != nil || scanErr != nil {
		b.Fatalf("OVBENCH_PYTHON: %v\n%s", err, out)
	}
	return seconds
}
