package methods

import (
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// ValueCLIP lets values attend to values in the last block,
//
//	P(softmax(v vᵀ s) v)
//
// with the residual and the MLP if Residual is set.
type ValueCLIP struct {
	Residual bool `json:"residual"`
}

// Traits are bicubic positions, as in the authors' code.
func (*ValueCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check wants a vision transformer.
func (*ValueCLIP) Check(m Models) error {
	_, err := needBlocks("value_clip", m)
	return err
}

// Read takes the tokens of the last block with that attention.
func (c *ValueCLIP) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	last := v.Depth() - 1
	x := s.Before(last) // shared with every method that leaves these blocks alone
	_, _, u := v.QKV(g, last, x)
	a := v.Attention(g, u, u, u, onnx.Value{})
	return s.Project(read(g, v, last, x, a, c.Residual))
}
