package runners_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// The arrays under golden/tiny-rn were recorded with the authors' code (CLIP Surgery at d4696d4, torch 1.13, float32)
// on a random modified ResNet. surgery_normalised is their code with its setting "resnet" switched on; its class token
// is still that of value-value attention, where Intended has CLIP's.

func resnetFolder(t testing.TB) string { return filepath.Join(golden(t), "tiny-rn") }

var resnetForms = []string{"openai.pt", "open_clip_model.safetensors"}

func surgeryOf(t testing.TB, resnet string) runners.Named {
	t.Helper()
	m, err := methods.New("clip_surgery", map[string]any{"resnet": resnet})
	if err != nil {
		t.Fatal(err)
	}
	return runners.Named{Name: resnet, Method: m}
}

func TestResNetTower(t *testing.T) {
	lib := library(t)
	dir := resnetFolder(t)
	for _, form := range resnetForms {
		m, err := clip.Open(filepath.Join(dir, form))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{64, 128} {
			for _, standard := range []bool{false, true} {
				ms := append(named(t, "clip"), surgeryOf(t, "released"), surgeryOf(t, "intended"), surgeryOf(t, "normalised"))
				images, err := runners.NewImages(lib, m, ms, runners.ImageOptions{Height: n, Width: n, StandardOps: standard})
				if err != nil {
					t.Fatal(err)
				}
				defer images.Close()
				for _, picture := range []string{"a", "b"} {
					prefix := filepath.Join(dir, fmt.Sprintf("%s_%d_", picture, n))
					array := func(name string) tensor.Dense { return load(t, prefix+name+".npy") }
					got := tokens(t, images, array("pixels"))
					plain, normalised := array("clip_tokens"), array("surgery_normalised_tokens")
					what := fmt.Sprintf("%s standard=%v %s at %d", form, standard, picture, n)
					equal(t, what+" clip", got[0], plain)
					equal(t, what+" released", got[1], array("surgery_tokens"))
					equal(t, what+" normalised", got[3], normalised)
					copy(normalised.Data[:m.Embed], plain.Data) // the class token
					equal(t, what+" intended", got[2], normalised)
				}
			}
		}
	}
}

func TestResNetTexts(t *testing.T) {
	lib := library(t)
	dir := resnetFolder(t)
	var texts struct{ Classes []string }
	loadJSON(t, filepath.Join(dir, "texts.json"), &texts)
	templates, err := clip.Templates("surgery85")
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range resnetForms {
		m, tok := open(t, filepath.Join(dir, form), filepath.Join(dir, "..", "tiny-vit", "hf"))
		tower, err := runners.NewTexts(lib, m, tok, ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer tower.Close()
		e, err := tower.Ensemble(t.Context(), texts.Classes, templates, nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, form+" class embeddings", e, load(t, filepath.Join(dir, "class_embedding.npy")))
		for _, n := range []int{64, 128} {
			images, err := runners.NewImages(lib, m, named(t, "clip_surgery"), runners.ImageOptions{Height: n, Width: n,
				Similarities: true})
			if err != nil {
				t.Fatal(err)
			}
			defer images.Close()
			for _, picture := range []string{"a", "b"} {
				prefix := filepath.Join(dir, fmt.Sprintf("%s_%d_", picture, n))
				sims := similarities(t, images, load(t, prefix+"pixels.npy"), e)
				if err := methods.Labels.Apply(sims[0].Data[:len(texts.Classes)], sims[0].Data, len(texts.Classes),
					nil, methods.Score{}); err != nil {
					t.Fatal(err)
				}
				equal(t, fmt.Sprintf("%s %s_%d feature surgery", form, picture, n), sims[0], load(t, prefix+"feature_surgery.npy"))
			}
		}
	}
}

// Sides that are no multiples of 32 are read as torch's convolutions and poolings round: the tokens that ONNX Runtime
// computes are as many as Grid says, or the run fails.
func TestResNetSides(t *testing.T) {
	lib := library(t)
	m, err := clip.Open(filepath.Join(resnetFolder(t), resnetForms[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][4]int{{32, 62, 1, 1}, {63, 33, 2, 1}, {95, 94, 3, 2}, {96, 160, 3, 5}} {
		images, err := runners.NewImages(lib, m, named(t, "clip"), runners.ImageOptions{Height: s[0], Width: s[1]})
		if err != nil {
			t.Fatal(err)
		}
		if rows, cols := m.Grid(s[0], s[1]); rows != s[2] || cols != s[3] {
			t.Errorf("%dx%d: grid %dx%d, want %dx%d", s[0], s[1], rows, cols, s[2], s[3])
		}
		if _, err := images.Tokens(t.Context(), tensor.New(2, 3, s[0], s[1])); err != nil {
			t.Errorf("%dx%d: %v", s[0], s[1], err)
		}
		images.Close()
	}
}

func TestResNetRefusals(t *testing.T) {
	m, err := clip.Open(filepath.Join(resnetFolder(t), resnetForms[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range methods.Names() {
		ms := named(t, name)
		if name == "clip" || name == "clip_surgery" || ms[0].Method.Traits().Texts { // some explanations are of ResNets too
			continue
		}
		_, err := runners.ImageGraph(m, ms, runners.ImageOptions{Height: 64, Width: 64, Backbones: backbones(t)})
		if want := name + ": " + m.Path +
			" is the ResNet ResNet[1 2 1 1] width 16, which has no transformer blocks"; err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for _, c := range []struct {
		method runners.Named
		size   int
		want   string
	}{
		{surgeryOf(t, "fixed"), 64, `clip_surgery: resnet "fixed" is not known; known are released, intended, normalised`},
		{surgeryOf(t, "released"), 31, "31x31 is out of range"},
	} {
		_, err := runners.ImageGraph(m, []runners.Named{c.method}, runners.ImageOptions{Height: c.size, Width: c.size})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// All forms share everything before the pool's attention: each costs few nodes more.
func TestResNetSharing(t *testing.T) {
	m, err := clip.Open(filepath.Join(resnetFolder(t), resnetForms[0]))
	if err != nil {
		t.Fatal(err)
	}
	nodes := func(ms ...runners.Named) int {
		g, err := runners.ImageGraph(m, ms, runners.ImageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return g.Nodes()
	}
	plain := nodes(named(t, "clip")...)
	released := nodes(append(named(t, "clip"), surgeryOf(t, "released"))...)
	intended := nodes(append(named(t, "clip"), surgeryOf(t, "intended"))...)
	// Attention, projection and its bias; for the other three more to normalise and three to put the tokens together.
	if released-plain != 3 || intended-plain != 9 {
		t.Errorf("%d nodes, %d with released surgery, %d with intended", plain, released, intended)
	}
}
