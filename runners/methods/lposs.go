package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// LPOSS spreads what MaskCLIP says of patches over those that a second network, dino, takes to be alike (arXiv 2503.19777, section 3):
// all patches of all windows of a picture are nodes of a graph with weights
//
//	W_ij = max(f_i·f_j, 0)^γ exp(-σ ‖p_i - p_j‖)   for the k patches j most like i
//
// made symmetric and normalised, S = D^-½ W D^-½, where f are the values of that network's last block and p the patches' places in pixels.
// The scores Y become Z of (I - α S) Z = Y after Steps steps of conjugate gradients from 0: fewer than it takes, as in the authors' code.
type LPOSS struct {
	Neighbours int     `json:"k"`     // k
	Gamma      float64 `json:"gamma"` // γ, a whole number
	Sigma      float64 `json:"sigma"` // σ, per pixel
	Alpha      float64 `json:"alpha"` // α
	Steps      int     `json:"steps"`
}

// Traits are bicubic positions to a given size, as in the authors' code, and a second network. Without texts nothing spreads.
func (*LPOSS) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Backbones: []string{dinoBackbone}}
}

// Check wants a vision transformer and parameters within reason.
func (l *LPOSS) Check(m Models) error {
	switch {
	case l.Neighbours < 1 || l.Steps < 1 || l.Steps > 100:
		return fmt.Errorf("lposs: k %d and %d steps are out of range: they are 400 and 10 in the paper", l.Neighbours, l.Steps)
	case l.Gamma != math.Trunc(l.Gamma) || l.Gamma < 1 || l.Gamma > 10:
		return fmt.Errorf("lposs: gamma %v is no whole number from 1 to 10", l.Gamma)
	case !(l.Sigma >= 0) || math.IsInf(l.Sigma, 0) || !(l.Alpha > 0 && l.Alpha < 1):
		return fmt.Errorf("lposs: sigma %v and alpha %v are out of range: they are 0.01 and 0.95 in the paper", l.Sigma, l.Alpha)
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
	s := l.weights(g, p)
	tiny := g.Scalar(1e-30) // beside what has become 0
	dot := func(a, b onnx.Value) onnx.Value { return g.Sum(g.Mul(a, b), 0) }
	rest := p.Values
	direction, norm := rest, dot(rest, rest)
	var z onnx.Value
	for i := range l.Steps {
		image := g.Sub(direction, g.Scale(g.MatMul(s, direction), float32(l.Alpha)))
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

// weights are S [n, n]. Each line takes what the one before gave, so that few matrices of that size are there at a time.
func (l *LPOSS) weights(g *onnx.Graph, p Patches) onnx.Value {
	one := g.Scalar(1)
	like := g.MatMul(p.Keep, g.Transpose(p.Keep, 1, 0))
	count := g.Reshape(g.Add(g.Max(p.Index, 0), one), 1)
	count = g.Cast(g.Sub(count, g.Relu(g.Sub(count, g.Scalar(float32(l.Neighbours))))), tensor.I64) // k at most
	least := g.Min(g.Largest(like, count, "neighbours"), -1)
	near := g.Sub(one, g.Above(least, like))
	w := g.Relu(like)
	for range int(l.Gamma) {
		near = g.Mul(near, w)
	}
	apart := func(x onnx.Value) onnx.Value { return g.Sub(x, g.Transpose(x, 1, 0)) }
	y, x := apart(g.Slice(p.Centres, 1, 0, 1)), apart(g.Slice(p.Centres, 1, 1, 2))
	distance := g.Sqrt(g.Add(g.Mul(y, y), g.Mul(x, x)))
	w = g.Mul(near, g.Exp(g.Scale(distance, -float32(l.Sigma))))
	w = g.Add(w, g.Transpose(w, 1, 0))
	self := apart(p.Index) // 0 on the diagonal
	w = g.Mul(w, g.Above(g.Mul(self, self), g.Scalar(0)))
	degree := g.Sum(w, -1)
	root := g.Sqrt(g.Add(degree, g.Sub(one, g.Above(degree, g.Scalar(0)))))
	return g.Div(g.Div(w, root), g.Transpose(root, 1, 0))
}
