package clip

import (
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// TextGraph is the text tower with inputs, all int64,
//
//	ids       [batch, tokens]  token ids
//	positions [tokens]         0, 1, 2, …
//	last      [batch]          index of each text's end token in the flattened [batch·tokens]
//
// and the output embedding [batch, E], un-normalised.
//
// The causal mask keeps a token from seeing later ones, so texts may be cut right behind their
// end token: the embedding is the same as with padding to the full context.
func (m *Model) TextGraph() *onnx.Graph {
	g := onnx.New()
	t, width := &m.Text, m.Text.tower.Width
	batch, tokens := g.Symbol("batch"), g.Symbol("tokens")
	ids := g.Input("ids", tensor.I64, batch, tokens)
	positions := g.Input("positions", tensor.I64, tokens)
	last := g.Input("last", tensor.I64, batch)

	x := g.Add(g.Gather(t.Tokens.in(g), ids), g.Gather(t.Positions.in(g), positions))
	for i := range t.Blocks {
		b := &t.Blocks[i]
		h := b.LN1.apply(g, x, t.tower.Eps)
		a := g.Attention(b.Q.apply(g, h), b.K.apply(g, h), b.V.apply(g, h), t.tower.Heads, t.tower.Scale(), onnx.Value{}, true)
		x = g.Add(x, b.Out.apply(g, a))
		x = g.Add(x, b.mlp(g, x, t.tower))
	}
	x = g.Gather(g.Reshape(x, g.Symbol("batch*tokens"), width), last)
	g.Output("embedding", t.Proj.apply(g, t.Final.apply(g, x, t.tower.Eps)))
	return g
}
