package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// SCLIP attends from queries to queries and from keys to keys in the last block (arXiv 2312.01597, Eq. 4),
//
//	(softmax(q qᵀ s) + softmax(k kᵀ s)) v
//
// a sum: its rows add up to 2.
type SCLIP struct {
	Residual bool `json:"residual"` // keeps the residual and the MLP of the last block, as the authors' code does
}

// Positions is bicubic, as in the authors' code.
func (*SCLIP) Positions() clip.Interpolation { return clip.Bicubic }

// Redundant is none: the maps are plain cosines.
func (*SCLIP) Redundant() Redundant { return NoSurgery }

// Check wants a vision transformer.
func (*SCLIP) Check(m *clip.Model) error { return needBlocks("sclip", m) }

// Tokens are those of the last block with that attention.
func (s *SCLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	v, last := m.Vision, m.Vision.Depth()-1
	x := before(g, v, pixels, p, last)
	q, k, u := v.QKV(g, last, x)
	return v.Project(g, read(g, v, last, x, attend(g, v, "qq+kk", q, k, u), s.Residual))
}
