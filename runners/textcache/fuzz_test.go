package textcache

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever a file of the cache holds, what is not known stays as it was, and a damaged file does no harm to others.
func FuzzFill(f *testing.F) {
	seed, err := Open(f.TempDir(), 2, "m")
	if err != nil {
		f.Fatal(err)
	}
	if err := seed.Add([]ID{IDOf([]int32{1}), IDOf([]int32{2})}, [][]float32{{1, 2}, {3, 4}}); err != nil {
		f.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(seed.dir, "*"+extension))
	if err != nil || len(files) != 1 {
		f.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		c := open(t, t.TempDir(), 2, "m")
		if err := os.WriteFile(filepath.Join(c.dir, "a"+extension), data, 0o600); err != nil {
			t.Fatal(err)
		}
		row := []float32{7, 8}
		if missing := c.Fill([]ID{IDOf([]int32{9})}, [][]float32{row}); len(missing) != 1 || row[0] != 7 || row[1] != 8 {
			t.Fatalf("%v is missing, the row is %v", missing, row)
		}
	})
}
