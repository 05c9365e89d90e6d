package predictions

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners/tensor"
)

// TestReadNaN refuses scores that have no order: class 0 would win in silence.
func TestReadNaN(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cat.npy")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	err = tensor.WriteNPY(f, tensor.Dense{Shape: []int{2, 1, 1}, Data: []float32{0, float32(math.NaN())}})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(name); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("error %v; want one that names NaN", err)
	}
}
