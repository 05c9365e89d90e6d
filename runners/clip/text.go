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
	x := m.Text.states(g)
	last := g.Input("last", tensor.I64, g.Symbol("batch"))
	x = g.Gather(g.Reshape(x, g.Symbol("batch*tokens"), m.Text.tower.Width), last)
	g.Output("embedding", m.Text.project(g, x))
	return g
}

// TextTokensGraph is the text tower with the inputs ids and positions of [Model.TextGraph], which takes the
// last LayerNorm and the projection to every token: its output is tokens [batch, tokens, E], un-normalised. That of the end
// token is the text's embedding.
func (m *Model) TextTokensGraph() *onnx.Graph {
	g := onnx.New()
	g.Output("tokens", m.Text.project(g, m.Text.states(g)))
	return g
}

// states declares ids and positions, and gives what the last block makes of them [batch, tokens, W].
func (t *Text) states(g *onnx.Graph) onnx.Value {
	tokens := g.Symbol("tokens")
	ids := g.Input("ids", tensor.I64, g.Symbol("batch"), tokens)
	positions := g.Input("positions", tensor.I64, tokens)
	x := g.Add(g.Gather(t.Tokens.In(g), ids), g.Gather(t.Positions.In(g), positions))
	for i := range t.Blocks {
		b := &t.Blocks[i]
		h := b.LN1.Apply(g, x, t.tower.Eps)
		a := g.Attention(b.Q.Apply(g, h), b.K.Apply(g, h), b.V.Apply(g, h), t.tower.Heads, t.tower.Scale(), onnx.Value{}, true)
		x = g.Add(x, b.Out.Apply(g, a))
		x = g.Add(x, b.mlp(g, x, t.tower))
	}
	return x
}

func (t *Text) project(g *onnx.Graph, x onnx.Value) onnx.Value {
	return t.Proj.Apply(g, t.Final.Apply(g, x, t.tower.Eps))
}
