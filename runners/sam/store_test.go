package sam

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/sam/samtest"
	"ovbench/runners/tensor"
)

// An embedding that was kept is the one computed, by picture and model; a file that is cut short is computed anew.
func TestStore(t *testing.T) {
	folder := t.TempDir()
	kept, err := newStore(folder, "weights")
	if err != nil {
		t.Fatal(err)
	}
	a, b := resample.NewRGB(3, 2), resample.NewRGB(2, 3)
	d := tensor.Dense{Shape: []int{1, 2, 1, 1}, Data: []float32{1, 2}}
	if _, ok := kept.get(a, d.Shape); ok {
		t.Error("an empty store has an embedding")
	}
	if err := kept.put(a, d); err != nil {
		t.Fatal(err)
	}
	if got, ok := kept.get(a, d.Shape); !ok || !slices.Equal(got.Data, d.Data) {
		t.Errorf("got %v, want %v", got, d)
	}
	if _, ok := kept.get(a, []int{1, 1, 2, 1}); ok {
		t.Error("an embedding of another shape is taken")
	}
	if _, ok := kept.get(b, d.Shape); ok {
		t.Error("pictures of as many pixels are taken for each other")
	}
	other, err := newStore(folder, "other weights")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.get(a, d.Shape); ok {
		t.Error("another model's embedding is taken")
	}
	data, err := os.ReadFile(kept.path(a))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-6] ^= 1
	if err := os.WriteFile(kept.path(a), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := kept.get(a, d.Shape); ok {
		t.Errorf("a file with a bit of damage is taken: %v", got)
	}
	if err := os.Truncate(kept.path(a), 130); err != nil {
		t.Fatal(err)
	}
	if _, ok := kept.get(a, d.Shape); ok {
		t.Error("a file that is cut short is taken")
	}
}

// A second look at a picture computes nothing, and a picture that cannot be resized is refused before that.
func TestEmbedOnce(t *testing.T) {
	lib := library(t)
	path := filepath.Join(t.TempDir(), "sam.safetensors")
	if err := samtest.Write(path, samtest.Tiny, 1); err != nil {
		t.Fatal(err)
	}
	s, err := Load(lib, path, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Keep(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	folder := s.store.folder
	s.pixels = "normalised otherwise"
	if err := s.Keep(filepath.Dir(folder)); err != nil || s.store.folder == folder {
		t.Errorf("embeddings of pixels that are normalised otherwise share %s (%v)", folder, err)
	}
	img := gradient(40, 30)
	first, err := s.Embed(t.Context(), resample.FromNRGBA(img))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.network.(*native).encoder.Close(); err != nil { // it cannot compute any more
		t.Fatal(err)
	}
	again, err := s.Embed(t.Context(), resample.FromNRGBA(img))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Values.Data, again.Values.Data) || first.Frame != again.Frame {
		t.Error("the embedding that was kept is another one")
	}
	if _, err := s.Embed(t.Context(), resample.FromNRGBA(gradient(1, 500))); err == nil {
		t.Error("a picture without a shorter side is taken")
	}
	m, err := s.Segment(t.Context(), again, Prompt{Points: []Point{{20, 15, true}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Mask(m.Best())) != 40*30 || m.Best() == 0 {
		t.Errorf("a mask of %d pixels, number %d", len(m.Mask(m.Best())), m.Best())
	}
}
