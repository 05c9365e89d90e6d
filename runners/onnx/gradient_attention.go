package onnx

import (
	"fmt"
	"math"

	"ovbench/runners/tensor"
)

// Heads takes the last axis apart: [.., N, W] becomes [.., heads, N, W/heads].
func (g *Graph) Heads(x Value, heads int) Value {
	s := x.Shape()
	n := len(s)
	apart := append(append([]int{}, s[:n-1]...), heads, s[n-1]/heads)
	perm := axesOf(apart)
	perm[n-2], perm[n-1] = n-1, n-2
	return g.Transpose(g.reshape(x, apart), perm...)
}

// merge undoes Heads.
func (g *Graph) merge(x Value) Value {
	s := x.Shape()
	n := len(s)
	perm := axesOf(s)
	perm[n-3], perm[n-2] = n-2, n-3
	x = g.Transpose(x, perm...)
	s = x.Shape()
	return g.reshape(x, append(append([]int{}, s[:n-2]...), s[n-2]*s[n-1]))
}

// Weights are the probabilities [B, heads, M, N] of attention as [Graph.Attention] has them, with its arguments.
func (g *Graph) Weights(q, k Value, heads int, scale float32, bias Value, causal bool) Value {
	logits := g.product(g.Heads(q, heads), g.Heads(k, heads), false, true, scale)
	if causal {
		bias = g.future(q.Shape()[1], k.Shape()[1])
	}
	if bias.Present() {
		logits = g.Add(logits, bias)
	}
	return g.Softmax(logits, -1)
}

// AtWeights is the gradient [T, B, heads, M, N] by the probabilities of an attention, from that by its result [T, B, M,
// W] and the values [B, N, W].
func (g *Graph) AtWeights(result, v Value, heads int) Value {
	return g.product(g.Heads(result, heads), g.Heads(v, heads), false, true, 1)
}

// future is the bias that hides later tokens.
func (g *Graph) future(m, n int) Value {
	if m < 0 || n < 0 {
		panic("onnx: no weights of a causal attention of open size")
	}
	mask := tensor.New(m, n)
	for i := range m {
		for j := i + 1; j < n; j++ {
			mask.Data[i*n+j] = float32(math.Inf(-1))
		}
	}
	return g.Const("future", mask)
}

// attentionRule takes the fused operator apart: with A its weights, v's cotangent is Aᵀ c, A's is c vᵀ, and from there
// through the softmax to q and k.
func attentionRule(s step, c Value) []Value {
	g := s.g
	heads, scale := s.n.int("num_heads", 0), s.n.float("scale", 0)
	if heads == 0 || scale == 0 || len(s.n.in) > 3 && (s.n.in[3] != 0 || s.n.in[4] != 0) || len(s.n.in) > 6 {
		panic(fmt.Sprintf("onnx: no derivative of this MultiHeadAttention: %d inputs", len(s.n.in)))
	}
	var bias Value
	if len(s.n.in) > 5 {
		bias = s.in(5)
	}
	q, k, v := s.in(0), s.in(1), s.in(2)
	weights := g.Weights(q, k, heads, scale, bias, s.n.int("unidirectional", 0) == 1)
	c = s.spread(c, s.out().Shape(), 1, 2)
	out := make([]Value, len(s.n.in))
	if s.wants(2) {
		out[2] = g.merge(g.product(weights, g.Heads(c, heads), true, false, 1))
	}
	if !s.wants(0) && !s.wants(1) && !(bias.Present() && s.wants(5)) {
		return out
	}
	// Of the softmax's rule A (Ā - Σ A Ā), where Ā = c vᵀ, the sum over keys is c·y, as A v is the result y.
	sum := g.Sum(g.Mul(g.Heads(c, heads), g.Heads(s.out(), heads)), -1)
	logits := g.Mul(weights, g.Sub(g.AtWeights(c, v, heads), sum))
	if bias.Present() && s.wants(5) {
		out[5] = s.fold(logits, weights.Shape(), bias.Shape())
	}
	if s.wants(0) {
		out[0] = g.merge(g.product(logits, g.Heads(k, heads), false, false, scale))
	}
	if s.wants(1) {
		out[1] = g.merge(g.product(logits, g.Heads(q, heads), true, false, scale))
	}
	return out
}
