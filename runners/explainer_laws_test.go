package runners_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// explainersOn are the explanations that m allows, under their specifications. The models of tests have few channels,
// so gscorecam tries few.
func explainersOn(t *testing.T, m *clip.Model) (out []runners.Named) {
	t.Helper()
	for _, spec := range []string{
		"raw_attention", "raw_attention:heads=one", "rollout", "chefer", "chefer:blocks=all", "gradcam",
		"gradcam:target=softmax", "gradcam:layer=cls",
		"gradcam:layer=input", "gradcam:layer=attention", "grad_eclip", "grad_eclip:heads=native", "legrad", "clip_es",
		"gscorecam:k=4",
	} {
		method, err := methods.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := method.Check(methods.Models{ImageText: m}); err == nil {
			out = append(out, runners.Named{Name: spec, Method: method})
		}
	}
	return out
}

// apart is how far got is from want; two maps of zeros are equal.
func apart(got, want tensor.Dense) float64 {
	if slices.Equal(got.Data, want.Data) {
		return 0
	}
	return distance(got, want)
}

// unusual are models of shapes nobody ships.
func unusual(t *testing.T) map[string]*clip.Model {
	t.Helper()
	out := map[string]*clip.Model{}
	tower := func(w, l, h int) cliptest.Tower { return cliptest.Tower{Width: w, Layers: l, Heads: h} }
	for name, shape := range map[string]cliptest.Shape{
		"patch 14, 7 blocks": {Image: 56, Patch: 14, Embed: 24, Vision: tower(48, 7, 3), Text: tower(64, 1, 1), Vocab: 647},
		"gelu, 5 blocks": {Image: 32, Patch: 16, Embed: 16, Vision: tower(32, 5, 2), Text: tower(64, 1, 1), Vocab: 647,
			Activation: "gelu"},
	} {
		dir := t.TempDir()
		if err := cliptest.Write(dir, shape, 7); err != nil {
			t.Fatal(err)
		}
		m, err := clip.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = m
	}
	path, err := cliptest.WriteResNet(t.TempDir(), cliptest.ResNet{Image: 64, Width: 8, Stages: [4]int{1, 2, 1, 1},
		Embed: 16, Text: tower(64, 1, 1), Vocab: 647}, 7)
	if err != nil {
		t.Fatal(err)
	}
	if out["resnet"], err = clip.Open(path); err != nil {
		t.Fatal(err)
	}
	return out
}

// textsFor are normalised embeddings [n, E].
func textsFor(m *clip.Model, n int) tensor.Dense {
	out := random(1, n, m.Embed).At(0).At(0)
	runners.Normalize(out)
	return out
}

func rowsOf(texts tensor.Dense, rows ...int) tensor.Dense {
	out := tensor.New(len(rows), texts.Shape[1])
	for i, r := range rows {
		copy(out.At(i).Data, texts.At(r).Data)
	}
	return out
}

// On models of unusual shapes, at sizes that are oblong and no multiple of the patch: a graph of open size gives what
// one of that size gives, standard operators what fused ones give, a batch what its pictures give, and texts together
// what each gives alone, unless a method is about texts together.
func TestExplainersOfAnyShape(t *testing.T) {
	for name, m := range unusual(t) {
		t.Run(name, func(t *testing.T) {
			ms := explainersOn(t, m)
			h, w := 5*m.Patch/2+3, 4*m.Patch+5
			pixels, texts := raw(random(2, h, w)), textsFor(m, 4)
			any := images(t, m, ms, runners.ImageOptions{Similarities: true})
			ask := func(r *runners.Images, pixels, texts tensor.Dense) []runners.Batch {
				t.Helper()
				out, err := r.Similarities(t.Context(), pixels, texts)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			all := ask(any, pixels, texts)
			fixed := ask(images(t, m, ms, runners.ImageOptions{Similarities: true, Height: h, Width: w}), pixels, texts)
			standard := ask(images(t, m, ms, runners.ImageOptions{Similarities: true, StandardOps: true}), pixels, texts)
			small := images(t, m, ms, runners.ImageOptions{Similarities: true})
			small.Hold(1)
			parts := ask(small, pixels, texts)
			for i, n := range ms {
				if all[i].Global || all[i].Rows*all[i].Cols != all[i].Values.Shape[1] {
					t.Errorf("%s: %d x %d patches in %v", n.Name, all[i].Rows, all[i].Cols, all[i].Values.Shape)
				}
				for what, other := range map[string][]runners.Batch{"of fixed size": fixed, "in standard operators": standard,
					"in parts": parts} {
					if d := apart(other[i].Values, all[i].Values); !(d < 2e-5) {
						t.Errorf("%s %s: distance %.2g", n.Name, what, d)
					}
				}
				flat := slices.Max(all[i].Values.Data) == slices.Min(all[i].Values.Data)
				if flat && !strings.HasPrefix(n.Name, "gscorecam") {
					t.Errorf("%s is constant: this tests nothing", n.Name)
				}
			}
			for b := range 2 {
				one := tensor.Dense{Shape: []int{1, 3, h, w}, Data: pixels.At(b).Data}
				for i, got := range ask(any, one, texts) {
					if d := apart(got.Values.At(0), all[i].Values.At(b)); !(d < 2e-5) {
						t.Errorf("%s: picture %d alone: distance %.2g", ms[i].Name, b, d)
					}
				}
			}
			for k := range 4 {
				for i, got := range ask(any, pixels, rowsOf(texts, k)) {
					together := ms[i].Method.Traits().Together
					want := tensor.New(got.Values.Shape...)
					for j := range want.Data {
						want.Data[j] = all[i].Values.Data[4*j+k]
					}
					if d := apart(got.Values, want); !together && !(d < 2e-5) {
						t.Errorf("%s: text %d alone: distance %.2g", ms[i].Name, k, d)
					} else if together && d < 1e-3 {
						t.Errorf("%s does not depend on the texts beside", ms[i].Name)
					}
				}
			}
		})
	}
}

// Texts that are not explained are not numbers; passive ones change nothing; sets that share a picture get what each
// gets alone. Beside methods that give cosines, these are what they were.
func TestExplainedTexts(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, _ := open(t, micro, micro)
	ms := append(explainersOn(t, m), named(t, "clip", "clip_surgery")...)
	r := images(t, m, ms, runners.ImageOptions{Similarities: true})
	plain := images(t, m, named(t, "clip", "clip_surgery"), runners.ImageOptions{Similarities: true})
	texts, pixels := textsFor(m, 5), raw(random(1, 40, 56))
	all := explained(t, r, pixels, runners.TextSet{Texts: rowsOf(texts, 0, 1, 2)})
	some := explained(t, r, pixels, runners.TextSet{Texts: rowsOf(texts, 0, 1, 2), Explained: []int{2, 0}})
	passive := explained(t, r, pixels, runners.TextSet{Texts: rowsOf(texts, 0, 1, 2, 4), Passive: 1})
	none := explained(t, r, pixels, runners.TextSet{Texts: rowsOf(texts, 0, 1, 2), Explained: []int{}})
	two := explained(t, r, pixels, runners.TextSet{Texts: rowsOf(texts, 3, 4)},
		runners.TextSet{Texts: rowsOf(texts, 0, 1, 2), Explained: []int{1}})
	cosines := explained(t, plain, pixels, runners.TextSet{Texts: rowsOf(texts, 0, 1, 2)})
	column := func(m runners.Maps, texts, k int) tensor.Dense {
		c := methods.Column(m.Patches, texts, k)
		return tensor.Dense{Shape: []int{len(c)}, Data: c}
	}
	unknown := func(d tensor.Dense) bool {
		return !slices.ContainsFunc(d.Data, func(v float32) bool { return !math.IsNaN(float64(v)) })
	}
	for i, n := range ms {
		scores := n.Method.Traits().Explains
		same := func(what string, got, want tensor.Dense) {
			t.Helper()
			if d := apart(got, want); !(d < 1e-5) {
				t.Errorf("%s: %s: distance %.2g", n.Name, what, d)
			}
		}
		for k := range 3 {
			same("beside a passive text", column(passive[i], 4, k), column(all[i], 3, k))
			if !scores {
				same("beside explanations", column(all[i], 3, k), column(cosines[i-len(ms)+2], 3, k))
			}
			if k != 1 || !scores {
				same("some texts", column(some[i], 3, k), column(all[i], 3, k))
			} else if !unknown(column(some[i], 3, k)) {
				t.Errorf("%s: a text that is not explained has values", n.Name)
			}
		}
		if scores && (!unknown(column(passive[i], 4, 3)) || !unknown(column(none[i], 3, 2))) {
			t.Errorf("%s: a text that is not explained has values", n.Name)
		}
		same("the second set", column(two[i], 5, 3), column(all[i], 3, 1))
	}
}

// All explanations in one graph share what they have in common, and one that is there already adds nothing.
func TestExplainersShare(t *testing.T) {
	m := unusual(t)["patch 14, 7 blocks"]
	ms := slices.DeleteFunc(explainersOn(t, m),
		func(n runners.Named) bool { return strings.HasPrefix(n.Name, "gscorecam") })
	nodes := func(ms ...runners.Named) int {
		t.Helper()
		g, err := runners.ImageGraph(m, ms, runners.ImageOptions{Similarities: true, Positions: vit.Bilinear})
		if err != nil {
			t.Fatal(err)
		}
		return g.Nodes()
	}
	together, sum := nodes(ms...), 0
	for _, n := range ms {
		sum += nodes(n)
	}
	if together > sum/2 {
		t.Errorf("%d explanations take %d nodes together and %d apart", len(ms), together, sum)
	}
	twins := slices.Clone(ms)
	for i := range twins {
		twins[i].Name = "twin of " + twins[i].Name
	}
	if n := nodes(append(twins, ms...)...); n != together {
		t.Errorf("the same explanations under other names take %d nodes more", n-together)
	}
}

// What methods that need texts cannot do is refused in words.
func TestExplainersRefuse(t *testing.T) {
	models := unusual(t)
	tower, pool := models["patch 14, 7 blocks"], models["resnet"]
	for _, c := range []struct {
		method, want string
		m            *clip.Model
	}{
		{"chefer:blocks=8", "chefer: blocks 8 is out of range: want 1 to 7, half or all", tower},
		{"legrad:blocks=none", "legrad: blocks none is out of range", tower},
		{"chefer:target=softmax", `chefer: target "softmax" is not known; known are logit, cosine`, tower},
		{"rollout:from=7", "rollout: from 7 is out of range", tower},
		{"rollout:from=-8", "rollout: from -8 is out of range", tower},
		{"gradcam:layer=resnet", "layer resnet is of a ResNet", tower},
		{"gradcam:layer=ln2", `gradcam: layer "ln2" is not known`, tower},
		{"grad_eclip:qk=out", `grad_eclip: qk "out" is not known`, tower},
		{"gscorecam:k=-1", "gscorecam: k -1 is negative", tower},
		{"grad_eclip", "which has no transformer blocks", pool},
		{"chefer", "which has no transformer blocks", pool},
		{"clip_es", "which has no transformer blocks", pool},
	} {
		method, err := methods.Parse(c.method)
		if err == nil {
			err = method.Check(methods.Models{ImageText: c.m})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.method, err, c.want)
		}
	}
	_, err := runners.NewImages(library(t), tower, named(t, "legrad"), runners.ImageOptions{Session: ort.Options{}})
	if err == nil || !strings.Contains(err.Error(), "method legrad says how much patches answer to texts") {
		t.Errorf("tokens of a method that gives scores: error %v", err)
	}
}
