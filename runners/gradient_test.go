package runners_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// recordedTexts are the rows of embeddings [T, E], divided by their norms.
func recordedTexts(t *testing.T, path string, rows ...int) tensor.Dense {
	all := load(t, path)
	out := tensor.New(len(rows), all.Shape[1])
	for i, r := range rows {
		copy(out.At(i).Data, all.At(r).Data)
	}
	runners.Normalize(out)
	return out
}

// Gradients of CLIP's cosines with two texts by the attention of every block, by every block's tokens and by the
// pixels, against those that were recorded: float64 autograd on the same weights, cast. See index.json beside them.
func TestRecordedGradients(t *testing.T) {
	dir := golden(t)
	m, err := clip.Open(filepath.Join(dir, "tiny-vit", "hf"))
	if err != nil {
		t.Fatal(err)
	}
	pixels := load(t, filepath.Join(dir, "tiny-vit", "a_64_pixels.npy"))
	texts := recordedTexts(t, filepath.Join(dir, "tiny-vit", "text_embedding.npy"), 0, 3)
	for _, ops := range [][]onnx.Option{nil, {onnx.StandardOps}} {
		for _, open := range []bool{false, true} {
			g := onnx.New(ops...)
			h, w, count := 64, 64, len(texts.Data)/m.Embed
			if open {
				h, w, count = g.Symbol("height"), g.Symbol("width"), g.Symbol("texts")
			}
			in := g.Input("pixels", tensor.F32, g.Symbol("batch"), 3, h, w)
			words := g.Input("texts", tensor.F32, count, m.Embed)
			var tokens, attended, values []onnx.Value
			v := m.Encoder().(*clip.ViT)
			x := v.Embed(g, in, vit.Bilinear)
			for i := range v.Depth() {
				q, k, u := v.QKV(g, i, x)
				tokens, values = append(tokens, x), append(values, u)
				attended = append(attended, v.Attention(g, q, k, u, onnx.Value{}))
				x = v.Block(g, i, x)
			}
			tokens = append(tokens, x)
			embedding := g.L2Normalize(v.Project(g, g.Slice(x, 1, 0, 1), vit.ByValue))
			seed := onnx.Seed{Of: embedding, Cotangent: g.Reshape(words, count, 1, 1, m.Embed)}
			by := append(append([]onnx.Value{v.Pixels.Apply(g, in)}, tokens...), attended...)
			gradients := g.Gradient([]onnx.Seed{seed}, by...)
			g.Output("by pixels", gradients[0])
			for i := range tokens {
				g.Output("by tokens "+fmt.Sprint(i), gradients[1+i])
			}
			for i := range attended {
				g.Output("by attention "+fmt.Sprint(i), g.AtWeights(gradients[1+len(tokens)+i], values[i], m.Config.Vision.Heads))
			}
			compareGradients(t, g, []tensor.Dense{raw(pixels), texts}, filepath.Join(dir, "explainers", "tiny-vit"))
		}
	}
}

func compareGradients(t *testing.T, g *onnx.Graph, inputs []tensor.Dense, dir string) {
	t.Helper()
	tables := g.Tables()
	for _, table := range tables {
		inputs = append(inputs, table.Make(64, 64))
	}
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := library(t).NewSession("gradients", model, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const layers, heads, n, width = 8, 2, 17, 128
	out := []tensor.Dense{tensor.New(2, 1, 3, 64, 64)}
	for range layers + 1 {
		out = append(out, tensor.New(2, 1, n, width))
	}
	for range layers {
		out = append(out, tensor.New(2, 1, heads, n, n))
	}
	var in, to []ort.Value
	for _, d := range inputs {
		in = append(in, ort.Float32(d.Shape, d.Data))
	}
	for _, d := range out {
		to = append(to, ort.Float32(d.Shape, d.Data))
	}
	if err := s.Run(context.Background(), in, to); err != nil {
		t.Fatal(err)
	}
	out[0].Shape = []int{2, 3, 64, 64}
	equal(t, "by the pixels", out[0], load(t, filepath.Join(dir, "a_64.input_gradient.npy")))
	equal(t, "by the tokens", stacked(out[1:layers+2]), load(t, filepath.Join(dir, "a_64.token_gradients.npy")))
	equal(t, "by the attention", stacked(out[layers+2:]), load(t, filepath.Join(dir, "a_64.attention_gradients.npy")))
}

// stacked puts layers [T, 1, ...] behind one another: [T, L, ...].
func stacked(layers []tensor.Dense) tensor.Dense {
	s := layers[0].Shape
	out := tensor.New(append([]int{s[0], len(layers)}, s[2:]...)...)
	for i, d := range layers {
		for t := range s[0] {
			copy(out.At(t).At(i).Data, d.At(t).Data)
		}
	}
	return out
}
