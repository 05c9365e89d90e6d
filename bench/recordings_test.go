package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners/methods/methodstest"
	"ovbench/runners/tensor"
)

// recorded are methods as flags spell them, by their names in recordings of the authors' code.
var recorded = map[string]string{
	"clip": "clip", "surgery": "clip_surgery", "surgery_normalised": "clip_surgery:resnet=normalised", "sclip": "sclip",
	"naclip": "naclip", "clearclip": "clearclip", "maskclip": "maskclip:residual=false",
	"naclip_reduced_naclip": "naclip", "naclip_vanilla_naclip": "naclip:arch=vanilla",
	"naclip_reduced_kk": "naclip:attn=kk", "naclip_reduced_nonly": "naclip:attn=nonly",
	"clearclip_clearclip_noresidual": "clearclip", "clearclip_clearclip_residual": "clearclip:residual=true",
	"clearclip_maskclip_noresidual": "maskclip:residual=false", "clearclip_maskclip_residual": "maskclip",
	"clearclip_sclip_noresidual": "sclip:residual=false", "clearclip_sclip_residual": "sclip",
	"clearclip_vanilla_noresidual": "clearclip:attn=qk", "clearclip_vanilla_residual": "clip",
	"gem_iter1": "gem", "gem_iter2": "gem:iterations=2",
}

// Every recorded array of tokens comes out of a picture by a command line of model, method and size alone, be the
// picture a PNG or a JPEG; bare checkpoints have no vocabulary, and none is named. The arrays were recorded with the
// authors' code (torch 1.13, float32); index.json beside them says what each is.
func TestEncodeGivesRecordings(t *testing.T) {
	micro := filepath.Join("..", "runners", "clip", "testdata", "micro")
	encodeRecordings(t, micro, filepath.Join(micro, "hf"), map[string]string{"": filepath.Join(micro, "image.png")})
	golden := recordings(t)
	pictures := map[string]string{"a_": filepath.Join(golden, "a.png"), "b_": filepath.Join(golden, "b.jpg")}
	for _, dir := range []string{"tiny-vit", "tiny-rn"} {
		dir = filepath.Join(golden, dir)
		encodeRecordings(t, dir, filepath.Join(dir, "openai.pt"), pictures)
	}
}

// recordings is the folder of recorded arrays, or the end of the test.
func recordings(t *testing.T) string {
	t.Helper()
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	golden := filepath.Join(root, "golden")
	if _, err := os.Stat(golden); err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skip("what is not in the repository is not compared; set OVBENCH_SHARED for recordings")
	}
	return golden
}

func encodeRecordings(t *testing.T, dir, model string, pictures map[string]string) {
	t.Helper()
	var index map[string]any
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, compared := filepath.Join(t.TempDir(), "tokens.npy"), 0
	for array := range index {
		picture, size, name, ok := recordingOf(array)
		if !ok {
			continue
		}
		method, ok := recorded[name]
		if !ok {
			t.Errorf("%s: no method gives %s", dir, name)
			continue
		}
		command(t, "encode", "image", pictures[picture], "--model", model, "--method", method, "--size", size, "--out", out)
		got, want := readArray(t, out), readArray(t, filepath.Join(dir, array+".npy"))
		if d := farthest(got, want); !(d < 1e-4) {
			t.Errorf("%s: %s is %.2g away, shapes %v, %v", dir, array, d, got.Shape, want.Shape)
		}
		compared++
	}
	if compared < 6 {
		t.Errorf("%s: %d arrays of tokens", dir, compared)
	}
}

// recordingOf takes apart the name of an array of tokens, such as a_96x160_sclip_tokens or sclip_tokens_48x64.
func recordingOf(array string) (picture, size, method string, ok bool) {
	if method, size, ok = strings.Cut(array, "_tokens_"); ok {
		return "", size, method, true
	}
	head, ok := strings.CutSuffix(array, "_tokens")
	if !ok {
		return "", "", "", false
	}
	picture, head, _ = strings.Cut(head, "_")
	size, method, ok = strings.Cut(head, "_")
	return picture + "_", size, method, ok
}

func readArray(t *testing.T, path string) tensor.Dense {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := tensor.ReadNPY(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// farthest is the largest difference over the largest value.
func farthest(got, want tensor.Dense) float64 {
	if !slices.Equal(got.Shape, want.Shape) {
		return math.Inf(1)
	}
	worst, top := 0.0, 0.0
	for i, w := range want.Data {
		worst, top = max(worst, math.Abs(float64(got.Data[i]-w))), max(top, math.Abs(float64(w)))
	}
	return worst / top
}

// Every recorded explanation comes out of a picture and texts by a command line, as grid.npy, within a thousandth of
// the largest value. Softmax targets are over all texts, of which two were recorded.
func TestExplainGivesRecordings(t *testing.T) {
	golden := recordings(t)
	var texts struct{ Texts, Classes []string }
	data, err := os.ReadFile(filepath.Join(golden, "tiny-vit", "texts.json"))
	if err == nil {
		err = json.Unmarshal(data, &texts)
	}
	if err != nil {
		t.Fatal(err)
	}
	order := texts.Texts
	order[1], order[2], order[3] = order[3], order[1], order[2]
	for _, c := range []struct {
		dir, model, templates string
		texts                 []string
		methods               map[string]string
	}{
		{"tiny-vit", "hf", "none", order, methodstest.RecordedOnViT},
		{"tiny-rn", "openai.pt", "surgery85", texts.Classes[:2], methodstest.RecordedOnResNet},
	} {
		arrays, err := filepath.Glob(filepath.Join(golden, "explainers", c.dir, "*.npy"))
		if err != nil {
			t.Fatal(err)
		}
		wanted := map[string]map[string]string{} // method by array, by picture and size
		for _, path := range arrays {
			image, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".npy"), ".")
			// What searches runs the network once for every channel: of one picture.
			if spec, ok := c.methods[name]; ok && (image == "a_64" || !strings.HasPrefix(spec, "gscorecam")) {
				if wanted[image] == nil {
					wanted[image] = map[string]string{}
				}
				wanted[image][path] = spec
			}
		}
		compared := map[string]bool{}
		for image, methods := range wanted {
			picture, size, _ := strings.Cut(image, "_")
			picture = map[string]string{"a": "a.png", "b": "b.jpg"}[picture]
			out := t.TempDir()
			args := []string{"explain", filepath.Join(golden, picture), "--model", filepath.Join(golden, c.dir, c.model), "--size",
				size, "--templates", c.templates, "--grid", "--out", out, "--vocab", filepath.Join(golden, "tiny-vit", "hf")}
			for _, text := range c.texts {
				args = append(args, "--text", text)
			}
			for _, spec := range methods {
				args = append(args, "--method", spec)
			}
			command(t, args...)
			for path, spec := range methods {
				want := readArray(t, path)
				got := readArray(t, filepath.Join(out, slug(spec), "grid.npy"))
				got = got.Rows(0, len(want.Data)*got.Shape[0]/len(got.Data))
				if len(want.Shape) == 2 { // of all texts alike
					want.Shape = append([]int{1}, want.Shape...)
				}
				if d := farthest(got, want); !(d < 1e-3) {
					t.Errorf("%s by %s is %.2g away, shapes %v, %v", path, spec, d, got.Shape, want.Shape)
				}
				compared[spec] = true
			}
		}
		if len(compared) != len(c.methods) {
			t.Errorf("%s: %d of %d methods compared", c.dir, len(compared), len(c.methods))
		}
	}
}

// Images are ranked by the sigmoid of a model that was trained with one, and whoever reads the run is told.
func TestSigmoidModels(t *testing.T) {
	suite, out := filepath.Join(t.TempDir(), "tags.yaml"), filepath.Join(t.TempDir(), "run")
	err := os.WriteFile(suite, []byte("task: multilabel\nmodel: "+filepath.Join(recordings(t), "towers", "siglip", "hf")+
		"\ndatasets: [{name: shapes, limit: 2}]\nmethods: [clip]\nprotocol: {base: clip-surgery, size: 32}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	command(t, "run", suite, "--out", out)
	data, err := os.ReadFile(filepath.Join(out, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"sigmoid"`, "scored each by itself, by a sigmoid of 11.02", "do not carry over"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("results do not say %q", want)
		}
	}
	if strings.Contains(string(data), `"softmax"`) {
		t.Error("images are ranked by a softmax")
	}
}
