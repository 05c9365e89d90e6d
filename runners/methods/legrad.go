package methods

import (
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// LeGrad is LeGrad (arXiv 2404.03214): for each of the last blocks, the positive part of the gradient by its attention,
//
//	Σ_l mean over heads and queries of max(0, ∇A_l s_l)
//
// where the score s_l reads the block's own output: the cosine with the text of the mean over all its tokens, the class
// token included, through the last LayerNorm and the projection. No gradient crosses a block. Of a tower whose global
// token a pool makes, the pool reads each block's output, and the gradient is by its attention, as the authors have
// it for SigLIP; the mask that they subtract afterwards is left out.
type LeGrad struct {
	Blocks LastBlocks `json:"blocks"` // how many of the last blocks: 2 in the authors' code, half, all or a number
}

// Traits are positions read bicubically with antialias, as in the authors' code.
func (*LeGrad) Traits() Traits {
	return Traits{Positions: vit.BicubicAntialias, Texts: true, Explains: true, Ending: ResizeMinMax}
}

// Check wants a vision transformer of at least Blocks blocks.
func (l *LeGrad) Check(m Models) error {
	need := needClass
	if m.pooled() {
		need = needBlocks
	}
	t, err := need("legrad", m)
	if err == nil {
		_, err = l.Blocks.of("legrad", t)
	}
	return err
}

// Read gives the sum over blocks, never negative.
func (l *LeGrad) Read(s *Scene) Reading {
	g, t := s.Graph, s.Tower()
	n, _ := l.Blocks.of("legrad", t.Tower)
	var sum onnx.Value // [T, B, 1, Lead+N]
	for i := t.Depth() - n; i < t.Depth(); i++ {
		row := s.positive(i)
		if sum.Present() {
			row = g.Add(sum, row)
		}
		sum = row
	}
	r := s.scored(sum)
	r.Wide = t.Pool == nil
	return r
}

// positive is the positive part of the gradient by the attention of block i, or by the pool's behind it.
func (s *Scene) positive(i int) onnx.Value {
	g, t := s.Graph, s.Tower()
	if t.Pool != nil {
		row := s.headRow(s.Before(i + 1))
		gradient := g.Gradient(s.target(cosineTarget, row.embedding), row.attended)[0]
		return meanHeads(g, g.Relu(g.AtWeights(gradient, row.v, row.heads)))
	}
	q, k, u := t.QKV(g, i, s.Before(i))
	attended := t.Attention(g, q, k, u, onnx.Value{})
	score := g.L2Normalize(t.Project(g, g.Mean(s.Before(i+1), 1), vit.ByValue))
	gradient := g.Gradient(s.target(cosineTarget, score), attended)[0]
	return rowTimes(g, s.meanRow(), g.Relu(g.AtWeights(gradient, u, t.Heads)))
}
