package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// NACLIP pulls every patch's attention in the last block to its neighbourhood (arXiv 2404.08181, section 3.2),
//
//	softmax(k kᵀ s + G) v,  G_ij = exp(-‖i-j‖² / 2σ²)
//
// where i and j are places on the patch grid and G is 0 for the class token; residual and MLP are left out.
type NACLIP struct {
	// Attention is naclip, as above; nonly for G alone, scaled by the mean of |q| |k| s; kk and vanilla (q kᵀ) for
	// attention without G; csa for SCLIP's.
	Attention string  `json:"attn"`
	Arch      string  `json:"arch"`  // reduced, or vanilla to keep the residual and the MLP
	Sigma     float64 `json:"sigma"` // σ in patches
}

// Traits are bicubic positions, as in the authors' code.
func (*NACLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check wants a vision transformer and known parameters.
func (n *NACLIP) Check(m Models) error {
	if _, err := needBlocks("naclip", m); err != nil {
		return err
	}
	if err := oneOf("naclip", "attn", n.Attention, "naclip", "nonly", "kk", "csa", "vanilla"); err != nil {
		return err
	}
	if err := oneOf("naclip", "arch", n.Arch, "reduced", "vanilla"); err != nil {
		return err
	}
	return checkSigma("naclip", n.Sigma)
}

func checkSigma(method string, sigma float64) error {
	if !(sigma > 0) || math.IsInf(sigma, 0) {
		return fmt.Errorf("%s: sigma %v is out of range: it counts patches, and is 5 in the paper", method, sigma)
	}
	return nil
}

// Read takes the tokens of the last block with that attention.
func (n *NACLIP) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	last := v.Depth() - 1
	x := s.Before(last)
	q, k, u := v.QKV(g, last, x)
	var a onnx.Value
	switch n.Attention {
	case "naclip":
		a = v.Attention(g, k, k, u, s.neighbourhood(n.Sigma))
	case "nonly":
		a = n.neighboursOnly(s, q, k, u)
	case "csa":
		a = attend(g, v, "qq+kk", q, k, u)
	case "vanilla":
		a = attend(g, v, "qk", q, k, u)
	default:
		a = attend(g, v, "kk", q, k, u)
	}
	return s.Project(read(g, v, last, x, a, n.Arch == "vanilla"))
}

// neighboursOnly is softmax(c G) v, the same for all heads, where c is the mean over heads and pairs of tokens of |q|
// |k| s: the mean of a product over all pairs is the product of the means.
func (n *NACLIP) neighboursOnly(s *Scene, q, k, u onnx.Value) onnx.Value {
	g, t := s.Graph, s.Tower()
	shape := q.Shape()
	norms := func(x onnx.Value) onnx.Value { // mean over tokens, [B, 1, heads, 1]
		return g.Mean(g.Norm(g.Reshape(x, shape[0], shape[1], t.Heads, t.HeadDim())), 1)
	}
	c := g.Scale(g.Mean(g.Mul(norms(q), norms(k)), 2), t.Scale())
	bias := s.neighbourhood(n.Sigma)
	weights := g.Softmax(g.Mul(c, bias), -1)
	return g.MatMul(g.Reshape(weights, shape[0], shape[1], shape[1]), u)
}

// neighbourhood is the Gaussian G [1, 1, 1+N, 1+N] over distances of patches. It is shared by all methods of a graph.
func (s *Scene) neighbourhood(sigma float64) onnx.Value {
	t := s.Tower()
	n := t.Tokens(s.Graph, s.RGB)
	return s.Table(fmt.Sprintf("neighbourhood.%v", sigma), s.RGB, func(h, w int) tensor.Dense {
		rows, cols := t.Grid(h, w)
		return gaussian(t.Lead(), rows, cols, sigma)
	}, 1, 1, n, n)
}

// gaussian is exp(-d²/2σ²) for all pairs of patches, with lead first rows and columns of 0 for a class token: [1, 1,
// lead+N, lead+N].
func gaussian(lead, rows, cols int, sigma float64) tensor.Dense {
	n := lead + rows*cols
	out := tensor.New(1, 1, n, n)
	side := max(rows, cols)
	one := make([]float64, side) // along one axis; the Gaussian of a squared distance is a product of two
	for d := range one {
		one[d] = math.Exp(-float64(d*d) / (2 * sigma * sigma))
	}
	for i := range rows * cols {
		row := out.Data[(lead+i)*n+lead:]
		for y := range rows {
			fy := one[abs(y-i/cols)]
			for x := range cols {
				row[y*cols+x] = float32(fy * one[abs(x-i%cols)])
			}
		}
	}
	return out
}

func abs(n int) int { return max(n, -n) }
