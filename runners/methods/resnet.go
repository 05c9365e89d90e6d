package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// ResNetSurgery is how CLIP Surgery reads the attention pool of a ResNet. The paper's code does not do what its
// comments say, and nothing tells which of the two gave the paper's numbers.
type ResNetSurgery string

const (
	// Released is what the authors' code computes: value-value attention for all tokens at CLIP's scale. The class
	// token is therefore not CLIP's.
	Released ResNetSurgery = "released"
	// Intended is what the code has behind a switch that is never on: the values are normalised per head where they
	// stand for queries and keys, at eight times the scale, and the class token is CLIP's own.
	Intended ResNetSurgery = "intended"
	// Normalised is the code with that switch on and nothing mended: patches as Intended, the class token as Released.
	Normalised ResNetSurgery = "normalised"
)

var resnetSurgeries = []string{string(Released), string(Intended), string(Normalised)}

func (r ResNetSurgery) tokens(s *Scene, m *clip.ResNet) onnx.Value {
	g := s.Graph
	x := m.Embed(g, s.RGB, s.Positions)
	_, _, v := m.QKV(g, x)
	scale := m.Scale()
	released := m.Attention(g, v, v, v, scale)
	if r == Released {
		return m.Project(g, released)
	}
	class := released
	if r == Intended {
		class = m.Pooled(g, x)
	}
	shape := v.Shape()
	n := g.Reshape(g.L2Normalize(g.Reshape(v, shape[0], shape[1], m.Heads(), m.HeadDim())), shape...)
	patches := m.Attention(g, n, n, v, 8*scale)
	return m.Project(g, g.Concat(1, g.Slice(class, 1, 0, 1), g.Slice(patches, 1, 1, onnx.End)))
}
