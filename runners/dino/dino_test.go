package dino_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners/checkpoint/checkpointtest"
	"ovbench/runners/dino"
	"ovbench/runners/dino/dinotest"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// golden is the folder of recordings, or skips.
func golden(t *testing.T) string {
	t.Helper()
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "golden", "dino")
	if _, err := os.Stat(dir); err != nil {
		skip(t, "no recordings: set OVBENCH_SHARED")
	}
	return dir
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("OVBENCH_PARITY") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func load(t *testing.T, path string) tensor.Dense {
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

func equal(t *testing.T, what string, got, want tensor.Dense, tolerance float64) {
	t.Helper()
	worst, most := 0.0, 0.0
	if len(got.Data) != len(want.Data) {
		t.Errorf("%s: %v, want %v", what, got.Shape, want.Shape)
		return
	}
	for i, w := range want.Data {
		worst, most = max(worst, math.Abs(float64(got.Data[i]-w))), max(most, math.Abs(float64(w)))
	}
	if !(worst <= tolerance*most) {
		t.Errorf("%s: distance %.2g", what, worst/most)
	}
}

// Positions, tokens behind the last LayerNorm and queries, keys and values of the last block, as the authors' classes
// gave them in float32 (index.json beside the recordings), from the files of torch.hub and of transformers.
func TestRecordings(t *testing.T) {
	dir := golden(t)
	for _, file := range []string{"dino_pretrain.pth", "dinov2_pretrain.pth", "hf"} {
		paths, _ := filepath.Glob(filepath.Join(dir, "*", file))
		for _, path := range paths {
			name := filepath.Base(filepath.Dir(path))
			m, err := dino.Open(path, "dino")
			if err != nil {
				t.Error(err)
				continue
			}
			tokens, _ := filepath.Glob(filepath.Join(dir, "*_"+name+"_tokens.npy"))
			if len(tokens) == 0 {
				t.Errorf("%s has no recordings", name)
			}
			for _, want := range tokens {
				check(t, m, strings.TrimSuffix(want, "tokens.npy"))
			}
		}
	}
}

// What a checkpoint can get wrong, and what is said about it; a training checkpoint gives its teacher.
func TestOpen(t *testing.T) {
	all := dinotest.Weights(dinotest.V2)
	without := func(name string) checkpointtest.List {
		return slices.DeleteFunc(slices.Clone(all), func(w checkpointtest.Weight) bool { return w.Name == name })
	}
	with := func(name string, shape ...int) checkpointtest.List {
		l := slices.Clone(all)
		l.Add(name, 1, shape...)
		return l
	}
	prefixed := func(prefix string) (l checkpointtest.List) {
		for _, w := range all {
			w.Name = prefix + w.Name
			l = append(l, w)
		}
		return l
	}
	for _, c := range []struct {
		name, want string
		weights    checkpointtest.List
	}{
		{"whole", "", all},
		{"teacher", "", append(prefixed("teacher.backbone."), prefixed("student.module.backbone.")...)},
		{"no class token", "tensor cls_token is missing", without("cls_token")},
		{"no bias", "tensor patch_embed.proj.bias is missing", without("patch_embed.proj.bias")},
		{"half a LayerScale", "tensor blocks.1.ls2.gamma is missing", without("blocks.1.ls2.gamma")},
		{"a part unknown", "tensor blocks.0.attn.q_norm.weight has no place", with("blocks.0.attn.q_norm.weight", 32)},
		{"giant", "SwiGLU", with("blocks.0.mlp.w12.weight", 64, 32)},
	} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := checkpointtest.WriteSafetensors(path, c.weights, 1); err != nil {
			t.Fatal(err)
		}
		m, err := dino.Open(path, "dino")
		if c.want == "" && err == nil {
			if got := m.Name(); got != "DINOv2 ViT width 32 depth 2 patch 6 with 3 registers" || m.Image != 24 ||
				m.Tower.Rule != vit.BicubicAntialias {
				t.Errorf("%s: %s of %d px, positions %s", c.name, got, m.Image, m.Tower.Rule)
			}
			continue
		}
		if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := dinotest.Write(path, dinotest.Tiny, 1); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		`{"num_attention_heads": 3}`:    "cannot be split into the 3 heads",
		`{"model_type": "clip"}`:        `model_type "clip" is no DINO`,
		`{"use_swiglu_ffn": true}`:      "SwiGLU",
		`{"num_attention_heads": "no"}`: "config.json",
		`{"num_attention_heads": -2}`:   "num_attention_heads -2 is not positive",
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := dino.Open(filepath.Dir(path), "dino"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", config, err, want)
		}
	}
	// Beside a file it may be of another model.
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "config.json"),
		[]byte(`{"model_type": "clip", "num_attention_heads": 3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dino.Open(path, "dino"); err != nil {
		t.Error(err)
	}
}

// check compares what the tower makes of a picture with recordings that begin with prefix.
func check(t *testing.T, m *dino.Model, prefix string) {
	t.Helper()
	parts := strings.Split(filepath.Base(prefix), "_")
	dir := filepath.Dir(prefix)
	var h, w int
	if _, err := fmt.Sscanf(parts[1], "%dx%d", &h, &w); err != nil {
		t.Fatal(err)
	}
	rows, cols := m.Tower.Grid(h, w)
	if path := filepath.Join(dir, parts[1]+"_"+parts[2]+"_positions.npy"); exists(path) {
		equal(t, prefix+" positions", m.Tower.PositionTable(rows, cols, m.Tower.Rule), load(t, path), 1e-4)
	}
	pixels := filepath.Join(dir, parts[0]+"_"+parts[1]+"_pixels.npy")
	if !exists(pixels) {
		pixels = filepath.Join(dir, "..", "tiny-vit", parts[0]+"_"+strings.TrimSuffix(strings.Replace(parts[1], "64x64", "64",
			1), "x")+"_pixels.npy")
	}
	if !exists(pixels) {
		t.Fatalf("no pixels for %s", prefix)
	}
	g := onnx.New()
	in := g.Input("pixels", tensor.F32, 1, 3, h, w)
	last := m.Tower.Depth() - 1
	x := m.Tower.Before(g, in, "", last)
	q, k, u := m.Tower.QKV(g, last, x)
	g.Output("tokens", m.Tower.Final(g, m.Tower.Block(g, last, x)))
	g.Output("q", q)
	g.Output("k", k)
	g.Output("v", u)
	n := m.Tower.Lead() + rows*cols
	out := []tensor.Dense{tensor.New(1, n, m.Tower.Width), tensor.New(1, n, m.Tower.Width),
		tensor.New(1, n, m.Tower.Width), tensor.New(1, n, m.Tower.Width)}
	run(t, g, raw(load(t, pixels)), out)
	equal(t, prefix+"tokens of "+m.Path, out[0], load(t, prefix+"tokens.npy"), 1e-4)
	if exists(prefix + "qkv.npy") {
		want := load(t, prefix+"qkv.npy")
		all := tensor.Dense{Shape: want.Shape}
		for _, d := range out[1:] {
			all.Data = append(all.Data, d.Data...)
		}
		equal(t, prefix+"qkv of "+m.Path, all, want, 1e-4)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// raw undoes CLIP's normalisation of recorded pixels.
func raw(pixels tensor.Dense) tensor.Dense {
	plane := pixels.Shape[2] * pixels.Shape[3]
	for i, v := range pixels.Data {
		c := i / plane % 3
		pixels.Data[i] = float32(255 * (float64(v)*float64(vit.CLIP.Std[c]) + float64(vit.CLIP.Mean[c])))
	}
	return pixels
}

func run(t *testing.T, g *onnx.Graph, pixels tensor.Dense, out []tensor.Dense) {
	t.Helper()
	lib, err := ort.Load("")
	if err != nil {
		skip(t, "ONNX Runtime is not here (make setup): "+err.Error())
	}
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := lib.NewSession("dino", model, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var values []ort.Value
	for _, d := range out {
		values = append(values, ort.Float32(d.Shape, d.Data))
	}
	if err := s.Run(t.Context(), []ort.Value{ort.Float32(pixels.Shape, pixels.Data)}, values); err != nil {
		t.Fatal(err)
	}
}
