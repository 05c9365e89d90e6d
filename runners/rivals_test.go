package runners_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// patches are tokens without the class token.
func patches(d tensor.Dense) tensor.Dense {
	out := tensor.New(d.Shape[0], d.Shape[1]-1, d.Shape[2])
	for i := range d.Shape[0] {
		copy(out.At(i).Data, d.At(i).Data[d.Shape[2]:])
	}
	return out
}

// recordedRivals is a model and pictures that SC-CLIP and ResCLIP were recorded with. The arrays under testdata/rivals
// were written by testdata/make_rivals.py, which runs the authors' code (torch 2.15, float32).
type recordedRivals struct {
	model  *clip.Model
	texts  tensor.Dense
	pixels map[string]tensor.Dense // by the end of the recordings' names
}

// rivalModels are the micro model, of one head, and the tiny model, of two, if it is here.
func rivalModels(t *testing.T) (out []recordedRivals) {
	t.Helper()
	add := func(dir string, pixels ...string) {
		r := recordedRivals{texts: load(t, filepath.Join(dir, "class_embedding.npy")), pixels: map[string]tensor.Dense{}}
		r.model, _ = open(t, filepath.Join(dir, "hf"), filepath.Join(dir, "hf"))
		for _, name := range pixels {
			r.pixels[name] = load(t, filepath.Join(dir, name+".npy"))
		}
		out = append(out, r)
	}
	add(filepath.Join("clip", "testdata", "micro"), "pixels_72", "pixels_48x64")
	if _, ok := goldenFolder(); ok || os.Getenv("OVBENCH_PARITY") == "1" {
		add(filepath.Join(golden(t), "tiny-vit"), "a_96x160_pixels")
	}
	return out
}

func rivalTokens(t *testing.T, method, pixels string) tensor.Dense {
	t.Helper()
	return load(t, filepath.Join("testdata", "rivals", method+"_"+pixels+".npy"))
}

// SC-CLIP has no class token in the authors' code; here it is CLIP's.
func TestCalibrated(t *testing.T) {
	method, err := methods.New("sc_clip", map[string]any{"pre": 5, "post": 2, "multi_from": 2, "multi_to": 5})
	if err != nil {
		t.Fatal(err)
	}
	both := append(named(t, "clip"), runners.Named{Name: "sc_clip", Method: method})
	for _, r := range rivalModels(t) {
		for _, standard := range []bool{false, true} {
			any := images(t, r.model, both, runners.ImageOptions{StandardOps: standard, Positions: method.Traits().Positions})
			for name, pixels := range r.pixels {
				got := tokens(t, any, pixels)
				equal(t, "sc_clip of "+name, patches(got[1]), rivalTokens(t, "sc_clip", name))
				width := got[0].Shape[2]
				class := func(d tensor.Dense) tensor.Dense { return tensor.Dense{Shape: []int{width}, Data: d.Data[:width]} }
				if d := distance(class(got[1]), class(got[0])); d > 1e-6 {
					t.Errorf("the class token is %.2g from CLIP's", d)
				}
			}
		}
	}
}

// residual is ResCLIP with the parameters of the recordings.
func residual(t *testing.T, base string, sfr bool) runners.Named {
	t.Helper()
	method, err := methods.New("resclip", map[string]any{"base": base, "from": 3, "to": 6, "sfr": sfr, "temp_thd": 0.3})
	if err != nil {
		t.Fatal(err)
	}
	return runners.Named{Name: fmt.Sprintf("resclip_%s_%s", base, map[bool]string{false: "rcs", true: "sfr"}[sfr]),
		Method: method}
}

// The first part of ResCLIP in one graph for all bases.
func TestResidualAttention(t *testing.T) {
	var ms []runners.Named
	for _, base := range []string{"naclip", "sclip", "clearclip", "vanilla"} {
		ms = append(ms, residual(t, base, false))
	}
	for _, r := range rivalModels(t) {
		for _, standard := range []bool{false, true} {
			any := images(t, r.model, ms, runners.ImageOptions{StandardOps: standard})
			for name, pixels := range r.pixels {
				for i, got := range tokens(t, any, pixels) {
					equal(t, ms[i].Name+" of "+name, got, rivalTokens(t, ms[i].Name, name))
				}
			}
		}
	}
}

// Both parts of ResCLIP, by the cosines of their tokens, beside a method of one graph: alone and in a batch.
func TestSemanticFeedback(t *testing.T) {
	ms := []runners.Named{residual(t, "naclip", true), named(t, "clip")[0], residual(t, "sclip", true),
		residual(t, "clearclip", true)}
	for _, r := range rivalModels(t) {
		for _, standard := range []bool{false, true} {
			any := images(t, r.model, ms, runners.ImageOptions{StandardOps: standard, Similarities: true})
			for name, pixels := range r.pixels {
				got := similarities(t, any, pixels, r.texts)
				// Twice the picture, around a darker and an inverted one.
				batch := tensor.New(4, pixels.Shape[1], pixels.Shape[2], pixels.Shape[3])
				for k, v := range pixels.Data {
					batch.At(0).Data[k], batch.At(1).Data[k], batch.At(2).Data[k], batch.At(3).Data[k] = v, v/2, -v, v
				}
				several := similarities(t, any, batch, r.texts)
				for i, n := range ms {
					if n.Name != "clip" {
						equal(t, n.Name+" of "+name, got[i], cosines(rivalTokens(t, n.Name, name), r.texts))
					}
					for _, b := range []int{0, 3} {
						if d := distance(several[i].At(b), got[i].At(0)); d > 1e-5 {
							t.Errorf("%s of %s: picture %d of a batch is %.2g from the single one", n.Name, name, b, d)
						}
					}
				}
			}
		}
	}
}

// A method of two graphs is refused where its second one cannot be.
func TestFeedbackNeedsTexts(t *testing.T) {
	m := rivalModels(t)[0].model
	ms := []runners.Named{residual(t, "naclip", true)}
	if _, err := runners.NewImages(library(t), m, ms, runners.ImageOptions{}); err == nil ||
		!strings.Contains(err.Error(), "resclip_naclip_sfr compares tokens with texts") {
		t.Errorf("tokens of a method that needs texts: error %v", err)
	}
	if _, err := runners.ImageGraph(m, ms, runners.ImageOptions{Similarities: true}); err == nil ||
		!strings.Contains(err.Error(), "is two graphs") {
		t.Errorf("the graph of a method of two: error %v", err)
	}
}

// Vocabularies that share a picture get what each gets alone; texts that are aside steer nothing; and a method gives
// its second pass to those alone that want it.
func TestVocabularies(t *testing.T) {
	ms := []runners.Named{residual(t, "naclip", true), named(t, "clip")[0], residual(t, "sclip", true),
		residual(t, "naclip", false)}
	r := rivalModels(t)[0]
	both := images(t, r.model, ms, runners.ImageOptions{Similarities: true})
	n, e := r.texts.Shape[0], r.texts.Shape[1]
	some := func(from, to int) tensor.Dense {
		return tensor.Dense{Shape: []int{to - from, e}, Data: r.texts.Data[from*e : to*e]}
	}
	scan := func(pixels tensor.Dense, words ...runners.TextSet) runners.Scan {
		t.Helper()
		s, err := both.Scan(t.Context(), runners.Picture{Pixels: raw(pixels)},
			runners.Sliding{Window: 32, Stride: 16}, words...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, pixels := range r.pixels {
		a, b := scan(pixels, runners.TextSet{Texts: some(0, n)}), scan(pixels, runners.TextSet{Texts: some(1, n-1)})
		all := scan(pixels, runners.TextSet{Texts: some(0, n), Methods: []int{0, 1, 2, 3}}, runners.TextSet{Texts: some(1, n),
			Passive: 1, Methods: []int{1, 2, 3}})
		steered := false
		for w := range all.Windows {
			for m := range ms {
				if d := differ(all.Maps(m, w, 0, n), a.Maps(m, w, 0, n)); d > 1e-6 {
					t.Errorf("%s of %s: window %d of the first vocabulary is %.2g from its own", ms[m].Name, name, w, d)
				}
				d := differ(all.Maps(m, w, n, 2*n-2), b.Maps(m, w, 0, n-2))
				if m > 0 && d > 1e-6 {
					t.Errorf("%s of %s: window %d of the second vocabulary is %.2g from its own", ms[m].Name, name, w, d)
				}
				steered = steered || m == 0 && d > 1e-3
			}
			if d := differ(all.Maps(0, w, n, 2*n-1), all.Maps(3, w, n, 2*n-1)); d > 1e-6 {
				t.Errorf("%s: window %d is %.2g from the first pass, without anyone who wants the second", name, w, d)
			}
			steered = steered || differ(a.Maps(2, w, 1, n-1), b.Maps(2, w, 0, n-2)) > 1e-3
		}
		if !steered {
			t.Errorf("%s: texts steer nothing, and this tests nothing", name)
		}
	}
	for want, words := range map[string][]runners.TextSet{
		"no texts to compare with": nil,
		"2 of 2 texts are passive": {{Texts: some(0, 2), Passive: 2}},
		"embeddings of two models": {{Texts: some(0, 2)}, {Texts: tensor.New(2, e+1)}},
	} {
		if _, err := both.Scan(t.Context(), runners.Picture{Pixels: tensor.New(1, 3, 32, 32)},
			runners.Sliding{}, words...); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// differ is the largest difference of two maps.
func differ(a, b runners.Maps) float64 {
	d := 0.0
	for i, v := range append(slices.Clone(a.Global), a.Patches...) {
		d = max(d, math.Abs(float64(v-append(slices.Clone(b.Global), b.Patches...)[i])))
	}
	return d
}

func similarities(t *testing.T, r *runners.Images, pixels, texts tensor.Dense) []tensor.Dense {
	t.Helper()
	out, err := r.Similarities(t.Context(), raw(pixels), texts)
	return values(t, out, err)
}

// cosines of tokens [1, N, E] with normalised texts [T, E].
func cosines(tokens, texts tensor.Dense) tensor.Dense {
	n, e, count := tokens.Shape[1], tokens.Shape[2], texts.Shape[0]
	out := tensor.New(1, n, count)
	for i := range n {
		row := tokens.Data[i*e:][:e]
		norm := 0.0
		for _, v := range row {
			norm += float64(v) * float64(v)
		}
		for j := range count {
			dot := 0.0
			for k, v := range row {
				dot += float64(v) * float64(texts.Data[j*e+k])
			}
			out.Data[i*count+j] = float32(dot / math.Sqrt(norm))
		}
	}
	return out
}
