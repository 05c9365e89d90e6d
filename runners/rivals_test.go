package runners_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners"
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

// The arrays under testdata/rivals were recorded by testdata/make_rivals.py, which runs the authors' code of SC-CLIP and ResCLIP on the
// micro model (torch 2.15, float32). SC-CLIP has no class token there.
func TestCalibrated(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro")
	m, _ := open(t, filepath.Join(micro, "hf"), filepath.Join(micro, "hf"))
	method, err := methods.New("sc_clip", map[string]any{"pre": 5, "post": 2, "multi_from": 2, "multi_to": 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, standard := range []bool{false, true} {
		both := append(named(t, "clip"), runners.Named{Name: "sc_clip", Method: method})
		any := images(t, m, both, runners.ImageOptions{StandardOps: standard, Positions: method.Positions()})
		for _, size := range []string{"72", "48x64"} {
			got := tokens(t, any, load(t, filepath.Join(micro, "pixels_"+size+".npy")))
			equal(t, "sc_clip at "+size, patches(got[1]), load(t, filepath.Join("testdata", "rivals", "sc_clip_"+size+".npy")))
			width := got[0].Shape[2]
			class := func(d tensor.Dense) tensor.Dense { return tensor.Dense{Shape: []int{width}, Data: d.Data[:width]} }
			if d := distance(class(got[1]), class(got[0])); d > 1e-6 {
				t.Errorf("the class token is %.2g from CLIP's", d)
			}
		}
	}
}

// residual is ResCLIP on the micro model with the parameters of the recordings.
func residual(t *testing.T, base string, sfr bool) runners.Named {
	t.Helper()
	method, err := methods.New("resclip", map[string]any{"base": base, "from": 3, "to": 6, "sfr": sfr, "temp_thd": 0.3})
	if err != nil {
		t.Fatal(err)
	}
	return runners.Named{Name: fmt.Sprintf("resclip_%s_%s", base, map[bool]string{false: "rcs", true: "sfr"}[sfr]), Method: method}
}

// The first part of ResCLIP in one graph for all bases.
func TestResidualAttention(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro")
	m, _ := open(t, filepath.Join(micro, "hf"), filepath.Join(micro, "hf"))
	var ms []runners.Named
	for _, base := range []string{"naclip", "sclip", "clearclip", "vanilla"} {
		ms = append(ms, residual(t, base, false))
	}
	for _, standard := range []bool{false, true} {
		any := images(t, m, ms, runners.ImageOptions{StandardOps: standard})
		for _, size := range []string{"72", "48x64"} {
			for i, got := range tokens(t, any, load(t, filepath.Join(micro, "pixels_"+size+".npy"))) {
				equal(t, ms[i].Name+" at "+size, got, load(t, filepath.Join("testdata", "rivals", ms[i].Name+"_"+size+".npy")))
			}
		}
	}
}

// Both parts of ResCLIP, by the cosines of their tokens, beside a method of one graph: alone and in a batch.
func TestSemanticFeedback(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro")
	m, _ := open(t, filepath.Join(micro, "hf"), filepath.Join(micro, "hf"))
	texts := load(t, filepath.Join(micro, "class_embedding.npy"))
	ms := []runners.Named{residual(t, "naclip", true), named(t, "clip")[0], residual(t, "sclip", true), residual(t, "clearclip", true)}
	for _, standard := range []bool{false, true} {
		any := images(t, m, ms, runners.ImageOptions{StandardOps: standard, Similarities: true})
		for _, size := range []string{"72", "48x64"} {
			pixels := load(t, filepath.Join(micro, "pixels_"+size+".npy"))
			got, err := any.Similarities(t.Context(), pixels, texts)
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range ms {
				if n.Name != "clip" {
					equal(t, n.Name+" at "+size, got[i], cosines(load(t, filepath.Join("testdata", "rivals", n.Name+"_"+size+".npy")), texts))
				}
			}
			// Twice the picture, between a darker and a mirrored one.
			batch := tensor.New(4, pixels.Shape[1], pixels.Shape[2], pixels.Shape[3])
			for k, v := range pixels.Data {
				batch.At(0).Data[k], batch.At(1).Data[k], batch.At(2).Data[k], batch.At(3).Data[k] = v, v/2, -v, v
			}
			several, err := any.Similarities(t.Context(), batch, texts)
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range ms {
				for _, b := range []int{0, 3} {
					if d := distance(several[i].At(b), got[i].At(0)); d > 1e-5 {
						t.Errorf("%s at %s: picture %d of a batch is %.2g from the single one", n.Name, size, b, d)
					}
				}
			}
		}
	}
	if _, err := runners.NewImages(library(t), m, ms, runners.ImageOptions{}); err == nil || !strings.Contains(err.Error(), "resclip_naclip_sfr compares tokens with texts") {
		t.Errorf("tokens of a method that needs texts: error %v", err)
	}
	if _, err := runners.ImageGraph(m, ms, runners.ImageOptions{Similarities: true}); err == nil || !strings.Contains(err.Error(), "is two graphs") {
		t.Errorf("the graph of a method of two: error %v", err)
	}
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
