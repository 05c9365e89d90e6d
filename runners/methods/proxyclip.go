package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// ProxyCLIP lets a second network, dino, say which patches belong together (arXiv 2408.04883, section 3.3): the last
// block's attention is taken from the cosines S of that network's patches,
//
//	softmax(γ (S - β mean(S)), where that is not negative) v
//
// the same for all heads, over CLIP's values, which are interpolated to the network's grid; residual and MLP are left
// out. The mean is that of each picture or window. The authors have no global token: here it is CLIP's.
type ProxyCLIP struct {
	Beta  float64 `json:"beta"`  // share of the mean cosine that patches must pass to be attended to
	Gamma float64 `json:"gamma"` // sharpness
}

// dinoBackbone is the name by which methods ask for a self-supervised vision transformer.
const dinoBackbone = "dino"

// Traits are bicubic positions, as in the authors' code, and a second network.
func (*ProxyCLIP) Traits() Traits {
	return Traits{Positions: vit.Bicubic, Backbones: []string{dinoBackbone}}
}

// Check wants a vision transformer and parameters within reason. With a larger β patches would not attend to
// themselves.
func (p *ProxyCLIP) Check(m Models) error {
	if !(p.Beta >= 0) || math.IsInf(p.Beta, 0) || !(p.Gamma > 0) || math.IsInf(p.Gamma, 0) {
		return fmt.Errorf("proxyclip: beta %v and gamma %v are out of range: they are 1.2 and 3 in the paper", p.Beta,
			p.Gamma)
	}
	_, err := needBlocks("proxyclip", m)
	return err
}

// Read gives patches on the second network's grid.
func (p *ProxyCLIP) Read(s *Scene) Reading {
	g, v, proxy := s.Graph, s.Tower(), s.Backbones[dinoBackbone]
	last := v.Depth() - 1
	x := s.Before(last)
	_, _, u := v.QKV(g, last, x)
	values := s.Resized(v.PatchTokens(g, u), proxy)
	a := p.attention(g, proxy.PatchTokens(g, proxy.Final(g, proxy.Before(g, s.RGB, s.Positions, proxy.Depth()))))
	return s.OnGrid(Reading{
		Global:  s.Global(),
		Patches: v.Project(g, v.Out(g, last, g.MatMul(a, values)), vit.ByValue),
	}, proxy)
}

// attention is the proxy attention [B, N, N] of features [B, N, W]. A patch that passes none, not even itself, attends
// to all alike.
func (p *ProxyCLIP) attention(g *onnx.Graph, features onnx.Value) onnx.Value {
	like := cosines(g, features)
	mean := g.Mean(g.Mean(like, -1), -2)
	logits := g.Scale(g.Sub(like, g.Scale(mean, float32(p.Beta))), float32(p.Gamma))
	return g.Softmax(g.Add(logits, g.Scale(g.Above(g.Scalar(0), logits), -1e30)), -1)
}
