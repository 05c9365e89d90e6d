package methods

import "ovbench/runners/vit"

// SCLIP attends from queries to queries and from keys to keys in the last block (arXiv 2312.01597, Eq. 4),
//
//	(softmax(q qᵀ s) + softmax(k kᵀ s)) v
//
// a sum: its rows add up to 2.
type SCLIP struct {
	Residual bool `json:"residual"` // keeps the residual and the MLP of the last block, as the authors' code does
}

// Traits are bicubic positions, as in the authors' code.
func (*SCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check wants a vision transformer.
func (*SCLIP) Check(m Models) error {
	_, err := needBlocks("sclip", m)
	return err
}

// Read takes the tokens of the last block with that attention.
func (c *SCLIP) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	last := v.Depth() - 1
	x := s.Before(last)
	q, k, u := v.QKV(g, last, x)
	return s.Project(read(g, v, last, x, attend(g, v, "qq+kk", q, k, u), c.Residual))
}
