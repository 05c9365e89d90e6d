package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// SCCLIP is SC-CLIP, which calibrates CLIP by itself (arXiv 2411.15869, section 3): patches of the last but one block
// that stand out are replaced by their neighbours, tokens are averaged over patches that earlier blocks see as alike,
// and the last block attends by such likeness and by keys,
//
//	½ (softmax(3 (M - mean M), negatives left out) + softmax(k kᵀ s)) v
//
// where M are cosines of patches in a middle block. What several blocks before gave goes the same way and is added.
// Blocks are counted from 1. The authors' code takes the mean of M over a batch, here it is each image's own.
type SCCLIP struct {
	Neighbors     int     `json:"neighbors"`     // of the local outlier factor that tells who stands out
	Contamination float64 `json:"contamination"` // share of the patches that stand out
	Beta          float64 `json:"beta"`          // least cosine of patches that are averaged
	Pre           int     `json:"pre"`           // block whose cosines average before the last block, and steer its attention
	Post          int     `json:"post"`          // block whose cosines average behind it
	From          int     `json:"multi_from"`    // first and
	To            int     `json:"multi_to"`      // last of the blocks that are added
	Class         float64 `json:"cls"`           // share of the class token added to every patch
}

// sharpness is the factor of cosines as attention logits.
const sharpness = 3

// Traits are bicubic positions, as in the authors' code.
func (*SCCLIP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// Check wants a vision transformer of as many blocks as the parameters name, and one more.
func (c *SCCLIP) Check(m Models) error { return c.check("sc_clip", m) }

func (c *SCCLIP) check(method string, m Models) error {
	t, err := needClass(method, m)
	if err != nil {
		return err
	}
	before := t.Depth() - 1
	for name, i := range map[string]int{"pre": c.Pre, "post": c.Post, "multi_from": c.From, "multi_to": c.To} {
		if i < 1 || i > before {
			return fmt.Errorf("%s: %s is block %d: %s has blocks 1 to %d before its last", method, name, i, m.Name(), before)
		}
	}
	if c.From > c.To {
		return fmt.Errorf("%s: multi_from %d is behind multi_to %d", method, c.From, c.To)
	}
	if c.Neighbors < 1 || !(c.Contamination >= 0 && c.Contamination < 1) {
		return fmt.Errorf("%s: %d neighbors with a contamination of %v is out of range", method, c.Neighbors, c.Contamination)
	}
	return nil
}

// Read takes the tokens of the calibrated patches. The authors' code has no class token: here it is CLIP's.
func (c *SCCLIP) Read(s *Scene) Reading {
	g, v := s.Graph, s.Tower()
	last := v.Depth() - 1
	patches := func(x onnx.Value) onnx.Value { return v.PatchTokens(g, x) }
	class := func(x onnx.Value) onnx.Value { return v.ClassToken(g, x) }

	x := s.Before(last)
	repair := s.repairBy(c.outliers(s, patches(x)), false)
	middle := cosines(g, g.MatMul(repair, patches(s.Before(c.Pre))))
	guided := c.guide(g, middle)
	single := c.average(g, middle, g.MatMul(repair, patches(x)))
	single = c.read(g, v, last, single, guided, class(x))

	sum := s.Before(c.From)
	for i := c.From + 1; i <= c.To; i++ {
		sum = g.Add(sum, s.Before(i))
	}
	several := c.read(g, v, last, patches(sum), guided, class(sum))

	// Averaging is linear: both kinds are averaged at once.
	y := c.average(g, cosines(g, patches(s.Before(c.Post))), g.Add(single, several))
	return s.Project(g.Concat(1, v.ClassBlock(g, last, x), y))
}

// read is the last block's attention on patches x [B, N, W]: half by guided [B, N, N], half by keys, and a share of a
// class token.
func (c *SCCLIP) read(g *onnx.Graph, v Tower, i int, x, guided, class onnx.Value) onnx.Value {
	_, k, u := v.QKV(g, i, x)
	a := g.Scale(g.Add(g.MatMul(guided, u), attend(g, v, "kk", onnx.Value{}, k, u)), 0.5)
	return g.Add(v.Out(g, i, a), g.Scale(class, float32(c.Class)))
}

// cosines are those of all pairs of x [B, N, W]: [B, N, N].
func cosines(g *onnx.Graph, x onnx.Value) onnx.Value {
	x = g.L2Normalize(x)
	return g.MatMul(x, g.Transpose(x, 0, 2, 1))
}

// average replaces every token of x by the mean over tokens that are alike, weighted with the cosines of at least Beta.
func (c *SCCLIP) average(g *onnx.Graph, cos, x onnx.Value) onnx.Value {
	w := c.kept(g, cos)
	return g.MatMul(g.Div(w, g.Add(g.Sum(w, -1), g.Scalar(1e-6))), x)
}

// kept are the cosines of at least Beta; the others become 0.
func (c *SCCLIP) kept(g *onnx.Graph, cos onnx.Value) onnx.Value {
	return g.Mul(cos, g.Sub(g.Scalar(1), g.Above(g.Scalar(float32(c.Beta)), cos)))
}

// guide are attention weights from cosines: those above the mean, sharpened.
func (c *SCCLIP) guide(g *onnx.Graph, cos onnx.Value) onnx.Value {
	over := g.Sub(cos, g.Mean(g.Mean(cos, -1), -2))
	never := g.Scale(g.Above(g.Scalar(0), over), -1e30)
	return g.Softmax(g.Add(g.Scale(over, sharpness), never), -1)
}

// outliers is 1 for the patches of x [B, N, W] with the largest local outlier factors, and 0 for the others: [B, N, 1].
//
// The factor of i is the mean density of its neighbours over its own, where the authors' density is 1 over the squared
// distance d_i of the farthest neighbour: d_i mean_j 1/d_j. Patches with a factor above the quantile 1 - Contamination
// stand out.
func (c *SCCLIP) outliers(s *Scene, x onnx.Value) onnx.Value {
	g := s.Graph
	tiny := g.Scalar(1e-12) // for copies of a patch, and a single one
	n := x.Shape()[1]
	// A patch is its own nearest one, hence one more. Distances do not change with the origin; around the mean they lose
	// fewer digits.
	x = g.Sub(x, g.Mean(x, 1))
	squares := g.Mul(g.Norm(x), g.Norm(x))
	d := g.Add(g.Sub(squares, g.Scale(g.MatMul(x, g.Transpose(x, 0, 2, 1)), 2)), g.Transpose(squares, 0, 2, 1))
	nearest := s.count(fmt.Sprintf("neighbors.%d", c.Neighbors), func(n int) int { return min(c.Neighbors+1, n) })
	far := g.Max(g.Smallest(d, nearest, "neighbors"), -1)
	near := g.Sub(g.Scalar(1), g.Above(d, far))
	far = g.Add(far, tiny)
	others := g.Sub(g.MatMul(near, g.Div(g.Scalar(1), far)), g.Div(g.Scalar(1), far))
	factor := g.Mul(far, g.Div(others, g.Add(g.Sub(g.Sum(near, -1), g.Scalar(1)), tiny)))
	// Those above the quantile are those above the sorted factor just below it.
	above := s.count(fmt.Sprintf("contamination.%v", c.Contamination), func(n int) int {
		return n - int(math.Floor((1-c.Contamination)*float64(n-1)))
	})
	factor = g.Reshape(factor, x.Shape()[0], 1, n)
	quantile := g.Min(g.Largest(factor, above, "outliers"), -1)
	return g.Transpose(g.Above(factor, quantile), 0, 2, 1)
}

// around is 1 for pairs of patches that touch on the grid, corners too: [N, N].
func around(rows, cols int) tensor.Dense {
	n := rows * cols
	out := tensor.New(n, n)
	for i := range n {
		for y := max(i/cols-1, 0); y < min(i/cols+2, rows); y++ {
			for x := max(i%cols-1, 0); x < min(i%cols+2, cols); x++ {
				if j := y*cols + x; j != i {
					out.Data[i*n+j] = 1
				}
			}
		}
	}
	return out
}

func identity(n int) tensor.Dense {
	out := tensor.New(n, n)
	for i := range n {
		out.Data[i*n+i] = 1
	}
	return out
}
