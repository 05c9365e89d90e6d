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
