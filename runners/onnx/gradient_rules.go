package onnx

import (
	"math"
	"slices"

	"ovbench/runners/tensor"
)

// rules are the derivatives, one for each operator that a tower is made of. What they need of the forward pass are
// values of the graph. A cast from another kind, as that of a comparison, has a derivative of zero; what is not here
// (TopK, largest and smallest elements) panics.
var rules = map[string]rule{
	"Add": func(s step, c Value) []Value { return s.terms(c, 1) },
	"Sub": func(s step, c Value) []Value { return s.terms(c, -1) },
	"Mul": mulRule, "Div": divRule,
	"Relu": reluRule, "Sigmoid": sigmoidRule, "Sqrt": sqrtRule, "Gelu": geluRule, "QuickGelu": quickGeluRule,
	"FastGelu": geluTanhRule, "RotaryEmbedding": rotaryRule,
	"Softmax": softmaxRule, "LpNormalization": l2NormalizeRule, "ReduceL2": normRule,
	"ReduceMean": meanRule, "ReduceSum": sumRule,
	"LayerNormalization": layerNormRule, "BatchNormalization": batchNormRule,
	"MatMul": matMulRule, "FusedMatMul": fusedMatMulRule, "MultiHeadAttention": attentionRule,
	"Conv": convRule, "AveragePool": avgPoolRule,
	"Reshape": reshapeRule, "Transpose": transposeRule, "Concat": concatRule, "Slice": sliceRule, "Pad": padRule,
	"Gather": gatherRule, "Cast": castRule, "Expand": expandRule,
}

// terms are the cotangents of a sum or difference.
func (s step) terms(c Value, sign float32) []Value {
	out := make([]Value, 2)
	for i := range out {
		if !s.wants(i) {
			continue
		}
		if out[i] = s.fold(c, s.out().Shape(), s.in(i).Shape()); i == 1 {
			out[i] = s.g.Scale(out[i], sign)
		}
	}
	return out
}

// factor is the cotangent of an input that was broadcast, times by.
func (s step) factor(i int, c, by Value) Value {
	shape := s.out().Shape()
	c = s.g.Mul(c, by)
	return s.fold(c, shape, s.in(i).Shape())
}

func mulRule(s step, c Value) []Value {
	out := make([]Value, 2)
	for i := range out {
		if s.wants(i) {
			out[i] = s.factor(i, c, s.in(1-i))
		}
	}
	return out
}

func divRule(s step, c Value) []Value {
	out := make([]Value, 2)
	c = s.g.Div(c, s.in(1))
	if s.wants(0) {
		out[0] = s.fold(c, s.out().Shape(), s.in(0).Shape())
	}
	if s.wants(1) {
		out[1] = s.g.Scale(s.factor(1, c, s.out()), -1)
	}
	return out
}

// reluRule has 0 for the derivative at 0, as torch has.
func reluRule(s step, c Value) []Value {
	return s.only(func() Value { return s.g.Mul(c, s.g.Above(s.out(), s.g.Scalar(0))) })
}

func sigmoidRule(s step, c Value) []Value {
	y := s.out()
	return s.only(func() Value { return s.g.Mul(c, s.g.Mul(y, s.g.Sub(s.g.Scalar(1), y))) })
}

func sqrtRule(s step, c Value) []Value {
	return s.only(func() Value { return s.g.Div(c, s.g.Scale(s.out(), 2)) })
}

// geluRule is Φ(x) + x φ(x).
func geluRule(s step, c Value) []Value {
	return s.only(func() Value {
		g, x := s.g, s.in(0)
		unary := func(op string, x Value) Value { return g.node(op, []Value{x}, x.DType(), x.Shape()) }
		cdf := g.Scale(g.Add(unary("Erf", g.Scale(x, 1/math.Sqrt2)), g.Scalar(1)), 0.5)
		pdf := g.Scale(unary("Exp", g.Scale(g.Mul(x, x), -0.5)), float32(1/math.Sqrt(2*math.Pi)))
		return g.Mul(c, g.Add(cdf, g.Mul(x, pdf)))
	})
}

// quickGeluRule is σ(ax) (1 + ax (1 - σ(ax))).
func quickGeluRule(s step, c Value) []Value {
	return s.only(func() Value {
		g := s.g
		ax := g.Scale(s.in(0), s.n.float("alpha", 1.702))
		sig := g.Sigmoid(ax)
		slope := g.Mul(sig, g.Add(g.Mul(ax, g.Sub(g.Scalar(1), sig)), g.Scalar(1)))
		return g.Mul(c, slope)
	})
}

// geluTanhRule is σ(2z) + 2x σ(2z) (1 - σ(2z)) z', with z as [Graph.GeluTanh] has it.
func geluTanhRule(s step, c Value) []Value {
	return s.only(func() Value {
		g, x := s.g, s.in(0)
		root := float32(2 * math.Sqrt(2/math.Pi))
		cube := g.Scale(g.Mul(x, x), 0.044715) // z is root/2 (x + x cube)
		sig := g.Sigmoid(g.Scale(g.Add(x, g.Mul(x, cube)), root))
		slope := g.Scale(g.Add(g.Scale(cube, 3), g.Scalar(1)), root)
		slope = g.Mul(g.Mul(x, g.Sub(g.Scalar(1), sig)), slope)
		return g.Mul(c, g.Mul(sig, g.Add(slope, g.Scalar(1))))
	})
}

// rotaryRule turns back.
func rotaryRule(s step, c Value) []Value {
	return s.only(func() Value {
		g, shape := s.g, s.out().Shape()
		c = s.spread(c, shape, 1, 2)
		apart := c.Shape()
		flat := g.reshape(c, []int{g.times(apart[0], apart[1]), shape[1], shape[2]})
		return g.reshape(g.Rotate(flat, s.in(2), g.Scale(s.in(3), -1), s.n.int("num_heads", 1)), apart)
	})
}

// axisOf is a node's axis, from 0.
func (s step) axisOf(def int) int {
	a, n := s.n.int("axis", def), len(s.out().Shape())
	if a < 0 {
		a += n
	}
	return a
}

// softmaxRule is y (c - Σ c y).
func softmaxRule(s step, c Value) []Value {
	return s.only(func() Value { return s.softmaxCotangent(s.out(), c, s.axisOf(-1)) })
}

func (b *backward) softmaxCotangent(y, c Value, axis int) Value {
	g := b.g
	return g.Mul(y, g.Sub(c, g.Sum(g.Mul(c, y), 1+axis)))
}

// l2NormalizeRule is (c - y Σ c y) / |x|. A zero vector has no direction: its cotangent is not finite, as torch's is
// not.
func l2NormalizeRule(s step, c Value) []Value {
	return s.only(func() Value {
		g, y := s.g, s.out()
		along := g.Mul(y, g.Sum(g.Mul(c, y), -1))
		return g.Div(g.Sub(c, along), g.Norm(s.in(0)))
	})
}

func normRule(s step, c Value) []Value {
	return s.only(func() Value { return s.g.Mul(c, s.g.Div(s.in(0), s.out())) })
}

// meanRule spreads nothing: the cotangent is the same along the axis that was reduced.
func meanRule(s step, c Value) []Value {
	return s.only(func() Value { return s.g.Div(c, s.g.count(s.reduced())) })
}

func sumRule(s step, c Value) []Value {
	s.reduced()
	return s.only(func() Value { return c })
}

// reduced is the size of the axis that a reduction made 1.
func (s step) reduced() int {
	return s.in(0).Shape()[s.g.elements(s.in(1))[0]]
}

// layerNormRule: with n the normalised x, r the inverse of its deviation and k = c·weight, r (k - mean k - n mean(k
// n)).
func layerNormRule(s step, c Value) []Value {
	if s.wants(1) || s.wants(2) {
		panic("onnx: no derivative by the weights of a LayerNormalization")
	}
	return s.only(func() Value {
		g, x := s.g, s.in(0)
		d := g.Sub(x, g.Mean(x, -1))
		deviation := g.Sqrt(g.Add(g.Mean(g.Mul(d, d), -1), g.Scalar(s.n.float("epsilon", 1e-5))))
		n := g.Div(d, deviation)
		k := g.Mul(c, s.in(1))
		k = g.Sub(g.Sub(k, g.Mean(k, -1)), g.Mul(n, g.Mean(g.Mul(k, n), -1)))
		return g.Div(k, deviation)
	})
}

// batchNormRule is c·scale / sqrt(variance + eps), channel by channel.
func batchNormRule(s step, c Value) []Value {
	return s.only(func() Value {
		g := s.g
		slope := g.Div(s.in(1), g.Sqrt(g.Add(s.in(4), g.Scalar(s.n.float("epsilon", 1e-5)))))
		behind := len(s.out().Shape()) - 2
		return g.Mul(c, g.Reshape(slope, append(slope.Shape()[:1:1], ones(behind)...)...))
	})
}

// castRule passes what stays a number.
func castRule(s step, c Value) []Value {
	if !slices.Contains([]tensor.DType{tensor.F32, tensor.F64, tensor.F16, tensor.BF16}, s.in(0).DType()) {
		return nil
	}
	return s.only(func() Value { return s.g.Cast(c, s.in(0).DType()) })
}

// matMulRule: a's is c bᵀ, b's is aᵀ c.
func matMulRule(s step, c Value) []Value { return s.matMul(c, false, false, 1) }

func fusedMatMulRule(s step, c Value) []Value {
	return s.matMul(c, s.n.int("transA", 0) == 1, s.n.int("transB", 0) == 1, s.n.float("alpha", 1))
}

// matMul is the rule of y = alpha A B, where A is a or its transpose and B likewise.
func (s step) matMul(c Value, transA, transB bool, alpha float32) []Value {
	g, y := s.g, s.out().Shape()
	a, b := s.in(0), s.in(1)
	rows, columns := len(y)-2, len(y)-1
	out := make([]Value, 2)
	if s.wants(0) {
		c := s.spread(c, y, columns)
		switch {
		case transA:
			c = s.spread(c, y, rows)
			out[0] = g.product(b, c, transB, true, alpha)
		default:
			out[0] = g.chain(c, b, !transB, alpha)
		}
		out[0] = s.foldMatrices(out[0], y, a.Shape())
	}
	if s.wants(1) {
		c := s.spread(c, y, rows)
		if transB {
			c = s.spread(c, y, columns)
			out[1] = g.product(c, a, true, transA, alpha)
		} else {
			out[1] = g.product(a, c, !transA, false, alpha)
		}
		out[1] = s.foldMatrices(out[1], y, b.Shape())
	}
	return out
}

// foldMatrices folds the leading axes of a product's cotangent, not those of its matrices.
func (s step) foldMatrices(c Value, product, operand []int) Value {
	from := append(slices.Clone(product[:len(product)-2]), operand[len(operand)-2:]...)
	return s.fold(c, from, operand)
}

// chain is alpha c b, or with b transposed. A c that is the product of a column and a row, as that of a single query's
// attention is, meets b by its row alone.
func (g *Graph) chain(c, b Value, transB bool, alpha float32) Value {
	if v := g.at(c); v.node >= 0 && len(b.Shape()) == 2 {
		n := g.nodes[v.node]
		transA := n.op == "FusedMatMul" && n.int("transA", 0) == 1
		if column := (n.op == "MatMul" || transA && n.int("transB", 0) == 0); column &&
			inner(g.values[n.in[0]].shape, transA) == 1 {
			row := g.chain(Value{g, n.in[1]}, b, transB, alpha)
			return g.product(Value{g, n.in[0]}, row, transA, false, n.float("alpha", 1))
		}
	}
	return g.product(c, b, false, transB, alpha)
}

// inner is the axis of the left factor's shape that a product sums over.
func inner(shape []int, transposed bool) int {
	if transposed {
		return shape[len(shape)-2]
	}
	return last(shape)
}
