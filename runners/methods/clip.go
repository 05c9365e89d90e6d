package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// CLIP is the unchanged model: every token goes where the class token goes.
type CLIP struct{}

// Positions is bicubic, as in the code of SCLIP and of those that build on it, where CLIP is the baseline.
func (*CLIP) Positions() clip.Interpolation { return clip.Bicubic }

// Redundant is none: the maps are plain cosines.
func (*CLIP) Redundant() Redundant { return NoSurgery }

// Check wants an image tower, of either kind.
func (*CLIP) Check(m *clip.Model) error {
	if m.ResNet != nil {
		return nil
	}
	return needBlocks("clip", m)
}

// Tokens are those of the last block, or of a ResNet's attention pool queried by all tokens in place of the mean alone.
func (*CLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	if m.ResNet != nil {
		return m.ResNet.Project(g, pooled(g, m.ResNet, m.ResNet.Embed(g, pixels, p)))
	}
	v := m.Vision
	return v.Project(g, before(g, v, pixels, p, v.Depth()))
}
