package datasets

import (
	"image"
	"os"
	"path/filepath"
	"testing"

	"ovbench/datasets/labelmap"
)

// FuzzCityscapesDrawing: whatever the bytes, no panic; a map is as large as the picture and holds label or instance
// ids.
func FuzzCityscapesDrawing(f *testing.F) {
	seeds, err := filepath.Glob("testdata/cityscapes/gtFine/val/*/*.json")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, s := range seeds {
		data, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 96, 48)
	}
	f.Add([]byte(`{"imgWidth":3,"imgHeight":2,"objects":[{"label":"cargroup","polygon":[[-1e6,0.5],[1e6,1],[2,2]],"deleted":""}]}`), 3, 2)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, w, h int) {
		if w < 1 || h < 1 || w > 200 || h > 200 {
			return
		}
		path := filepath.Join(dir, "x.json")
		write(t, path, data)
		for _, paint := range []func(*cityscapesDrawing) (labelmap.Map, error){(*cityscapesDrawing).labelIDs,
			(*cityscapesDrawing).instanceIDs} {
			l, err := cityscapesDrawn(paint)(path, "x.png", image.Pt(w, h))
			if err != nil {
				continue
			}
			if l.W != w || l.H != h || len(l.Pix) != w*h {
				t.Fatalf("map of %dx%d for %dx%d", l.W, l.H, w, h)
			}
			if err := checkCityscapesInstances(l); err != nil {
				t.Fatal(err)
			}
		}
	})
}
