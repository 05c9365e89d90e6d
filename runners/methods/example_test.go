package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// ValueCLIP lets values attend to values in the last block,
//
//	P(softmax(v vᵀ s) v)
//
// with the residual and the MLP if Residual is set.
type ValueCLIP struct {
	Residual bool `json:"residual"`
}

// Positions is bicubic, as in the authors' code.
func (*ValueCLIP) Positions() clip.Interpolation { return clip.Bicubic }

// Redundant is none: the maps are plain cosines.
func (*ValueCLIP) Redundant() Redundant { return NoSurgery }

// Check wants a vision transformer.
func (*ValueCLIP) Check(m *clip.Model) error { return needBlocks("value_clip", m) }

// Tokens are those of the last block with that attention.
func (c *ValueCLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	v, last := m.Vision, m.Vision.Depth()-1
	x := before(g, v, pixels, p, last) // shared with every method that leaves these blocks alone
	_, _, u := v.QKV(g, last, x)
	a := v.Attention(g, u, u, u, onnx.Value{})
	return v.Project(g, read(g, v, last, x, a, c.Residual))
}
