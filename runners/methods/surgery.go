package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// Surgery is CLIP Surgery's architecture surgery (arXiv 2304.05653, section 3.2).
//
// From block d = L - Depth + 1 on, a second stream n starts from the same tokens as the original
// stream o and collects, block by block, only the projected value-value attention of o:
//
//	n ← n + P(softmax(v vᵀ s) v),  v from LayerNorm(o)
//
// without MLPs; o goes on as in CLIP. Patch tokens are read from n, the class token from o.
//
// A ResNet has no blocks but an attention pool, which [ResNetSurgery] is about.
type Surgery struct {
	Depth  int           `json:"depth"`  // blocks with a second stream, counted from the last; the authors' code has 6
	ResNet ResNetSurgery `json:"resnet"` // released, intended or normalised; of no effect on a ViT
}

// Positions is bilinear, as in the authors' code.
func (*Surgery) Positions() clip.Interpolation { return clip.Bilinear }

// Redundant is the form of the authors' code.
func (*Surgery) Redundant() Redundant { return Labels }

// Check wants a ResNet, or a vision transformer of at least Depth blocks.
func (s *Surgery) Check(m *clip.Model) error {
	if err := oneOf("clip_surgery", "resnet", string(s.ResNet), resnetSurgeries...); err != nil {
		return err
	}
	if m.ResNet != nil {
		return nil
	}
	return checkDepth("clip_surgery", m, s.Depth)
}

// Tokens are patch tokens of the new stream under the class token of the original one.
func (s *Surgery) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	if m.ResNet != nil {
		return s.ResNet.tokens(g, m.ResNet, pixels, p)
	}
	v := m.Vision
	first := v.Depth() - s.Depth
	o := before(g, v, pixels, p, first)
	n := o
	for i := first; i < v.Depth(); i++ {
		o = before(g, v, pixels, p, i)
		_, _, u := v.QKV(g, i, o)
		n = g.Add(n, v.Out(g, i, v.Attention(g, u, u, u, onnx.Value{})))
	}
	class := v.ClassBlock(g, v.Depth()-1, o) // of the original stream, nothing else is read any more
	return v.Project(g, g.Concat(1, class, g.Slice(n, 1, 1, onnx.End)))
}
