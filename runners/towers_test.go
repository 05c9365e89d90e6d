package runners_test

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/dino"
	"ovbench/runners/dino/dinotest"
	"ovbench/runners/hub"
	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/tokenizer"
)

// recordedTowers are tiny models of the families beside CLIP, recorded with their libraries (transformers 5.24,
// open_clip 3.3, timm 1.0.31); the readings of patches, which no library has, from formulas. An array is named by its
// picture and size, what it is, and how patches go through the pool.
var recordedTowers = []struct {
	folder, model string
	prefix        string // of arrays from another library than most of the folder's
	arrays        []string
}{
	{"siglip", "hf", "", []string{"a", "b", "a_other"}},
	{"siglip", "open_clip", "open_clip_", []string{"a"}},
	{"siglip2", "hf", "", []string{"a", "b", "a_other"}},
	{"siglip2", "open_clip", "open_clip_", []string{"a"}},
	{"pe", "open_clip", "", []string{"a", "b"}},
	{"pe", "meta/PE-Core-tiny.pt", "", []string{"a", "b", "a_other"}},
	{"metaclip2", "hf", "", []string{"a", "b"}},
}

// recordedWithin is the largest difference, of the largest value: the wrong GELU gives 1.4e-4.
const recordedWithin = 2e-5

func TestRecordedTowers(t *testing.T) {
	lib := library(t)
	for _, c := range recordedTowers {
		t.Run(c.folder+"/"+c.model, func(t *testing.T) {
			dir := cliptest.Recorded(t, "golden", "towers", c.folder)
			m, err := clip.Open(filepath.Join(dir, filepath.FromSlash(c.model)))
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range c.arrays {
				rgb := pictures(load(t, filepath.Join(dir, a+"_pixels.npy")), m)
				global := load(t, filepath.Join(dir, c.prefix+a+"_image_embedding.npy"))
				compareTokens(t, a+" image", part(tokensOf(t, lib, m, "clip", rgb), 0, 1), global)
				for method, array := range map[string]string{
					"clip:pool=value": "dense_value", "clip:pool=head": "dense_head", "clip": "clip_tokens",
					"clip_surgery:depth=2": "surgery_value", "clip_surgery:depth=2:pool=head": "surgery_head",
					"clip_surgery:depth=2:pool=value": "surgery_tokens",
				} {
					file := filepath.Join(dir, a+"_"+array+".npy")
					if _, err := os.Stat(file); err != nil || c.prefix != "" {
						continue
					}
					want := load(t, file)
					got := tokensOf(t, lib, m, method, rgb)
					compareTokens(t, a+" "+array, part(got, got.Shape[1]-want.Shape[1], got.Shape[1]), want)
				}
			}
		})
	}
}

// Feature surgery of towers with a pool weighs texts by the pooled token; with the form sigmoid, by what a model of a
// sigmoid loss says of them.
func TestRecordedFeatureSurgery(t *testing.T) {
	for _, folder := range []string{"siglip", "siglip2", "pe"} {
		dir := cliptest.Recorded(t, "golden", "towers", folder)
		model := map[string]string{"pe": "open_clip"}[folder]
		m, err := clip.Open(filepath.Join(dir, cmp.Or(model, "hf")))
		if err != nil {
			t.Fatal(err)
		}
		texts := load(t, filepath.Join(dir, "text_embedding.npy"))
		runners.Normalize(texts)
		var ms []runners.Named
		for _, spec := range []string{"clip_surgery:depth=2", "clip_surgery:depth=2:pool=head"} {
			method, err := methods.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, runners.Named{Name: spec, Method: method})
		}
		r := images(t, m, ms, runners.ImageOptions{Similarities: true})
		for _, a := range []string{"a", "b"} {
			out, err := r.Similarities(t.Context(), pictures(load(t, filepath.Join(dir, a+"_pixels.npy")), m), texts)
			if err != nil {
				t.Fatal(err)
			}
			for i, pool := range []string{"value", "head"} {
				for form, name := range map[methods.FeatureSurgery]string{methods.Labels: pool, methods.Sigmoid: pool + "_sigmoid"} {
					sim := out[i].At(0)
					sim.Patches = slices.Clone(sim.Patches)
					err := form.Apply(sim.Global, sim.Patches, texts.Shape[0], nil, methods.ScoreOf(m))
					if form == methods.Sigmoid && !m.Sigmoid {
						if err == nil {
							t.Errorf("%s has no sigmoid, and weighs texts by one", folder)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					file := filepath.Join(dir, a+"_feature_surgery_"+name+".npy")
					if _, err := os.Stat(file); err != nil {
						continue
					}
					want := load(t, file)
					equal(t, folder+" "+a+" "+name, tensor.Dense{Shape: want.Shape, Data: sim.Patches}, want)
				}
			}
		}
	}
}

// At other sizes timm scales rotations back and reads positions with antialias, Meta does neither.
func TestTimmSizes(t *testing.T) {
	lib := library(t)
	dir := cliptest.Recorded(t, "golden", "towers", "pe")
	m, err := clip.Open(filepath.Join(dir, "open_clip"))
	if err != nil {
		t.Fatal(err)
	}
	rgb := pictures(load(t, filepath.Join(dir, "a_other_pixels.npy")), m)
	compareTokens(t, "other image", part(tokensOf(t, lib, m, "clip", rgb), 0, 1),
		load(t, filepath.Join(dir, "a_other_image_embedding_timm.npy")))
}

func TestRecordedTexts(t *testing.T) {
	lib := library(t)
	for _, c := range recordedTowers {
		t.Run(c.folder+"/"+c.model, func(t *testing.T) {
			dir := cliptest.Recorded(t, "golden", "towers", c.folder)
			m, err := clip.Open(filepath.Join(dir, filepath.FromSlash(c.model)))
			if err != nil {
				t.Fatal(err)
			}
			path, err := hub.VocabularyPath(m.Files[0], "")
			if err != nil {
				t.Fatal(err)
			}
			tok, err := tokenizer.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			var file struct{ Texts []string }
			data, err := os.ReadFile(filepath.Join(dir, "texts.json"))
			if err == nil {
				err = json.Unmarshal(data, &file)
			}
			if err != nil {
				t.Fatal(err)
			}
			texts, err := runners.NewTexts(lib, m, tok, ort.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer texts.Close()
			got, err := texts.Encode(t.Context(), file.Texts, nil)
			if err != nil {
				t.Fatal(err)
			}
			compareTokens(t, "texts", got, load(t, filepath.Join(dir, c.prefix+"text_embedding.npy")))
			ids := load(t, filepath.Join(dir, c.prefix+"tokens.npy"))
			for i, text := range file.Texts {
				padded, err := tok.Padded(text, m.Context, true)
				if row := ids.At(i).Data; err != nil || len(row) != len(padded) || fmt.Sprint(floats(padded)) != fmt.Sprint(row) {
					t.Errorf("%q: %v, %v, want %v", text, padded, err, row)
				}
			}
		})
	}
}

func floats(ids []int32) (out []float32) {
	for _, id := range ids {
		out = append(out, float32(id))
	}
	return out
}

// pictures are the pixels 0..255 that normalised ones came from.
func pictures(normalised tensor.Dense, m *clip.Model) tensor.Dense {
	out := tensor.New(normalised.Shape...)
	plane := out.Shape[2] * out.Shape[3]
	for i, v := range normalised.Data {
		c := i / plane % 3
		out.Data[i] = 255 * (v*m.Pixels.Std[c] + m.Pixels.Mean[c])
	}
	return out
}

func tokensOf(t *testing.T, lib *ort.Library, m *clip.Model, method string, rgb tensor.Dense,
	options ...func(*runners.ImageOptions)) tensor.Dense {
	t.Helper()
	built, err := methods.Parse(method)
	if err != nil {
		t.Fatal(err)
	}
	o := runners.ImageOptions{Height: rgb.Shape[2], Width: rgb.Shape[3]}
	for _, set := range options {
		set(&o)
	}
	images, err := runners.NewImages(lib, m, []runners.Named{{Name: method, Method: built}}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	got, err := images.Tokens(t.Context(), rgb)
	if err != nil {
		t.Fatal(err)
	}
	return got[0].Values
}

// part are tokens from..to-1 of one picture [n, E].
func part(x tensor.Dense, from, to int) tensor.Dense {
	width := x.Shape[2]
	return tensor.Dense{Shape: []int{to - from, width}, Data: x.Data[from*width : to*width]}
}

func compareTokens(t *testing.T, what string, got, want tensor.Dense) {
	t.Helper()
	for _, x := range []*tensor.Dense{&got, &want} {
		if len(x.Shape) == 3 { // of one picture
			x.Shape = x.Shape[1:]
		}
	}
	if d := distance(got, want); !(d <= recordedWithin) {
		t.Errorf("%s: off by %.2g of the largest value, shape %v, want %v", what, d, got.Shape, want.Shape)
	}
}

// Methods of the last blocks read towers with a pool; those that look from a class token say that there is none.
func TestMethodsOnPools(t *testing.T) {
	lib := library(t)
	for _, model := range []string{"siglip/hf", "pe/open_clip"} {
		m, err := clip.Open(cliptest.Recorded(t, "golden", "towers", filepath.FromSlash(model)))
		if err != nil {
			t.Fatal(err)
		}
		rgb := tensor.New(1, 3, m.Image, m.Image+m.Patch)
		for i := range rgb.Data {
			rgb.Data[i] = float32(i * 37 % 256)
		}
		want := part(tokensOf(t, lib, m, "clip", rgb), 0, 1)
		for _, method := range []string{"clip_surgery:depth=3", "maskclip", "maskclip:residual=false", "sclip", "clearclip",
			"naclip", "naclip:arch=vanilla", "gem:depth=2"} {
			got := tokensOf(t, lib, m, method, rgb)
			if got.Shape[1] != 1+4*5 {
				t.Errorf("%s, %s: shape %v", model, method, got.Shape)
			}
			compareTokens(t, model+", "+method+", global", part(got, 0, 1), want)
			compareTokens(t, model+", "+method+", standard operators", tokensOf(t, lib, m, method, rgb,
				func(o *runners.ImageOptions) { o.StandardOps = true }), got)
			compareTokens(t, model+", "+method+", any size", tokensOf(t, lib, m, method, rgb,
				func(o *runners.ImageOptions) { o.Height, o.Width = 0, 0 }), got)
		}
		for _, name := range []string{"resclip", "sc_clip", "sfp", "grad_eclip", "rollout", "chefer", "gscorecam", "clip_es"} {
			method, err := methods.New(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := method.Check(methods.Models{ImageText: m}); err == nil || !strings.Contains(err.Error(), "class token") {
				t.Errorf("%s, %s: no word of the class token that is not there: %v", model, name, err)
			}
		}
	}
}

// Rows picked from a table of two bytes a number are widened behind: no session holds a copy of a whole vocabulary.
func TestRowsOfNarrowTables(t *testing.T) {
	for dtype, bits := range map[tensor.DType][]uint16{
		tensor.F16:  {0x3c00, 0x4000, 0x4200, 0x4400}, // 1, 2, 3, 4
		tensor.BF16: {0x3f80, 0x4000, 0x4040, 0x4080},
	} {
		path := filepath.Join(t.TempDir(), "table")
		var data []byte
		for _, b := range bits {
			data = binary.LittleEndian.AppendUint16(data, b)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		g := onnx.New()
		table := g.Weight("table", tensor.Ref{Path: path, Length: 8, DType: dtype, Shape: []int{2, 2}})
		g.Output("rows", g.Gather(table, g.Input("ids", tensor.I64, 3)))
		if !strings.Contains(g.String(), "Gather(table[2,2]") {
			t.Errorf("%v: the whole table is widened:\n%s", dtype, g)
		}
		model, err := g.Model()
		if err != nil {
			t.Fatal(err)
		}
		s, err := library(t).NewSession("rows", model, ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out := tensor.New(3, 2)
		if err := s.Run(t.Context(), []ort.Value{ort.Int64([]int{3}, []int64{1, 0, 1})},
			[]ort.Value{ort.Float32(out.Shape, out.Data)}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out.Data, []float32{3, 4, 1, 2, 3, 4}) {
			t.Errorf("%v: rows %v", dtype, out.Data)
		}
	}
}

// Methods with a second network read towers with a pool. On a network of the same grid proxy attention that is sharp
// enough is of each patch to itself, and scores that hardly spread are MaskCLIP's.
func TestSecondNetworksOnPools(t *testing.T) {
	for _, model := range []string{"siglip/hf", "pe/open_clip"} {
		m, err := clip.Open(cliptest.Recorded(t, "golden", "towers", filepath.FromSlash(model)))
		if err != nil {
			t.Fatal(err)
		}
		shape := dinotest.Shape{Image: 4 * m.Patch, Patch: m.Patch, Width: 64, Layers: 2}
		file := filepath.Join(t.TempDir(), "dino.safetensors")
		if err := dinotest.Write(file, shape, 5); err != nil {
			t.Fatal(err)
		}
		second, err := dino.Open(file, "dino")
		if err != nil {
			t.Fatal(err)
		}
		var ms []runners.Named
		for _, spec := range []string{"proxyclip:gamma=1e7", "maskclip:residual=false", "lposs:alpha=1e-7", "maskclip",
			"lposs:k=5"} {
			method, err := methods.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, runners.Named{Name: spec, Method: method})
		}
		pixels, texts := raw(random(1, m.Image, m.Image+m.Patch)), textsFor(m, 3)
		for _, standard := range []bool{false, true} {
			r, err := runners.NewImages(library(t), m, ms, runners.ImageOptions{Similarities: true, StandardOps: standard,
				Backbones: map[string]methods.Backbone{"dino": &second.Tower}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			out, err := r.Similarities(t.Context(), pixels, texts)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range []int{0, 2} {
				compareTokens(t, fmt.Sprint(model, ", ", ms[i].Name), patches(out[i].Values), patches(out[i+1].Values))
			}
			if d := apart(patches(out[4].Values), patches(out[3].Values)); !(d > 1e-3) {
				t.Errorf("%s: lposs spreads nothing: %.2g", model, d)
			}
		}
	}
}

// Explanations of towers with a pool: standard operators, an open size and a batch change nothing. That the gradients
// of the operators are right is held in package onnx.
func TestExplainersOnPools(t *testing.T) {
	specs := []string{"raw_attention", "gradcam", "gradcam:target=softmax", "gradcam:layer=input",
		"gradcam:layer=attention", "legrad", "legrad:blocks=all"}
	for _, model := range []string{"siglip/hf", "pe/open_clip"} {
		m, err := clip.Open(cliptest.Recorded(t, "golden", "towers", filepath.FromSlash(model)))
		if err != nil {
			t.Fatal(err)
		}
		var ms []runners.Named
		for _, spec := range specs {
			method, err := methods.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, runners.Named{Name: spec, Method: method})
		}
		h, w := m.Image, m.Image+m.Patch
		pixels, texts := raw(random(2, h, w)), textsFor(m, 3)
		ask := func(o runners.ImageOptions, pixels tensor.Dense) []runners.Batch {
			t.Helper()
			o.Similarities = true
			out, err := images(t, m, ms, o).Similarities(t.Context(), pixels, texts)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		want := ask(runners.ImageOptions{}, pixels)
		fixed := ask(runners.ImageOptions{Height: h, Width: w}, pixels)
		standard := ask(runners.ImageOptions{StandardOps: true}, pixels)
		one := ask(runners.ImageOptions{}, tensor.Dense{Shape: []int{1, 3, h, w}, Data: pixels.At(1).Data})
		for i, spec := range specs {
			all := want[i].Values
			if n := want[i].Rows * want[i].Cols; !slices.Equal(all.Shape, []int{2, n, 3}) ||
				slices.Max(all.Data) == slices.Min(all.Data) {
				t.Errorf("%s, %s: shape %v, or constant", model, spec, all.Shape)
			}
			for what, d := range map[string]float64{"of fixed size": apart(fixed[i].Values, all),
				"in standard operators": apart(standard[i].Values, all), "a picture alone": apart(one[i].Values.At(0), all.At(1))} {
				if !(d < 5e-5) {
					t.Errorf("%s, %s %s: distance %.2g", model, spec, what, d)
				}
			}
		}
	}
}
