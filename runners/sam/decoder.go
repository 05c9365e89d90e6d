package sam

import (
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/weights"
)

// decoder is the mask decoder: a transformer in which tokens (one for the IoUs, one for each mask, the prompts) and the
// cells of the embedding attend to each other, then an upscaling of the cells whose product with each mask token is a
// mask.
type decoder struct {
	grid, heads int
	places      tensor.Dense   // positions of the cells, [1, n·n, C]
	iou, tokens weights.Tensor // [1, C], [M, C]
	layers      []layer
	final       attention
	finalNorm   weights.Norm
	up1, up2    weights.Linear // transposed convolutions 2x2, weight [in, out, 2, 2]
	upNorm      weights.Norm
	hyper       []mlp // one for each mask token
	head        mlp
}

// layer is one layer of the two-way transformer.
type layer struct {
	self, toImage, toTokens    attention
	norm1, norm2, norm3, norm4 weights.Norm
	up, down                   weights.Linear
}

// attention has projections to a width of its own, which may be less than that of the tokens.
type attention struct{ q, k, v, out weights.Linear }

// mlp is linear layers with ReLU between them.
type mlp []weights.Linear

// transformerEps is the term of the LayerNorms in the transformer.
//
// Note: transformers' SamModel has 1e-6 here; the difference is 2.5e-5 of the largest logit.
const transformerEps = 1e-5

// stem is what the decoder makes of a picture before it looks at a prompt: the cells [1, n·n, C], and what the
// attentions of the first layer project them to, [1, n·n, inner]. It is a quarter of the decoder's work.
type stem struct{ cells, keys, values, queries onnx.Value }

// stemOf takes an embedding [1, C, n, n] with its dense prompt to the stem.
func (d *decoder) stemOf(g *onnx.Graph, embedding onnx.Value) stem {
	return d.project(g, 0, cells(g, embedding))
}

// project is what the attentions of a layer make of cells.
func (d *decoder) project(g *onnx.Graph, layer int, k onnx.Value) stem {
	placed, l := g.Add(k, g.Const("places", d.places)), &d.layers[layer]
	return stem{k, l.toImage.k.Apply(g, placed), l.toImage.v.Apply(g, k), l.toTokens.q.Apply(g, placed)}
}

// masks takes a stem and sparse prompts [1, P, C] to logits [1, M, 4n, 4n] and the expected IoUs [1, M].
func (d *decoder) masks(g *onnx.Graph, s stem, sparse onnx.Value) (low, iou onnx.Value) {
	c := sparse.Shape()[2]
	m := d.tokens.Shape[0]
	first := g.Concat(1, g.Reshape(d.iou.In(g), 1, 1, c), g.Reshape(d.tokens.In(g), 1, m, c), sparse)
	t, k := d.transform(g, first, s)
	token := func(i int) onnx.Value { return g.Reshape(g.Slice(t, 1, i, i+1), 1, c) }

	u := g.Gelu(d.upNorm.Apply(g, upscale(g, k, d.up1, d.grid), eps))
	u = g.Gelu(upscale(g, u, d.up2, 2*d.grid))
	var rows []onnx.Value
	for i := range m {
		rows = append(rows, d.hyper[i].apply(g, token(1+i)))
	}
	side := 4 * d.grid
	low = g.Linear(g.Concat(0, rows...), g.Reshape(u, side*side, u.Shape()[2]), onnx.Value{})
	return g.Reshape(low, 1, m, side, side), d.head.apply(g, token(0))
}

// transform runs the two-way transformer on tokens t [1, T, C] and the cells of a stem. The tokens that came in are the
// positions of the tokens all the way through.
func (d *decoder) transform(g *onnx.Graph, t onnx.Value, s stem) (tokens, cells onnx.Value) {
	places, tokenPlaces, k := g.Const("places", d.places), t, s.cells
	norm := func(n weights.Norm, x onnx.Value) onnx.Value { return n.Apply(g, x, transformerEps) }
	for i := range d.layers {
		l := &d.layers[i]
		if i == 0 {
			t = l.self.apply(g, t, t, t, d.heads) // neither residual nor positions
		} else {
			q := g.Add(t, tokenPlaces)
			t = g.Add(t, l.self.apply(g, q, q, t, d.heads))
		}
		t = norm(l.norm1, t)
		if i > 0 {
			s = d.project(g, i, k)
		}
		t = norm(l.norm2, g.Add(t, l.toImage.attend(g, l.toImage.q.Apply(g, g.Add(t, tokenPlaces)), s.keys, s.values,
			d.heads)))
		t = norm(l.norm3, g.Add(t, l.down.Apply(g, g.Relu(l.up.Apply(g, t)))))
		tokenKeys := l.toTokens.k.Apply(g, g.Add(t, tokenPlaces))
		k = norm(l.norm4, g.Add(k, l.toTokens.attend(g, s.queries, tokenKeys, l.toTokens.v.Apply(g, t), d.heads)))
	}
	t = g.Add(t, d.final.apply(g, g.Add(t, tokenPlaces), g.Add(k, places), k, d.heads))
	return norm(d.finalNorm, t), k
}

func (a *attention) apply(g *onnx.Graph, q, k, v onnx.Value, heads int) onnx.Value {
	return a.attend(g, a.q.Apply(g, q), a.k.Apply(g, k), a.v.Apply(g, v), heads)
}

// attend is the attention of what has been projected.
func (a *attention) attend(g *onnx.Graph, q, k, v onnx.Value, heads int) onnx.Value {
	scale := 1 / math.Sqrt(float64(q.Shape()[2]/heads))
	return a.out.Apply(g, g.Attention(q, k, v, heads, float32(scale), onnx.Value{}, false))
}

func (m mlp) apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	for i, l := range m {
		if i > 0 {
			x = g.Relu(x)
		}
		x = l.Apply(g, x)
	}
	return x
}

// upscale is a transposed convolution of 2x2 with stride 2, of cells [1, n·n, C] to [1, 4·n·n, O]. Its squares do not
// overlap, so it is a matrix product and a change of places.
func upscale(g *onnx.Graph, x onnx.Value, l weights.Linear, n int) onnx.Value {
	w := l.Weight.In(g)
	c, o := w.Shape()[0], w.Shape()[1]
	y := g.MatMul(x, g.Reshape(g.Transpose(w, 0, 2, 3, 1), c, 4*o))
	y = g.Transpose(g.Reshape(y, n, n, 2, 2, o), 0, 2, 1, 3, 4)
	return g.Add(g.Reshape(y, 1, 4*n*n, o), l.Bias.In(g))
}
