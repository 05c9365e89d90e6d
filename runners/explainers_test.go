package runners_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/methods/methodstest"
	"ovbench/runners/tensor"
)

func TestRecordedExplainers(t *testing.T) {
	dir := golden(t)
	for model, c := range map[string]struct {
		methods map[string]string
		texts   tensor.Dense
		images  []string
	}{
		// The softmax targets are over all seven texts.
		"tiny-vit": {methodstest.RecordedOnViT, recordedTexts(t, filepath.Join(dir, "tiny-vit", "text_embedding.npy"), 0, 3, 1, 2, 4,
			5, 6), []string{"a_64", "b_64", "a_96x160", "b_96x160", "a_160"}},
		"tiny-rn": {methodstest.RecordedOnResNet, recordedTexts(t, filepath.Join(dir, "tiny-rn", "class_embedding.npy"), 0, 1),
			[]string{"a_64", "b_64", "a_128", "b_128"}},
	} {
		m, err := clip.Open(filepath.Join(dir, model, "hf"))
		if err != nil {
			if m, err = clip.Open(filepath.Join(dir, model, "openai.pt")); err != nil {
				t.Fatal(err)
			}
		}
		var ms []runners.Named
		for name, spec := range c.methods {
			method, err := methods.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, runners.Named{Name: name, Method: method})
		}
		for _, standard := range []bool{false, true} {
			if standard { // what searches runs the same graphs again and again
				ms = slices.DeleteFunc(ms, func(n runners.Named) bool { return strings.Contains(n.Name, "scorecam") })
			}
			compareExplainers(t, filepath.Join(dir, "explainers", model),
				images(t, m, ms, runners.ImageOptions{Similarities: true, StandardOps: standard}),
				c.texts, filepath.Join(dir, model), c.images)
		}
	}
}

// compareExplainers compares the values of all methods for the first two texts with those that were recorded under
// their names.
func compareExplainers(t *testing.T, recorded string, r *runners.Images, texts tensor.Dense, pictures string,
	names []string) {
	t.Helper()
	for _, image := range names {
		pixels := raw(load(t, filepath.Join(pictures, image+"_pixels.npy")))
		results := explained(t, r, pixels, runners.TextSet{Texts: texts, Explained: []int{0, 1}})
		for i, name := range r.Methods() {
			file := filepath.Join(recorded, image+"."+name+".npy")
			if _, err := os.Stat(file); err != nil && strings.Contains(name, "scorecam") {
				continue // recorded of some images only
			}
			want := load(t, file)
			equal(t, fmt.Sprintf("%s of %s", name, image), byText(results[i], len(want.Data)/(results[i].Rows*results[i].Cols)),
				want)
		}
	}
}

// explained are the values of one picture, method by method.
func explained(t *testing.T, r *runners.Images, pixels tensor.Dense, sets ...runners.TextSet) (out []runners.Maps) {
	t.Helper()
	scan, err := r.Scan(t.Context(), runners.Picture{Pixels: pixels}, runners.Sliding{}, sets...)
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for _, s := range sets {
		texts += s.Texts.Shape[0]
	}
	for i := range r.Methods() {
		out = append(out, scan.Maps(i, 0, 0, texts))
	}
	return out
}

// byText are the values of the first texts [texts, rows, cols].
func byText(m runners.Maps, texts int) tensor.Dense {
	n := m.Rows * m.Cols
	all := len(m.Patches) / n
	out := tensor.New(texts, m.Rows, m.Cols)
	for k := range texts {
		for i := range n {
			out.Data[k*n+i] = m.Patches[i*all+k]
		}
	}
	if texts == 1 {
		out.Shape = out.Shape[1:]
	}
	return out
}
