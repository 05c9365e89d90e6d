package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// LPOSS spreads what MaskCLIP says of patches over those that a second network, dino, takes to be alike (arXiv
// 2503.19777, section 3): all patches of all windows of a picture are nodes of a graph with weights
//
//	W_ij = max(f_i·f_j, 0)^γ exp(-σ ‖p_i - p_j‖)   for the k patches j most like i
//
// made symmetric and normalised, S = D^-½ W D^-½, where f are the values of that network's last block and p the
// patches' places in pixels. The scores Y become Z of (I - α S) Z = Y after Steps steps of conjugate gradients from 0:
// fewer than it takes, as in the authors' code.
type LPOSS struct {
	Neighbours int     `json:"k"`     // k
	Gamma      float64 `json:"gamma"` // γ, a whole number
	Sigma      float64 `json:"sigma"` // σ, per pixel
	Alpha      float64 `json:"alpha"` // α
	Steps      int     `json:"steps"`
}

// Traits are bicubic positions to a given size, as in the authors' code, and a second network. Without texts nothing
// spreads.
func (*LPOSS) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Backbones: []string{dinoBackbone}}
}

// Check wants a vision transformer and parameters within reason.
func (l *LPOSS) Check(m Models) error {
	switch {
	case l.Neighbours < 1 || l.Steps < 1 || l.Steps > 100:
		return fmt.Errorf("lposs: k %d and %d steps are out of range: they are 400 and 10 in the paper", l.Neighbours,
			l.Steps)
	case l.Gamma != math.Trunc(l.Gamma) || l.Gamma < 1 || l.Gamma > 10:
		return fmt.Errorf("lposs: gamma %v is no whole number from 1 to 10", l.Gamma)
	case !(l.Sigma >= 0) || math.IsInf(l.Sigma, 0) || !(l.Alpha > 0 && l.Alpha < 1):
		return fmt.Errorf("lposs: sigma %v and alpha %v are out of range: they are 0.01 and 0.95 in the paper", l.Sigma,
			l.Alpha)
	}
	_, err := needBlocks("lposs", m)
	return err
}

// Read gives MaskCLIP's patches on the second network's grid, and the graph over all of a picture's windows.
func (l *LPOSS) Read(s *Scene) Reading {
	g, second := s.Graph, s.Backbones[dinoBackbone]
	last := second.Depth() - 1
	_, _, values := second.QKV(g, last, second.Before(g, s.RGB, s.Positions, last))
	r := (&MaskCLIP{Residual: true}).Read(s)
	r.Patches = s.Resized(g.L2Normalize(r.Patches), second)
	r.Whole = &Whole{Keep: g.L2Normalize(second.PatchTokens(g, values)), Read: l.spread}
	return s.OnGrid(r, second)
}

// spread is Z [n, T].
func (l *LPOSS) spread(g *onnx.Graph, p Patches) onnx.Value {
	w, root := l.weights(g, p)
	tiny := g.Scalar(1e-30) // beside what has become 0
	dot := func(a, b onnx.Value) onnx.Value { return g.Sum(g.Mul(a, b), 0) }
	// system is (I - α S) x, where S = D^-½ (W - 2 I) D^-½: every patch is the one most like itself, with a weight of 1
	// both ways.
	system := func(x onnx.Value) onnx.Value {
		scaled := g.Div(x, root)
		spread := g.Div(g.Sub(g.MatMul(w, scaled), g.Scale(scaled, 2)), root)
		return g.Sub(x, g.Scale(spread, float32(l.Alpha)))
	}
	rest := p.Values
	direction, norm := rest, dot(rest, rest)
	var z onnx.Value
	for i := range l.Steps {
		image := system(direction)
		step := g.Div(norm, g.Add(dot(direction, image), tiny))
		if i == 0 {
			z = g.Mul(step, direction)
		} else {
			z = g.Add(z, g.Mul(step, direction))
		}
		rest = g.Sub(rest, g.Mul(step, image))
		next := dot(rest, rest)
		direction = g.Add(rest, g.Mul(g.Div(next, g.Add(norm, tiny)), direction))
		norm = next
	}
	return z
}

// weights are W [n, n], made symmetric, with 2 on the diagonal, and the roots of its row sums without that, 1 for 0:
// [n, 1].
func (l *LPOSS) weights(g *onnx.Graph, p Patches) (w, root onnx.Value) {
	one := g.Scalar(1)
	like := g.MatMul(p.Keep, g.Transpose(p.Keep, 1, 0))
	count := g.Reshape(g.Add(g.Max(p.Index, 0), one), 1)
	count = g.Cast(g.Sub(count, g.Relu(g.Sub(count, g.Scalar(float32(l.Neighbours))))), tensor.I64) // k at most
	least := g.Min(g.Largest(like, count, "neighbours"), -1)
	near := g.Sub(one, g.Above(least, like))
	positive := g.Relu(like)
	for range int(l.Gamma) {
		near = g.Mul(near, positive)
	}
	apart := func(axis int) onnx.Value {
		x := g.Slice(p.Centres, 1, axis, axis+1)
		d := g.Sub(x, g.Transpose(x, 1, 0))
		return g.Mul(d, d)
	}
	w = g.Mul(near, g.Exp(g.Scale(g.Sqrt(g.Add(apart(0), apart(1))), -float32(l.Sigma))))
	w = g.Add(w, g.Transpose(w, 1, 0))
	degree := g.Relu(g.Sub(g.Sum(w, -1), g.Scalar(2)))
	const rounding = 1e-5 // what it leaves of a patch without neighbours
	return w, g.Sqrt(g.Add(degree, g.Sub(one, g.Above(degree, g.Scalar(rounding)))))
}
