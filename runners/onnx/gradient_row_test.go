package onnx

import (
	"math"
	"testing"

	"ovbench/runners/tensor"
)

// lastBlock is a transformer block of two heads on tokens [1, 5, 8] whose first token is read: norm, keys, values and
// what the attention gives, and the first token's embedding of length 1. Written for the first row alone, only its
// query is there.
type lastBlock struct{ norm, k, v, attended, embedding Value }

func newLastBlock(g *Graph, x Value, row bool, one bool) (b lastBlock) {
	first := func(x Value) Value { return g.Slice(x, 1, 0, 1) }
	w := func(seed uint64, x Value, out, in int) Value {
		return g.Linear(x, random(g, seed, -1, 1, out, in), random(g, seed+100, -1, 1, out))
	}
	norm := func(seed uint64, x Value) Value {
		return g.LayerNorm(x, random(g, seed, 0.5, 2, 8), random(g, seed+100, -1, 1, 8), 1e-5)
	}
	b.norm = norm(1, x)
	queries := b.norm
	if row {
		queries, x = first(b.norm), first(x)
	}
	q := w(2, queries, 8, 8)
	b.k, b.v = w(3, b.norm, 8, 8), w(4, b.norm, 8, 8)
	if one {
		b.attended = g.MatMul(g.Softmax(g.MatMul(g.Scale(q, 0.35), g.Transpose(b.k, 0, 2, 1)), -1), b.v)
	} else {
		b.attended = g.Attention(q, b.k, b.v, 2, 0.5, Value{}, false)
	}
	x = g.Add(x, w(5, b.attended, 8, 8))
	x = g.Add(x, w(7, g.QuickGelu(w(8, norm(6, x), 16, 8)), 8, 16))
	if !row {
		x = first(x)
	}
	b.embedding = g.L2Normalize(g.MatMul(norm(9, x), random(g, 10, -1, 1, 8, 3)))
	return b
}

// Differentiating the row that is read is differentiating the whole block: by the attention's result, by keys, values
// and tokens. And the mean over tokens goes through linear layers as each token does. All in float64, so that nothing
// but rounding can differ.
func TestOneRowIsTheWholeBlock(t *testing.T) {
	for _, one := range []bool{false, true} {
		g := New()
		x := g.Input("x", tensor.F32, 1, 5, 8)
		texts := random(g, 11, -1, 1, 3, 1, 1, 3)
		row, whole := newLastBlock(g, x, true, one), newLastBlock(g, x, false, one)
		a := g.Gradient([]Seed{{row.embedding, texts}}, row.attended, row.k, row.v, row.norm, x)
		b := g.Gradient([]Seed{{whole.embedding, texts}}, whole.attended, whole.k, whole.v, whole.norm, x)
		a[0] = g.pad(a[0], 2, g.Ints(0), g.Ints(4), 5) // the other rows are not read
		rest := func(x Value) Value { return g.Slice(x, 2, 1, End) }
		mean := g.Gradient([]Seed{{row.k, g.Mean(rest(a[1]), 2)}, {row.v, g.Mean(rest(a[2]), 2)}}, row.norm)[0]
		a, b = append(a, g.Slice(mean, 2, 1, 2)), append(b, g.Mean(rest(b[3]), 2))
		in := map[string]array{"x": newArray(1, 5, 8)}
		for i := range in["x"].data {
			in["x"].data[i] = math.Sin(float64(i * i))
		}
		got, want := interpret(g, in, a...), interpret(g, in, b...)
		for i, what := range []string{"the attention's result", "keys", "values", "normalised tokens", "tokens",
			"the mean of normalised tokens"} {
			if d := want[i].distance(got[i]); !(d < 4e-15) {
				t.Errorf("one head %v, by %s: %.2g from the whole block", one, what, d)
			}
		}
	}
}
