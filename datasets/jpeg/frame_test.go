package jpeg

import (
	"bytes"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// Whatever bytes come, there is a picture or none, and one that image/jpeg reads as well has its size.
func FuzzReadJPEG(f *testing.F) {
	files, err := filepath.Glob("../picture/testdata/pixels/*.jpg")
	if err != nil || len(files) == 0 {
		f.Fatal("no JPEGs", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := jpeg.DecodeConfig(bytes.NewReader(data))
		if err != nil || c.Width*c.Height > 1<<16 || len(data) < 2 {
			return
		}
		if m := read(data); m != nil && (m.Bounds().Dx() != c.Width || m.Bounds().Dy() != c.Height) {
			t.Errorf("%v, want %dx%d", m.Bounds(), c.Width, c.Height)
		}
	})
}

// The files of testdata are decoded here, not by image/jpeg, whose pixels differ.
func TestReadJPEGKnowsUsualFiles(t *testing.T) {
	files, err := filepath.Glob("../picture/testdata/pixels/*.jpg")
	if err != nil || len(files) == 0 {
		t.Fatal("no JPEGs", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if read(data) == nil {
			t.Errorf("%s is left to image/jpeg", name)
		}
	}
}
