package labelmap

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRead: whatever the bytes, no panic, and a map has its pixels, read as numbers, as red + 256 green or by a table
// of colours.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob("../picture/testdata/pixels/*.*")
	if err != nil || len(names) == 0 {
		f.Fatal("no pictures", err)
	}
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil && len(data) < 4096 {
			f.Add(data)
		}
	}
	table := Colours{{0, 0, 0}: 0, {128, 0, 0}: 1, {255, 255, 255}: Ignore}
	byTable := func(data []byte) (Map, error) {
		return decodeColours(data, true, func(r, g, b uint8) (uint16, error) {
			if v, ok := table[[3]uint8{r, g, b}]; ok {
				return v, nil
			}
			return 0, ErrValue
		})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width*c.Height > 1<<20 {
			return // formats are registered by package picture
		}
		for _, read := range []func([]byte) (Map, error){decode, DecodeIDs, byTable} {
			if l, err := read(data); err == nil && (len(l.Pix) != l.W*l.H || len(l.Pix) == 0) {
				t.Fatalf("%d labels of %dx%d", len(l.Pix), l.W, l.H)
			}
		}
	})
}
