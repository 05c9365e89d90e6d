package methods

import (
	"cmp"
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// ProxyCLIP lets a second network say which patches belong together (arXiv 2408.04883, section 3.3): the last block's
// attention is taken from the cosines S of that network's patches,
//
//	softmax(γ (S - β mean(S)), where that is not negative) v
//
// the same for all heads, over CLIP's values, which are interpolated to the network's grid; residual and MLP are left
// out. The mean is that of each picture or window. The authors have no global token: here it is CLIP's.
type ProxyCLIP struct {
	Beta  float64 `json:"beta"`  // share of the mean cosine that patches must pass to be attended to
	Gamma float64 `json:"gamma"` // sharpness
	// VFM is the second network: dino, or sam, whose grid is its own whatever the size of windows. Empty is dino.
	VFM string `json:"vfm,omitempty"`
	// Features are the network's last ones (last, as empty), or q, k or v of the last block of dino.
	Features string `json:"features,omitempty"`
}

// network is the name of the second network.
func (p *ProxyCLIP) network() string { return cmp.Or(p.VFM, dinoBackbone) }

// Traits are bicubic positions, as in the authors' code, and a second network.
func (p *ProxyCLIP) Traits() Traits {
	return Traits{Positions: vit.Bicubic, Backbones: []string{p.network()}}
}

// Check wants a vision transformer and parameters within reason. With a larger β patches would not attend to
// themselves.
func (p *ProxyCLIP) Check(m Models) error {
	if err := checkProxy("proxyclip", p.Beta, p.Gamma); err != nil {
		return err
	}
	if err := oneOf("proxyclip", "vfm", p.network(), dinoBackbone, samBackbone); err != nil {
		return err
	}
	features := cmp.Or(p.Features, "last")
	err := oneOf("proxyclip", "features", features, "last", "q", "k", "v")
	if err == nil && features != "last" {
		_, err = m.blocks("proxyclip with features "+features, p.network())
	}
	if err == nil {
		_, err = needBlocks("proxyclip", m)
	}
	return err
}

// checkProxy says why proxy attention cannot have these parameters.
func checkProxy(method string, beta, gamma float64) error {
	if !(beta >= 0) || math.IsInf(beta, 0) || !(gamma > 0) || math.IsInf(gamma, 0) {
		return fmt.Errorf("%s: beta %v and gamma %v are out of range: they are 1.2 and 3 in the paper", method, beta, gamma)
	}
	return nil
}

// Read gives patches on the second network's grid.
func (p *ProxyCLIP) Read(s *Scene) Reading {
	g, v, proxy := s.Graph, s.Tower(), s.Backbones[p.network()]
	last := v.Depth() - 1
	_, _, u := v.QKV(g, last, s.Before(last))
	like := cosines(g, p.features(s, proxy))
	a := proxyAttention(g, like, g.Mean(g.Mean(like, -1), -2), p.Beta, p.Gamma)
	return s.OnGrid(Reading{
		Global:  s.Global(),
		Patches: v.Project(g, v.Out(g, last, g.MatMul(a, s.Resized(v.PatchTokens(g, u), proxy))), vit.ByValue),
	}, proxy)
}

// features are those of the second network's patches [B, N, W].
func (p *ProxyCLIP) features(s *Scene, proxy Backbone) onnx.Value {
	t, ok := proxy.(*vit.Tower)
	if !ok || p.Features == "" || p.Features == "last" {
		return proxy.Features(s.Graph, s.RGB, s.Positions)
	}
	q, k, v := s.lastOf(t)
	return t.PatchTokens(s.Graph, map[string]onnx.Value{"q": q, "k": k, "v": v}[p.Features])
}

// lastOf are the queries, keys and values [B, Lead+N, W] of the last block of a network beside the image-text model.
func (s *Scene) lastOf(t *vit.Tower) (q, k, v onnx.Value) {
	last := t.Depth() - 1
	return t.QKV(s.Graph, last, t.Before(s.Graph, s.RGB, s.Positions, last))
}

// proxyAttention is softmax(γ (S - β mean)) [B, N, N] of cosines S, where that is not negative. A patch that passes
// none, not even itself, attends to all alike.
func proxyAttention(g *onnx.Graph, like, mean onnx.Value, beta, gamma float64) onnx.Value {
	logits := g.Scale(g.Sub(like, g.Scale(mean, float32(beta))), float32(gamma))
	return g.Softmax(g.Add(logits, g.Scale(g.Above(g.Scalar(0), logits), -1e30)), -1)
}
