package methods

import (
	"fmt"

	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// ClearCLIP reads the attention of the last block alone (arXiv 2407.12442, section 3.3): without the residual, which
// carries the global features that drown local ones, and without the MLP; attention is from queries to queries.
type ClearCLIP struct {
	Attention string `json:"attn"`          // qq, or another of qk, kk, vv, qq+kk, identity, as in the paper's ablation
	Residual  bool   `json:"residual"`      // keeps the residual and the MLP
	Layers    int    `json:"last_n_layers"` // sums what so many of the last blocks give
}

// Traits are bicubic positions, as in the authors' code.
func (*ClearCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check wants a vision transformer and known parameters.
func (c *ClearCLIP) Check(m Models) error {
	t, err := needBlocks("clearclip", m)
	if err != nil {
		return err
	}
	if c.Layers < 1 || c.Layers > t.Depth() {
		return fmt.Errorf("clearclip: last_n_layers %d is out of range: %s has %d blocks", c.Layers, m.Name(), t.Depth())
	}
	return oneOf("clearclip", "attn", c.Attention, attentions...)
}

// Read takes the sum over the last blocks i of P_i(softmax(q qᵀ s) v), where the stream they read goes on as in CLIP.
func (c *ClearCLIP) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	var sum onnx.Value
	for i := v.Depth() - c.Layers; i < v.Depth(); i++ {
		x := s.Before(i)
		q, k, u := v.QKV(g, i, x)
		y := read(g, v, i, x, attend(g, v, c.Attention, q, k, u), c.Residual)
		if sum.Present() {
			y = g.Add(sum, y)
		}
		sum = y
	}
	return s.Project(sum)
}
