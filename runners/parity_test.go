package runners_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/picture"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/tokenizer"
	"ovbench/runners/vit"
)

// The arrays under clip/testdata/micro and golden/tiny-vit were recorded with the authors' code (OpenAI's CLIP, CLIP
// Surgery at d4696d4, torch 1.13, float32) on random weights; index.json beside them says what each is.
// Equal means max |difference| / max |value| below tolerance.
const tolerance = 1e-4

// library loads ONNX Runtime or skips.
func library(t testing.TB) *ort.Library {
	t.Helper()
	c, err := ort.Find()
	if err != nil {
		skip(t, "ONNX Runtime is not here (make setup): "+err.Error())
	}
	lib, err := ort.Load(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// golden is the folder of larger recordings, or skips.
func golden(t testing.TB) string {
	t.Helper()
	dir, ok := goldenFolder()
	if !ok {
		skip(t, "no recordings: set OVBENCH_SHARED")
	}
	return dir
}

func goldenFolder() (dir string, ok bool) {
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	dir = filepath.Join(root, "golden")
	_, err := os.Stat(dir)
	return dir, err == nil
}

func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("OVBENCH_PARITY") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func load(t testing.TB, path string) tensor.Dense {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := tensor.ReadNPY(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

func loadJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func distance(got, want tensor.Dense) float64 {
	if !cmp.Equal(got.Shape, want.Shape) {
		return math.Inf(1)
	}
	worst, top := 0.0, 0.0
	for i, w := range want.Data {
		d := math.Abs(float64(got.Data[i]) - float64(w))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst, top = max(worst, d), max(top, math.Abs(float64(w)))
	}
	return worst / top
}

func equal(t *testing.T, what string, got, want tensor.Dense) {
	t.Helper()
	if d := distance(got, want); !(d < tolerance) {
		t.Errorf("%s: distance %.2g for shapes %v, %v", what, d, got.Shape, want.Shape)
	}
}

// recording is a set of reference activations of one model.
type recording struct {
	dir    string // of the arrays
	forms  []string
	vocab  string
	images map[string]string // prefix of array names → picture
	sizes  []int
	oblong [2]int // height, width
}

func recordings(t *testing.T) []recording {
	micro := filepath.Join("clip", "testdata", "micro")
	out := []recording{{
		dir: micro, forms: []string{filepath.Join(micro, "hf")}, vocab: filepath.Join(micro, "hf"),
		images: map[string]string{"": filepath.Join(micro, "image.png")}, sizes: []int{32, 72}, oblong: [2]int{48, 64},
	}}
	if _, ok := goldenFolder(); !ok && os.Getenv("OVBENCH_PARITY") != "1" {
		t.Log("only the micro model is compared; set OVBENCH_SHARED for larger recordings")
		return out
	}
	dir := golden(t)
	tiny := filepath.Join(dir, "tiny-vit")
	r := recording{
		dir: tiny, vocab: filepath.Join(tiny, "hf"),
		images: map[string]string{"a_": filepath.Join(dir, "a.png"), "b_": filepath.Join(dir, "b.jpg")},
		sizes:  []int{64, 160}, oblong: [2]int{96, 160},
	}
	for _, form := range []string{"hf", "open_clip_model.safetensors", "openai.pt", "openai_jit.pt"} {
		r.forms = append(r.forms, filepath.Join(tiny, form))
	}
	return append(out, r)
}

func named(t testing.TB, names ...string) (out []runners.Named) {
	t.Helper()
	for _, n := range names {
		m, err := methods.New(n, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, runners.Named{Name: n, Method: m})
	}
	return out
}

// every is all methods of one graph that give tokens, with blocks that a model of 6 or 7 has where the paper's are too
// deep for it.
func every(t testing.TB, m *clip.Model) (out []runners.Named) {
	t.Helper()
	shallow := map[string]map[string]any{
		"sfp":     {"pre": 5, "post": 2, "multi_from": 2, "multi_to": 5},
		"sc_clip": {"pre": 5, "post": 2, "multi_from": 2, "multi_to": 5, "neighbors": 5},
		"resclip": {"from": 3, "to": 5, "sfr": false},
	}
	for _, name := range methods.Names() {
		method, err := methods.New(name, shallow[name])
		if err == nil && method.Traits().Texts {
			continue
		}
		if err == nil {
			err = method.Check(methods.Models{ImageText: m})
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, runners.Named{Name: name, Method: method})
	}
	return out
}

func open(t testing.TB, path, vocab string) (*clip.Model, *tokenizer.Tokenizer) {
	t.Helper()
	m, err := clip.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(vocab)
	if err != nil {
		t.Fatal(err)
	}
	return m, tok
}

func TestTextTower(t *testing.T) {
	lib := library(t)
	for _, r := range recordings(t) {
		var texts struct{ Texts, Classes []string }
		loadJSON(t, filepath.Join(r.dir, "texts.json"), &texts)
		templates, err := clip.Templates("surgery85")
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range r.forms {
			t.Run(filepath.Base(form), func(t *testing.T) {
				m, tok := open(t, form, r.vocab)
				tower, err := runners.NewTexts(lib, m, tok, ort.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer tower.Close()
				e, err := tower.Encode(t.Context(), texts.Texts, nil)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "text embedding", e, load(t, filepath.Join(r.dir, "text_embedding.npy")))
				for name, classes := range map[string][]string{"class_embedding": texts.Classes, "empty_embedding": {""}} {
					if e, err = tower.Ensemble(t.Context(), classes, templates, nil); err != nil {
						t.Fatal(err)
					}
					equal(t, name, e, load(t, filepath.Join(r.dir, name+".npy")))
				}
			})
		}
	}
}

// array is the recorded array called what at a size, under the two naming schemes in use.
func (r recording) array(prefix, size, what, ext string) string {
	if prefix == "" {
		return filepath.Join(r.dir, what+"_"+size+ext)
	}
	return filepath.Join(r.dir, prefix+size+"_"+what+ext)
}

func TestPixels(t *testing.T) {
	for _, r := range recordings(t) {
		for prefix, file := range r.images {
			img, err := picture.Read(file, picture.AsStored)
			if err != nil {
				t.Fatal(err)
			}
			sizes := [][2]int{r.oblong}
			for _, n := range r.sizes {
				sizes = append(sizes, [2]int{n, n})
			}
			for _, s := range sizes {
				pixels, err := clip.Preprocess(img, s[0], s[1], clip.Squash, clip.FilterBicubic)
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprint(s[0])
				if s[0] != s[1] {
					name = fmt.Sprintf("%dx%d", s[0], s[1])
				}
				want := load(t, r.array(prefix, name, "pixels", ".npy"))
				if diff := cmp.Diff(want, vit.CLIP.Values(pixels)); diff != "" {
					t.Errorf("%s at %s: pixels differ (-want +got)\n%.500s", file, name, diff)
				}
			}
		}
	}
}

// variant is a method whose tokens were recorded under a name.
type variant struct {
	recorded, kind string
	params         map[string]any
}

// variants are all recordings of methods; not every model and size has every one.
var variants = []variant{
	{"clip_tokens", "clip", nil},
	{"surgery_tokens", "clip_surgery", nil},
	{"maskclip_tokens", "maskclip", map[string]any{"residual": false}},
	{"clearclip_maskclip_noresidual_tokens", "maskclip", map[string]any{"residual": false}},
	{"clearclip_maskclip_residual_tokens", "maskclip", nil},
	{"sclip_tokens", "sclip", nil},
	{"clearclip_sclip_residual_tokens", "sclip", nil},
	{"clearclip_sclip_noresidual_tokens", "sclip", map[string]any{"residual": false}},
	{"clearclip_tokens", "clearclip", nil},
	{"clearclip_clearclip_noresidual_tokens", "clearclip", nil},
	{"clearclip_clearclip_residual_tokens", "clearclip", map[string]any{"residual": true}},
	{"clearclip_vanilla_noresidual_tokens", "clearclip", map[string]any{"attn": "qk"}},
	{"clearclip_vanilla_residual_tokens", "clearclip", map[string]any{"attn": "qk", "residual": true}},
	{"naclip_tokens", "naclip", nil},
	{"naclip_reduced_naclip_tokens", "naclip", nil},
	{"naclip_reduced_kk_tokens", "naclip", map[string]any{"attn": "kk"}},
	{"naclip_reduced_nonly_tokens", "naclip", map[string]any{"attn": "nonly"}},
	{"naclip_vanilla_naclip_tokens", "naclip", map[string]any{"arch": "vanilla"}},
	{"gem_iter1_tokens", "gem", nil},
	{"gem_iter2_tokens", "gem", map[string]any{"iterations": 2}},
}

// Every recording of every method, all of a size in one graph, from every form of checkpoint.
func TestImageTower(t *testing.T) {
	compared := map[string]bool{}
	for _, r := range recordings(t) {
		sizes := []string{fmt.Sprintf("%dx%d", r.oblong[0], r.oblong[1])}
		for _, n := range r.sizes {
			sizes = append(sizes, fmt.Sprint(n), fmt.Sprintf("%dx%d", n, n))
		}
		for _, form := range r.forms {
			for _, standard := range []bool{false, true} {
				if standard && form != r.forms[0] {
					continue // the forms differ in their weights' places only
				}
				t.Run(fmt.Sprintf("%s standard=%v", filepath.Base(form), standard), func(t *testing.T) {
					m, _ := open(t, form, r.vocab)
					for prefix := range r.images {
						for _, size := range sizes {
							r.checkTokens(t, m, prefix, size, standard, compared)
						}
					}
				})
			}
		}
		if r.dir != filepath.Join("clip", "testdata", "micro") {
			for _, v := range variants {
				if !compared[v.recorded] {
					t.Errorf("no recording %s was found", v.recorded)
				}
			}
		}
	}
}

// checkTokens compares the methods that were recorded at a size, such as 64 or 96x160, with all of them in one graph.
func (r recording) checkTokens(t *testing.T, m *clip.Model, prefix, size string, standard bool,
	compared map[string]bool) {
	t.Helper()
	var found []string
	var ms []runners.Named
	for _, v := range variants {
		path := r.array(prefix, size, v.recorded, ".npy")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		method, err := methods.New(v.kind, v.params)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, path)
		ms = append(ms, runners.Named{Name: v.recorded, Method: method})
		compared[v.recorded] = true
	}
	if len(found) == 0 {
		return
	}
	o := runners.ImageOptions{StandardOps: standard}
	pixels := load(t, r.array(prefix, size, "pixels", ".npy"))
	for i, got := range tokens(t, images(t, m, ms, o), pixels) {
		equal(t, fmt.Sprintf("%s%s %s", prefix, size, ms[i].Name), got, load(t, found[i]))
	}
}

// From recorded pixels through both towers to maps and points.
func TestMapsAndPoints(t *testing.T) {
	lib := library(t)
	for _, r := range recordings(t) {
		m, tok := open(t, r.forms[0], r.vocab)
		var texts struct{ Classes []string }
		loadJSON(t, filepath.Join(r.dir, "texts.json"), &texts)
		templates, err := clip.Templates("surgery85")
		if err != nil {
			t.Fatal(err)
		}
		tower, err := runners.NewTexts(lib, m, tok, ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer tower.Close()
		embeddings, err := tower.Ensemble(t.Context(), append(texts.Classes, ""), templates, nil)
		if err != nil {
			t.Fatal(err)
		}
		for prefix := range r.images {
			for _, n := range r.sizes {
				r.checkMaps(t, lib, m, prefix, n, len(texts.Classes), embeddings)
			}
		}
	}
}

func (r recording) checkMaps(t *testing.T, lib *ort.Library, m *clip.Model, prefix string, n, texts int,
	embeddings tensor.Dense) {
	t.Helper()
	images, err := runners.NewImages(lib, m, named(t, "clip_surgery"), runners.ImageOptions{Height: n, Width: n,
		Similarities: true})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	size := fmt.Sprint(n)
	sims, err := images.Similarities(t.Context(), raw(load(t, r.array(prefix, size, "pixels", ".npy"))), embeddings)
	if err != nil {
		t.Fatal(err)
	}
	all := sims[0].At(0)
	cos, empty := all.Select(0, texts, texts+1), all.Select(texts, texts+1, texts+1)
	surgery := func(form methods.FeatureSurgery) tensor.Dense { // the global token is treated as a patch
		s := append(slices.Clone(cos.Global), cos.Patches...)
		if err := form.Apply(cos.Global, s, texts, append(slices.Clone(empty.Global), empty.Patches...), methods.Score{}); err != nil {
			t.Fatal(err)
		}
		return tensor.Dense{Shape: []int{1, len(s) / texts, texts}, Data: s}
	}
	labels := surgery(methods.Labels)
	equal(t, prefix+size+" feature surgery", labels, load(t, r.array(prefix, size, "feature_surgery", ".npy")))
	emptyWant := r.array(prefix, size, "feature_surgery_empty", ".npy")
	equal(t, prefix+size+" feature surgery, empty", surgery(methods.Empty), load(t, emptyWant))

	want := load(t, r.array(prefix, size, "map", ".npy"))
	var points []struct {
		Points [][2]int
		Labels []int
	}
	loadJSON(t, r.array(prefix, size, "points", ".json"), &points)
	h, w := want.Shape[1], want.Shape[2]
	for j := range texts {
		cells := methods.Column(labels.Data[texts:], texts, j)
		if j < want.Shape[0] {
			saliency, flaw := methods.MinMaxResize.Map(cells, cos.Rows, cos.Cols, h, w)
			if flaw != "" {
				t.Errorf("%s%s map %d is %s", prefix, size, j, flaw)
			}
			equal(t, fmt.Sprintf("%s%s map %d", prefix, size, j), tensor.Dense{Shape: []int{h, w}, Data: saliency}, want.At(j))
		}
		got := points[j]
		got.Points, got.Labels = nil, nil
		for _, p := range methods.Points(cells, cos.Rows, cos.Cols, w, h, methods.DefaultPoints) {
			got.Points = append(got.Points, [2]int{p.X, p.Y})
			got.Labels = append(got.Labels, p.Label)
		}
		if diff := cmp.Diff(points[j], got); diff != "" {
			t.Errorf("%s%s points of text %d (-want +got)\n%s", prefix, size, j, diff)
		}
	}
}

// A batch gives what single pictures give, and sizes may alternate.
func TestBatches(t *testing.T) {
	lib := library(t)
	r := recording{dir: filepath.Join("clip", "testdata", "micro")}
	m, _ := open(t, filepath.Join(r.dir, "hf"), filepath.Join(r.dir, "hf"))
	run := func(n, count int) []tensor.Dense {
		images, err := runners.NewImages(lib, m, every(t, m), runners.ImageOptions{Height: n, Width: n,
			Backbones: backbones(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer images.Close()
		one := load(t, r.array("", fmt.Sprint(n), "pixels", ".npy"))
		batch := tensor.New(count, 3, n, n)
		for i := range count {
			for k, v := range one.Data { // each picture is another: flipped in sign, then scaled
				batch.At(i).Data[k] = v * float32(1-2*(i%2)) / float32(1+i)
			}
		}
		out := tokens(t, images, batch)
		for i := range count {
			single := tokens(t, images, tensor.Dense{Shape: []int{1, 3, n, n}, Data: batch.At(i).Data})
			for k := range out {
				if d := distance(tensor.Dense{Shape: single[k].Shape[1:], Data: out[k].At(i).Data}, single[k].At(0)); d > 1e-6 {
					t.Errorf("picture %d of a batch of %d at %d: distance %.2g from the single one", i, count, n, d)
				}
			}
		}
		return out
	}
	before := run(32, 3)
	run(72, 2)
	after := run(32, 3)
	for k := range before {
		if diff := cmp.Diff(before[k], after[k]); diff != "" {
			t.Errorf("size 32 gives other tokens after size 72 was run\n%.300s", diff)
		}
	}
}
