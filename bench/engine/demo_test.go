package engine

import (
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/datasets"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
)

// zeroShot is what runners/clip/demo/evaluate.py, PyTorch in float32, measured of one split.
type zeroShot struct {
	Shape, Colour, Pair, Ground float64
	Singles                     int `json:"single_things"`
	SingleGrounds               int `json:"single_grounds"`
}

// The built-in model names things here as often as in the program that trained it, and more than ten times as often as
// chance would; pairs that training never showed as well.
func TestDemoModel(t *testing.T) {
	demo(t) // skips without the library
	data, err := os.ReadFile("../../runners/clip/demo/evaluation.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]zeroShot
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	look := newLooker(t)
	for _, split := range []string{"val", "heldout"} {
		w := want[split]
		got, singles := look.pairs(t, split)
		if singles != w.Singles {
			t.Errorf("%s: %d pictures of one thing, the program saw %d", split, singles, w.Singles)
		}
		// A picture between two classes may fall to either side in the last digits.
		if math.Abs(got-w.Pair)*float64(singles) > 2 {
			t.Errorf("%s: %.3f of the pairs are right, in the program %.3f", split, got, w.Pair)
		}
		if got < 10./64 {
			t.Errorf("%s: %.3f of the pairs are right; chance is %.3f", split, got, 1./64)
		}
	}
}

// looker is the built-in model with its towers open.
type looker struct {
	model  *Model
	texts  *runners.Texts
	images *runners.Images
}

func newLooker(t *testing.T) looker {
	t.Helper()
	m, err := OpenModel(ModelOptions{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	lib, err := ort.Load("")
	if err != nil {
		t.Fatal(err)
	}
	texts, err := runners.NewTexts(lib, m.Model, m.Tokenizer, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { texts.Close() })
	method, err := methods.New("clip", nil)
	if err != nil {
		t.Fatal(err)
	}
	images, err := runners.NewImages(lib, m.Model, []runners.Named{{Name: "clip", Method: method}},
		runners.ImageOptions{Height: m.Image, Width: m.Image, Similarities: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { images.Close() })
	return looker{m, texts, images}
}

// pairs is how many of the pictures of one thing get its colour and shape, of 64 pairs, and how many there are.
func (l looker) pairs(t *testing.T, split string) (right float64, singles int) {
	t.Helper()
	ds, err := datasets.Open("shapes_pairs", datasets.Options{Split: split})
	if err != nil {
		t.Fatal(err)
	}
	names := ds.Info().Classes[:64]
	prompts := make([]string, len(names))
	for i, n := range names {
		prompts[i] = "a photo of a " + n + "."
		if strings.HasPrefix(n, "orange") {
			prompts[i] = "a photo of an " + n + "."
		}
	}
	texts, err := l.texts.Encode(t.Context(), prompts, nil)
	if err != nil {
		t.Fatal(err)
	}
	normalise(texts.Data, len(names))
	for i := range ds.Len() {
		if len(ds.(*datasets.Shapes).Text(i, 1).Things) != 1 {
			continue
		}
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		pixels, err := clip.Preprocess(s.Image, l.model.Image, l.model.Image, clip.Squash, clip.FilterBicubic)
		if err != nil {
			t.Fatal(err)
		}
		sims, err := l.images.Similarities(t.Context(), pixels, texts)
		if err != nil {
			t.Fatal(err)
		}
		if best := argmax(sims[0].At(0).Global); best == s.Objects[0].Class {
			right++
		}
		singles++
	}
	return right / float64(singles), singles
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// normalise brings n rows to length 1.
func normalise(x []float32, n int) {
	width := len(x) / n
	for r := range n {
		row, sum := x[r*width:(r+1)*width], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		for i := range row {
			row[i] = float32(float64(row[i]) / math.Sqrt(sum))
		}
	}
}

// What ships stays small, and is unpacked whole, without the training program.
func TestDemoModelFiles(t *testing.T) {
	var files []string
	var size int64
	err := fs.WalkDir(clip.Demo(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		files = append(files, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(files, " "); got != "config.json merges.txt model.safetensors vocab.json" || size > 6e6 {
		t.Errorf("%s of %d bytes", got, size)
	}
	t.Setenv(ort.EnvCache, t.TempDir())
	dir, err := demoModel()
	if err != nil {
		t.Fatal(err)
	}
	again, err := demoModel()
	if err != nil || again != dir {
		t.Errorf("unpacked to %s, then to %s: %v", dir, again, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Error(err)
	}
}
