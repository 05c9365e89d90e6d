package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"ovbench/runners/tensor"
)

// twoOutputs is a model with weights beside it, as other programs export large ones.
func twoOutputs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "weights.bin"), make([]byte, 4*4*2*2), 0o666); err != nil {
		t.Fatal(err)
	}
	g := New()
	x := g.Input("x", tensor.F32, 1, 1, 4, 4)
	w := g.Weight("kernel", tensor.Ref{Path: "weights.bin", Length: 64, DType: tensor.F32, Shape: []int{4, 1, 2, 2}})
	y := g.Conv(x, w, Value{}, 2, 0)
	g.Output("y", y)
	g.Output("z", g.Sigmoid(y))
	model, err := g.model(func(b []byte, l *leaf) ([]byte, error) { return external(b, l.ref.Path, 0, l.ref.Length), nil })
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, model, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAdopt(t *testing.T) {
	path := twoOutputs(t)
	f, err := Adopt(path, func(name string) bool { return name == "y" })
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Ops, " "); got != "Conv Identity Sigmoid" || f.Patch != 2 || len(f.Files) != 2 {
		t.Errorf("operators %s, patch %d, files %v", got, f.Patch, f.Files)
	}
	real, err := filepath.EvalSymlinks(filepath.Join(filepath.Dir(path), "weights.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(f.Model, []byte(strings.TrimPrefix(real, "/"))) {
		t.Error("the place of weights is not absolute")
	}
	outputs := 0
	err = walk(f.Model, func(num protowire.Number, _, content []byte) error {
		if num != 7 {
			return nil
		}
		return walk(content, func(num protowire.Number, _, _ []byte) error {
			if num == 12 {
				outputs++
			}
			return nil
		})
	})
	if err != nil || outputs != 1 {
		t.Errorf("%d outputs are left (%v), want 1", outputs, err)
	}
	if _, err = Adopt(path, func(string) bool { return false }); err == nil ||
		!strings.Contains(err.Error(), "its outputs are y, z") {
		t.Errorf("error %v", err)
	}
	outside := bytes.ReplaceAll(mustRead(t, path), []byte("weights.bin"), []byte("../../a.bin"))
	if err := os.WriteFile(path, outside, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err = Adopt(path, func(string) bool { return true }); err == nil ||
		!strings.Contains(err.Error(), "outside of the model's folder") {
		t.Errorf("weights outside of the folder: %v", err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Whatever bytes a file holds, adopting it ends.
func FuzzAdopt(f *testing.F) {
	f.Add([]byte{0x3a, 0x02, 0x0a, 0x00})
	f.Add([]byte("\x3a\x10\x62\x03\x0a\x01y\x0a\x08\x22\x04Conv\x2a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		_, _ = Adopt(path, func(string) bool { return true })
	})
}
