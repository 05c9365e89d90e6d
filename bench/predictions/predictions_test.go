package predictions

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners/tensor"
)

func writeScores(t *testing.T, name string, values ...float32) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	err = tensor.WriteNPY(f, tensor.Dense{Shape: []int{len(values), 1, 1}, Data: values})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestReadNaN refuses scores that have no order, of which class 0 would win in silence, and those without a mean.
func TestReadNaN(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cat.npy")
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		writeScores(t, name, 0, float32(bad))
		if _, err := Read(name); err == nil || !strings.Contains(err.Error(), "NaN or infinity") {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

// Scores that changed have another digest, wherever they did within a part that is looked at, and so has a longer file.
func TestDigest(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cat.npy")
	seen := map[string]int{}
	values := make([]float32, 5000)
	for i, change := range []int{0, 1, 2500, 4999} {
		values[change]++
		writeScores(t, name, values...)
		d, err := Digest(name)
		if other, known := seen[d]; err != nil || known {
			t.Errorf("change %d has the digest of change %d, %v", i, other, err)
		}
		seen[d] = i
	}
	writeScores(t, name, append(values, 0)...)
	d, err := Digest(name)
	if _, known := seen[d]; err != nil || known {
		t.Errorf("a longer file has the digest %q, %v", d, err)
	}
}

// Files that are of no sample are counted, and a folder without predictions says what it has.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	put := func(names ...string) {
		for _, name := range names {
			name = filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("cat.npz")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "1 other files, such as cat.npz") {
		t.Error(err)
	}
	put("cat.png", "cat.npy", "other/cat.png", "voc/cat.png", "dog.png", "a/bird.png")
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Match(Wanted{Dataset: "voc", IDs: []string{"cat", "cow"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := f.LeftOut(), "2 files of "+dir+" are named as no sample, the first is a/bird.png"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := f.Match(Wanted{IDs: []string{"dog", "bird"}}); err != nil || f.LeftOut() != "" {
		t.Errorf("%q, %v", f.LeftOut(), err)
	}
}
