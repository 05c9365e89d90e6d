package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// CLIP is the unchanged model: every token goes where the class token goes.
type CLIP struct{}

// Positions is bilinear, as in CLIP Surgery's code.
func (*CLIP) Positions() clip.Interpolation { return clip.Bilinear }

// Redundant is none: the maps are plain cosines.
func (*CLIP) Redundant() Redundant { return NoSurgery }

// Check wants a vision transformer.
func (*CLIP) Check(m *clip.Model) error { return m.CheckVision() }

// Tokens are those of the last block.
func (*CLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	v := m.Vision
	return v.Project(g, before(g, v, pixels, p, v.Depth()))
}
