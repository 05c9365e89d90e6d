package methods

import (
	"fmt"

	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// GEM generalises CLIP Surgery (arXiv 2312.00878, section 3): on a second path through the last blocks, self-self
// attention of queries, keys and values alike groups tokens before the values are read,
//
//	z ← softmax(ẑ ẑᵀ τ) ẑ  Iterations times, then  softmax(ẑ ẑᵀ τ) v,   ẑ = z / ‖z‖ per head
//
// averaged over z = q, k, v and projected. As in CLIP Surgery q, k and v are those of the original path, the second
// path has no MLPs; here its class token is read as well.
type GEM struct {
	Depth       int     `json:"depth"`       // blocks with a second path, counted from the last; the authors' depth of 7 means 6
	Iterations  int     `json:"iterations"`  // groupings before the values are read
	Temperature float64 `json:"temperature"` // τ; 0 adapts it to the image: the mean norm of the block's normalised tokens, times s
}

// Traits are bicubic positions with antialias, as in the authors' code.
func (*GEM) Traits() Traits { return Traits{Positions: vit.BicubicAntialias} }

// Check wants a vision transformer of at least Depth blocks, and iterations within reason.
func (e *GEM) Check(m Models) error {
	if e.Iterations < 0 || e.Iterations > 20 {
		return fmt.Errorf("gem: iterations %d are out of range: the paper has 1 to 4", e.Iterations)
	}
	if !(e.Temperature >= 0) {
		return fmt.Errorf("gem: temperature %v is out of range: it multiplies logits, and 0 adapts it", e.Temperature)
	}
	return checkDepth("gem", m, e.Depth)
}

// Read takes the tokens of the second path.
func (e *GEM) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	first := v.Depth() - e.Depth
	n := s.Before(first)
	for i := first; i < v.Depth(); i++ {
		o := s.Before(i)
		q, k, u := v.QKV(g, i, o)
		root := e.root(g, v, i, o)
		sum := e.group(g, v, root, u, u)
		for _, z := range []onnx.Value{k, q} {
			sum = g.Add(sum, e.group(g, v, root, z, u))
		}
		n = g.Add(n, v.Out(g, i, g.Scale(sum, 1.0/3)))
	}
	return s.Project(n)
}

// root is the square root of τ for block i, [B, 1, 1] or a scalar: half of it goes to either side of ẑ ẑᵀ.
func (e *GEM) root(g *onnx.Graph, v Tower, i int, o onnx.Value) onnx.Value {
	if e.Temperature > 0 {
		return g.Sqrt(g.Scalar(float32(e.Temperature)))
	}
	norms := g.Mean(g.Norm(v.Norm(g, i, o)), 1)
	return g.Sqrt(g.Scale(norms, v.Scale()))
}

// group is the self-self attention of z over the values u. Between iterations z may carry a factor, as it is normalised
// again.
func (e *GEM) group(g *onnx.Graph, v Tower, root, z, u onnx.Value) onnx.Value {
	s := z.Shape()
	if r := root.Shape(); len(r) == 3 {
		root = g.Reshape(root, r[0], 1, 1, 1) // beside the heads
	}
	// unit is ẑ times the root, in one pass over z; the last term keeps a zero vector zero.
	unit := func(z onnx.Value) onnx.Value {
		heads := g.Reshape(z, s[0], s[1], v.Heads, v.HeadDim())
		factor := g.Div(root, g.Add(g.Norm(heads), g.Scalar(1e-12)))
		return g.Reshape(g.Mul(heads, factor), s...)
	}
	for range e.Iterations {
		z = unit(z)
		z = g.Attention(z, z, z, v.Heads, 1, onnx.Value{}, false)
	}
	z = unit(z)
	return g.Attention(z, z, u, v.Heads, 1, onnx.Value{}, false)
}
