package runners_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/ort"
)

// operators runs one picture and counts the operators that ONNX Runtime has executed, by its profile.
func operators(t testing.TB, m *clip.Model) map[string]int {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "profile")
	r, err := runners.NewImages(library(t), m, named(t, "clip"),
		runners.ImageOptions{Session: ort.Options{Profile: prefix}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Tokens(t.Context(), random(1, 64, 96)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(prefix + "*.json")
	if err != nil || len(files) != 1 {
		t.Fatalf("profiles %v, %v", files, err)
	}
	var events []struct {
		Name string
		Args struct {
			Op string `json:"op_name"`
		}
	}
	loadJSON(t, files[0], &events)
	count := map[string]int{}
	for _, e := range events {
		if strings.HasSuffix(e.Name, "_kernel_time") {
			count[e.Args.Op]++
		}
	}
	return count
}

// ONNX Runtime folds all BatchNorms into their convolutions, of f32 weights and of half-precision ones, which a Cast
// stands between.
func TestBatchNormIsFolded(t *testing.T) {
	dir := t.TempDir()
	path, err := cliptest.WriteResNet(dir, cliptest.ResNet{Stages: [4]int{1, 1, 1, 1}, Width: 8, Image: 64, Embed: 12,
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 1)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{path}
	if dir, ok := goldenFolder(); ok {
		for _, form := range resnetForms {
			paths = append(paths, filepath.Join(dir, "tiny-rn", form))
		}
	}
	for _, path := range paths {
		m, err := clip.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		count := operators(t, m)
		blocks := m.Stages[0] + m.Stages[1] + m.Stages[2] + m.Stages[3]
		if want := 3 + 3*blocks + 4; count["Conv"] != want || count["BatchNormalization"] != 0 || count["Cast"] != 0 ||
			count["Mul"] != 1 {
			t.Errorf("%s: %v, want %d convolutions, the product that normalises pixels, and nothing that a BatchNorm has left",
				path, count, want)
		}
	}
}

// BenchmarkResNet is one picture at 224 px through RN50: clip, and clip beside clip_surgery. The metric is the ratio of
// best times.
func BenchmarkResNet(b *testing.B) {
	dir := b.TempDir()
	path, err := cliptest.WriteResNet(dir, cliptest.RN50, 1)
	if err != nil {
		b.Fatal(err)
	}
	m, err := clip.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	at := func(names ...string) *runners.Images {
		return images(b, m, named(b, names...), runners.ImageOptions{Height: 224, Width: 224})
	}
	best := race(b, noise(224), map[string]*runners.Images{"clip": at("clip"), "both": at("clip", "clip_surgery")})
	b.ReportMetric(best["clip"], "clip-sec")
	b.ReportMetric(best["both"]/best["clip"], "both/clip")
}
