package vit

import (
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/weights"
)

// Pool is a head of multi-head attention by one learned query (Zhai et al., "Scaling Vision Transformers", arXiv
// 2106.04560, section 3.2): it makes one token of all, with an MLP behind.
type Pool struct {
	Probe        tensor.Dense // [W]
	Heads        int
	Q, K, V, Out weights.Linear
	Norm         weights.Norm
	Up, Down     weights.Linear
	Activation   Activation
	Eps          float32
}

// Apply is the token [B, 1, W] that the head makes of all tokens h [B, n, W] behind the last LayerNorm.
func (p *Pool) Apply(g *onnx.Graph, h onnx.Value) onnx.Value {
	q, k, v := p.QKV(g, h)
	return p.finish(g, p.Out.Apply(g, g.Attention(q, k, v, p.Heads, p.Scale(), onnx.Value{}, false)))
}

// QKV are the head's query [B, 1, W], the same for all pictures, and the keys and values of tokens h [B, n, W].
func (p *Pool) QKV(g *onnx.Graph, h onnx.Value) (q, k, v onnx.Value) {
	probe := g.Const("pool.probe", tensor.Dense{Shape: []int{1, 1, p.Probe.Shape[0]}, Data: p.Probe.Data})
	q = g.Add(g.Scale(g.Slice(h, 1, 0, 1), 0), p.Q.Apply(g, probe)) // as often as there are pictures
	return q, p.K.Apply(g, h), p.V.Apply(g, h)
}

// Scale is the factor of the attention logits.
func (p *Pool) Scale() float32 { return float32(1 / math.Sqrt(float64(p.Probe.Shape[0]/p.Heads))) }

// PoolForm is how single tokens go through a [Pool].
type PoolForm string

const (
	// ByValue is what the attention gives if all its weight is on one token: the value path (TextRegion, arXiv
	// 2505.23769). It is linear.
	ByValue PoolForm = "value"
	// ByHead is what the whole head gives if it sees one token alone.
	ByHead PoolForm = "head"
)

// Each takes every token of h [B, n, W] through the head by itself.
func (p *Pool) Each(g *onnx.Graph, h onnx.Value, form PoolForm) onnx.Value {
	y := p.Out.Apply(g, p.V.Apply(g, h))
	if form == ByHead {
		y = p.finish(g, y)
	}
	return y
}

// finish adds the MLP, whose residual is from behind the attention.
func (p *Pool) finish(g *onnx.Graph, y onnx.Value) onnx.Value {
	h := p.Activation.apply(g, p.Up.Apply(g, p.Norm.Apply(g, y, p.Eps)))
	return g.Add(y, p.Down.Apply(g, h))
}
