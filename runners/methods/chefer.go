package methods

import (
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// Chefer is the relevance of Chefer et al. (arXiv 2103.15679), also called bi-modal, GAME and HilaCAM, for the image
// tower:
//
//	R ← R + E_h[max(0, ∇A ⊙ A)] R
//
// over blocks from first to last, of which the class token's row is read: R starts as the identity, A are a block's
// attention probabilities and ∇A the gradient of the text's score by them. The row alone is computed, from the last
// block down.
type Chefer struct {
	// Blocks is how many of the last blocks are looked at: 1 as in the authors' notebook for CLIP, half, all as in
	// gScoreCAM's "hilacam", or a number.
	Blocks LastBlocks `json:"blocks"`
	// Target is logit, as in the authors' code, or cosine. For one block its scale is a factor of the map, for several it
	// is not.
	Target string `json:"target"`
}

// Traits are positions read bicubically to a size; the authors' code knows the native size alone.
func (*Chefer) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Ending: ResizeMinMax}
}

// Check wants a vision transformer of at least Blocks blocks.
func (c *Chefer) Check(m Models) error {
	t, err := needClass("chefer", m)
	if err != nil {
		return err
	}
	if _, err := c.Blocks.of("chefer", t); err != nil {
		return err
	}
	return oneOf("chefer", "target", c.Target, logitTarget, cosineTarget)
}

// Read gives the class token's row of the relevance.
func (c *Chefer) Read(s *Scene) Reading {
	g, t := s.Graph, s.Tower()
	n, _ := c.Blocks.of("chefer", t.Tower)
	class := s.lastRow(false)
	weights, results, values := []onnx.Value{class.weights}, []onnx.Value{class.attended}, []onnx.Value{class.v}
	for i := t.Depth() - 2; i >= t.Depth()-n; i-- {
		q, k, u := t.QKV(g, i, s.Before(i))
		weights = append(weights, g.Weights(q, k, t.Heads, t.Scale(), onnx.Value{}, false))
		results = append(results, t.Attention(g, q, k, u, onnx.Value{}))
		values = append(values, u)
	}
	gradients := g.Gradient(s.target(c.Target, class.embedding), results...)
	relevance := make([]onnx.Value, n)   // [K, B, heads, M, Lead+N]
	for b, gradient := range gradients { // from the last block down
		relevance[b] = g.Relu(g.Mul(g.AtWeights(gradient, values[b], t.Heads), weights[b]))
	}
	// Written behind all of them, the products are computed as early as they can be, and each relevance is let go.
	row := g.Add(meanHeads(g, relevance[0]), s.classOnly())
	for _, r := range relevance[1:] {
		row = g.Add(row, rowTimes(g, row, r))
	}
	r := s.scored(row)
	r.Wide = n > 1
	return r
}
