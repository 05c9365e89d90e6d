package methods_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// openModel is the built-in random model, or a random one of 16-pixel patches.
func openModel(t *testing.T, random bool) *clip.Model {
	t.Helper()
	dir := t.TempDir()
	err := os.CopyFS(dir, clip.Micro())
	if random {
		dir = t.TempDir()
		err = cliptest.Write(dir, cliptest.Shape{Image: 32, Patch: 16, Embed: 16, Vision: cliptest.Tower{Width: 64, Layers: 2,
			Heads: 1}, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}, 3)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func library(t *testing.T) *ort.Library {
	t.Helper()
	lib, err := ort.Load("")
	if err != nil {
		t.Skip("ONNX Runtime is not here (make setup): " + err.Error())
	}
	return lib
}

func random(shape ...int) tensor.Dense {
	rng := rand.New(rand.NewPCG(1, 2))
	d := tensor.New(shape...)
	for i := range d.Data {
		d.Data[i] = float32(rng.IntN(256))
	}
	return d
}

// The examples of CONTRIBUTING.md do what they say: a scored reading beside plain CLIP's cosines, and one on the grid
// of a second network, whose patches are in the place of CLIP's own where all are taken to be alike.
func TestExampleReadings(t *testing.T) {
	m, other := openModel(t, false), openModel(t, true).Encoder().(*clip.ViT).Tower
	other.Prefix = "other."
	texts := random(3, m.Embed)
	runners.Normalize(texts)
	ms := []runners.Named{{Name: "clip", Method: &methods.CLIP{}}, {Name: "gated", Method: &methods.GatedCLIP{}},
		{Name: "lent", Method: &methods.LentCLIP{}}}
	const h, w = 48, 80
	for _, open := range []bool{true, false} {
		o := runners.ImageOptions{Height: h, Width: w, Similarities: true,
			Backbones: map[string]methods.Backbone{"other": &other}}
		if open {
			o.Height, o.Width = 0, 0
		}
		images, err := runners.NewImages(library(t), m, ms, o)
		if err != nil {
			t.Fatal(err)
		}
		defer images.Close()
		out, err := images.Similarities(t.Context(), random(2, 3, h, w), texts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			plain, gated, lent := out[0].At(i), out[1].At(i), out[2].At(i)
			for k, v := range plain.Patches {
				if want := max(plain.Global[k%3], 0) * v; math.Abs(float64(gated.Patches[k]-want)) > 1e-6 {
					t.Fatalf("picture %d, value %d is %v, want %v", i, k, gated.Patches[k], want)
				}
			}
			// At temperature 0 all patches are alike: one mean for all, on the other grid.
			if lent.Rows != 3 || lent.Cols != 5 || len(lent.Patches) != 15*3 || plain.Rows == lent.Rows {
				t.Fatalf("a grid of %dx%d with %d values", lent.Rows, lent.Cols, len(lent.Patches))
			}
			for k, v := range lent.Patches {
				if math.Abs(float64(v-lent.Patches[k%3])) > 1e-5 {
					t.Fatalf("picture %d: cell %d is %v, the first one %v", i, k/3, v, lent.Patches[k%3])
				}
			}
		}
		checkLentScan(t, images, texts)
	}
	o := runners.ImageOptions{Similarities: true}
	if _, err := runners.NewImages(library(t), m, ms, o); err == nil {
		t.Error("a method without its second network is accepted")
	}
	if _, err := runners.NewImages(library(t), m, ms[:2], runners.ImageOptions{}); err == nil {
		t.Error("a method without its texts is accepted")
	}
}

// checkLentScan compares windows, each method's in its own padding, with windows run alone.
func checkLentScan(t *testing.T, images *runners.Images, texts tensor.Dense) {
	t.Helper()
	pixels := random(1, 3, 48, 80)
	scan, err := images.Scan(t.Context(), runners.Picture{Pixels: pixels},
		runners.Sliding{}, runners.TextSet{Texts: texts})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := images.Similarities(t.Context(), pixels, texts)
	if err != nil {
		t.Fatal(err)
	}
	for m := range alone {
		a, b := scan.Maps(m, 0, 0, 3), alone[m].At(0)
		if a.Rows != b.Rows || len(a.Patches) != len(b.Patches) || math.Abs(float64(a.Patches[5]-b.Patches[5])) > 1e-6 {
			t.Errorf("method %d: a scan of %dx%d, alone %dx%d", m, a.Rows, a.Cols, b.Rows, b.Cols)
		}
		plane := make([]float32, 48*80)
		scan.Mosaic(m, 0, 3).Plane(plane, 80, 48, 1)
	}
}
