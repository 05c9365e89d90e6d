package clip

import (
	"slices"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// Text is the text transformer.
type Text struct {
	vit.Transformer
	end       int32          // see TextInput
	Tokens    weights.Tensor // [vocabulary, W]
	Positions weights.Tensor // [context, W]
	Final     weights.Norm
	Proj      weights.Projection
}

// TextInput is what a text tower takes.
type TextInput struct {
	Vocabulary int // rows of its token embedding
	Context    int // tokens that a text may have
	// Truncated says that texts that are too long are cut, as the libraries of the family do; CLIP's refuses them.
	Truncated bool
	// Padded says that texts are padded to the context, and the last token of all is read.
	Padded bool
	// the id whose token it reads, where that comes first; 0 for the largest id, which is CLIP's end token unless tokens
	// were added
	End int32
}

// Tokens is what the text tower takes.
func (m *Model) Tokens() TextInput {
	return TextInput{m.Vocab, m.Context, m.Family == "SigLIP" || m.Family == "PE-Core", !m.Text.Causal, m.Text.end}
}

// Cut leaves out of a text's ids what is behind the token that is read: it has no effect on it.
func (in TextInput) Cut(ids []int32) []int32 {
	end := slices.Index(ids, in.End)
	if in.End == 0 || end < 0 {
		end = slices.Index(ids, slices.Max(ids))
	}
	return ids[:end+1]
}

// TextGraph is the text tower with inputs, all int64,
//
//	ids       [batch, tokens]  token ids
//	positions [tokens]         0, 1, 2, …
//	last      [batch]          index of each text's end token in the flattened [batch·tokens]
//
// and the output embedding [batch, E], un-normalised. If tokens are asked for, there is no last, and the output is
// tokens [batch, tokens, E]: the last LayerNorm and the projection of every token; that of the end token is the text's
// embedding.
//
// In CLIP the causal mask keeps a token from seeing later ones, so texts may be cut right behind their
// end token: the embedding is the same as with padding to the full context.
func (m *Model) TextGraph(tokens bool) *onnx.Graph {
	g := onnx.New()
	x := m.Text.states(g)
	if tokens {
		g.Output("tokens", m.Text.project(g, x))
		return g
	}
	last := g.Input("last", tensor.I64, g.Symbol("batch"))
	x = g.Gather(g.Reshape(x, g.Symbol("batch*tokens"), m.Text.Width), last)
	g.Output("embedding", m.Text.project(g, x))
	return g
}

// states declares ids and positions, and gives what the last block makes of them [batch, tokens, W].
func (t *Text) states(g *onnx.Graph) onnx.Value {
	tokens := g.Symbol("tokens")
	ids := g.Input("ids", tensor.I64, g.Symbol("batch"), tokens)
	positions := g.Input("positions", tensor.I64, tokens)
	x := g.Add(g.Gather(t.Tokens.In(g), ids), g.Gather(t.Positions.In(g), positions))
	for i := range t.Blocks {
		x = t.Block(g, i, x)
	}
	return x
}

func (t *Text) project(g *onnx.Graph, x onnx.Value) onnx.Value {
	return t.Proj.Apply(g, t.Final.Apply(g, x, t.Eps))
}
