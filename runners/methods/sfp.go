package methods

import (
	"fmt"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// SFP is the self-adaptive feature purifier (Jin et al., ICCV 2025), a descendant of SC-CLIP, as its authors released
// it: patches that the class token looks at more than they look at themselves are replaced by their neighbours; tokens
// are averaged over patches that earlier blocks see as alike; and the last block attends in three ways alike,
//
//	⅓ (softmax(k kᵀ s) + softmax(q qᵀ s) + softmax(3 (M - mean M), negatives left out)) v
//
// where M are cosines of patches in a middle block, those below Beta 0. What several blocks before gave is read by the
// third way alone and added. Blocks are counted from 1. A picture's and a window's mean are its own. The authors have
// no global token: here it is CLIP's.
//
// Note: the paper accumulates the attention of all blocks, which the code computes and leaves. The code finds rows and
// columns of a grid by its number of rows, which is right for square windows alone; here every grid is read rightly.
type SFP struct {
	Beta    float64 `json:"beta"`       // least cosine of patches that are averaged
	Ratio   float64 `json:"ratio"`      // of the class token's attention to a patch's own, above which a patch may stand out
	Outlier int     `json:"outliers"`   // patches that stand out at most
	Pre     int     `json:"pre"`        // block whose cosines average before the last block, and steer its attention
	Post    int     `json:"post"`       // block whose cosines average behind it
	From    int     `json:"multi_from"` // first and
	To      int     `json:"multi_to"`   // last of the blocks that are added
	Class   float64 `json:"cls"`        // share of the class token added to every patch
}

// Traits are bicubic positions, as in the authors' code.
func (*SFP) Traits() Traits { return Traits{Positions: vit.Bicubic} }

// calibration is what SFP shares with SC-CLIP.
func (p *SFP) calibration() *SCCLIP {
	return &SCCLIP{Neighbors: 1, Beta: p.Beta, Pre: p.Pre, Post: p.Post, From: p.From, To: p.To, Class: p.Class}
}

// Check wants a vision transformer of as many blocks as the parameters name, and one more.
func (p *SFP) Check(m Models) error {
	if !(p.Ratio > 0) || p.Outlier < 1 {
		return fmt.Errorf("sfp: %d outliers at a ratio of %v are out of range: they are 10 and 1.5 in the authors' code",
			p.Outlier, p.Ratio)
	}
	return p.calibration().check("sfp", m)
}

// Read takes the tokens of the purified patches.
func (p *SFP) Read(s *Scene) Reading {
	g, v, c := s.Graph, s.Tower(), p.calibration()
	last := v.Depth() - 1
	x := s.Before(last)
	repair := s.repairBy(p.outliers(s, s.Before(last-1)), true)
	middle := c.kept(g, cosines(g, g.MatMul(repair, v.PatchTokens(g, s.Before(p.Pre)))))
	guided := c.guide(g, middle)

	q, k, u := v.QKV(g, last, c.average(g, middle, g.MatMul(repair, v.PatchTokens(g, x))))
	a := g.Scale(g.Add(attend(g, v, "qq+kk", q, k, u), g.MatMul(guided, u)), 1.0/3)
	single := p.withClass(g, v, last, a, x)

	sum := s.Before(p.From)
	for i := p.From + 1; i <= p.To; i++ {
		sum = g.Add(sum, s.Before(i))
	}
	_, _, u = v.QKV(g, last, v.PatchTokens(g, sum))
	several := p.withClass(g, v, last, g.MatMul(guided, u), sum)

	// Averaging is linear: both are averaged at once.
	y := c.average(g, cosines(g, v.PatchTokens(g, s.Before(p.Post))), g.Add(single, several))
	return s.Project(g.Concat(1, v.ClassBlock(g, last, x), y))
}

// withClass is what attention gave, projected, and a share of the class token of x.
func (p *SFP) withClass(g *onnx.Graph, v Tower, i int, attended, x onnx.Value) onnx.Value {
	return g.Add(v.Out(g, i, attended), g.Scale(v.ClassToken(g, x), float32(p.Class)))
}

// outliers is 1 for the patches that stand out in the attention of the last but one block, which takes x, and 0 for the
// others: [B, N, 1].
func (p *SFP) outliers(s *Scene, x onnx.Value) onnx.Value {
	g, v := s.Graph, s.Tower()
	q, k, _ := v.QKV(g, v.Depth()-2, x)
	shape := q.Shape()
	heads := func(x onnx.Value, perm ...int) onnx.Value {
		return g.Transpose(g.Reshape(x, shape[0], shape[1], v.Heads, v.HeadDim()), perm...)
	}
	weights := g.Softmax(g.Scale(g.MatMul(heads(q, 0, 2, 1, 3), heads(k, 0, 2, 3, 1)), v.Scale()), -1)
	n := v.Patches(g, s.RGB)
	mean := g.Reshape(g.Mean(weights, 1), shape[0], shape[1], shape[1])
	lead := v.Lead()
	toPatches := g.Slice(mean, 2, lead, onnx.End)
	class := g.Transpose(g.Slice(toPatches, 1, 0, 1), 0, 2, 1) // [B, N, 1]
	own := g.Sum(g.Mul(g.Slice(toPatches, 1, lead, onnx.End), s.identity(n)), -1)
	candidates := g.Above(g.Scale(class, float32(p.Ratio)), own)
	scores := g.Transpose(g.Mul(class, candidates), 0, 2, 1) // [B, 1, N]
	count := s.count(fmt.Sprintf("outliers.%d", p.Outlier), func(n int) int { return min(p.Outlier, n) })
	least := g.Min(g.Largest(scores, count, "outliers"), -1)
	chosen := g.Sub(g.Scalar(1), g.Above(least, scores))
	return g.Mul(candidates, g.Transpose(chosen, 0, 2, 1))
}

// identity is the matrix [N, N] that changes nothing.
func (s *Scene) identity(n int) onnx.Value {
	v := s.Tower()
	return s.Table("identity", s.RGB, func(h, w int) tensor.Dense {
		rows, cols := v.Grid(h, w)
		return identity(rows * cols)
	}, n, n)
}

// count is a whole number [1] that depends on the number of patches.
func (s *Scene) count(name string, of func(patches int) int) onnx.Value {
	v := s.Tower()
	return s.Cast(s.Table(name, s.RGB, func(h, w int) tensor.Dense {
		rows, cols := v.Grid(h, w)
		return tensor.Dense{Shape: []int{1}, Data: []float32{float32(of(rows * cols))}}
	}, 1), tensor.I64)
}

// repairBy is the linear map [B, N, N] that replaces patches which stand out, by out [B, N, 1], by the mean of those
// around them on the grid that do not, and leaves the others as they are. One without such neighbours becomes 0 if zero
// says so, and stays otherwise.
func (s *Scene) repairBy(out onnx.Value, zero bool) onnx.Value {
	g, v := s.Graph, s.Tower()
	one := g.Scalar(1)
	n := out.Shape()[1]
	around := s.Table("around", s.RGB, func(h, w int) tensor.Dense { return around(v.Grid(h, w)) }, n, n)
	good := g.Mul(around, g.Transpose(g.Sub(one, out), 0, 2, 1)) // neighbours that do not stand out
	count := g.Sum(good, -1)
	replaced := out
	if !zero {
		replaced = g.Mul(out, g.Above(count, g.Scalar(0)))
	}
	mean := g.Div(good, g.Add(count, g.Above(one, count)))
	return g.Add(g.Mul(s.identity(n), g.Sub(one, replaced)), g.Mul(mean, replaced))
}
