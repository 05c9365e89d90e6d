package methods

import (
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
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
	// Pool is how patches go through a pool of SigLIP or PE-Core, value (so if left out) or head; of no effect elsewhere.
	// No paper says it.
	Pool vit.PoolForm `json:"pool,omitempty"`
}

// Traits are bilinear positions and feature surgery of a set of labels, as in the authors' code.
func (*Surgery) Traits() Traits { return Traits{Positions: vit.Bilinear, Surgery: Labels} }

// Check wants a ResNet, or a vision transformer of at least Depth blocks.
func (s *Surgery) Check(m Models) error {
	if err := oneOf("clip_surgery", "resnet", string(s.ResNet), resnetSurgeries...); err != nil {
		return err
	}
	if err := checkForm("clip_surgery", s.Pool); err != nil {
		return err
	}
	if _, pool := m.Encoder().(*clip.ResNet); pool {
		return nil
	}
	return checkDepth("clip_surgery", m, s.Depth)
}

// Read takes patch tokens of the new stream and the class token of the original one.
func (c *Surgery) Read(s *Scene) Reading {
	if pool, ok := s.Encoder().(*clip.ResNet); ok {
		return s.Tokens(c.ResNet.tokens(s, pool))
	}
	g, v := s.Graph, s.Tower()
	first := v.Depth() - c.Depth
	o := s.Before(first)
	n := o
	for i := first; i < v.Depth(); i++ {
		o = s.Before(i)
		_, _, u := v.QKV(g, i, o)
		n = g.Add(n, v.Out(g, i, v.Attention(g, u, u, u, onnx.Value{})))
	}
	if v.Pool != nil {
		return s.projectAs(n, c.Pool)
	}
	class := v.ClassBlock(g, v.Depth()-1, o) // of the original stream, nothing else is read any more
	return s.Project(g.Concat(1, class, v.PatchTokens(g, n)))
}
