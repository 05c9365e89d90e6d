package datasets

import (
	"os"
	"testing"

	"ovbench/datasets/labelmap"
)

// FuzzImageNetSLabels: whatever the bytes, no panic, and labels are in range.
func FuzzImageNetSLabels(f *testing.F) {
	for _, name := range []string{"testdata/imagenets/ImageNetS919/validation-segmentation/n15075141/ILSVRC2012_val_00000919.png", "picture/testdata/pixels/rgb.png", "picture/testdata/pixels/rgba.png"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := imagenetsLabels(data, 920)
		if err != nil {
			return
		}
		if len(l.Pix) != l.W*l.H || len(l.Pix) == 0 {
			t.Fatalf("%d labels of %dx%d", len(l.Pix), l.W, l.H)
		}
		for _, v := range l.Pix {
			if v != labelmap.Ignore && v >= 920 {
				t.Fatalf("label %d", v)
			}
		}
	})
}
