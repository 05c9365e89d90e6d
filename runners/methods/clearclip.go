package methods

import (
	"fmt"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// ClearCLIP reads the attention of the last block alone (arXiv 2407.12442, section 3.3): without the residual, which carries
// the global features that drown local ones, and without the MLP; attention is from queries to queries.
type ClearCLIP struct {
	Attention string `json:"attn"`          // qq, or another of qk, kk, vv, qq+kk, identity, as in the paper's ablation
	Residual  bool   `json:"residual"`      // keeps the residual and the MLP
	Layers    int    `json:"last_n_layers"` // sums what so many of the last blocks give
}

// Positions is bicubic, as in the authors' code.
func (*ClearCLIP) Positions() clip.Interpolation { return clip.Bicubic }

// Redundant is none: the maps are plain cosines.
func (*ClearCLIP) Redundant() Redundant { return NoSurgery }

// Check wants a vision transformer and known parameters.
func (c *ClearCLIP) Check(m *clip.Model) error {
	if err := needBlocks("clearclip", m); err != nil {
		return err
	}
	if c.Layers < 1 || c.Layers > m.Vision.Depth() {
		return fmt.Errorf("clearclip: last_n_layers %d is out of range: %s has %d blocks", c.Layers, m.Name(), m.Vision.Depth())
	}
	return oneOf("clearclip", "attn", c.Attention, attentions...)
}

// Tokens are the sum over the last blocks i of P_i(softmax(q qᵀ s) v), where the stream they read goes on as in CLIP.
func (c *ClearCLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	v := m.Vision
	var sum onnx.Value
	for i := v.Depth() - c.Layers; i < v.Depth(); i++ {
		x := before(g, v, pixels, p, i)
		q, k, u := v.QKV(g, i, x)
		y := read(g, v, i, x, attend(g, v, c.Attention, q, k, u), c.Residual)
		if sum.Present() {
			y = g.Add(sum, y)
		}
		sum = y
	}
	return v.Project(g, sum)
}
