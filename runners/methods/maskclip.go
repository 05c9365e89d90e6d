package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// MaskCLIP reads the values of the last block (arXiv 2112.01071, section 3.2): attention is left out, so
// that a token keeps to its own place.
type MaskCLIP struct {
	// Residual keeps the residual and the MLP of the last block, as in the authors' code. The form without them is what later papers
	// (ClearCLIP's code) compare with under the same name.
	Residual bool `json:"residual"`
}

// Positions is bicubic, as in all methods that read the last block only.
func (*MaskCLIP) Positions() clip.Interpolation { return clip.Bicubic }

// Redundant is none: the maps are plain cosines.
func (*MaskCLIP) Redundant() Redundant { return NoSurgery }

// Check wants a vision transformer.
func (*MaskCLIP) Check(m *clip.Model) error { return needBlocks("maskclip", m) }

// Tokens are x + P(v), then + MLP; or P(v) alone.
func (c *MaskCLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	v, last := m.Vision, m.Vision.Depth()-1
	x := before(g, v, pixels, p, last)
	_, _, u := v.QKV(g, last, x)
	return v.Project(g, read(g, v, last, x, u, c.Residual))
}
