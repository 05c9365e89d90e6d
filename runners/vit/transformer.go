package vit

import (
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/weights"
)

// Activation is the non-linearity of a transformer's MLPs. QuickGELU and GELU differ by up to 0.02; weights trained
// with one give other numbers with the other.
type Activation string

// The activations: OpenAI, MetaCLIP and DFN use QuickGELU, LAION, DataComp and DINO exact GELU.
const (
	QuickGELU Activation = "quick_gelu"
	GELU      Activation = "gelu"
	GELUTanh  Activation = "gelu_pytorch_tanh" // SigLIP's; off from the exact one by up to 5e-4
	ReLU      Activation = "relu"              // of ResNets; no transformer here has it
)

// apply puts x through the activation.
func (a Activation) apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	switch a {
	case GELU:
		return g.Gelu(x)
	case GELUTanh:
		return g.GeluTanh(x)
	}
	return g.QuickGelu(x)
}

// Shape is the shape of one transformer.
type Shape struct {
	Width, Layers, Heads, MLP int
	Activation                Activation
	Eps                       float32 // of its LayerNorms
}

// HeadDim is the width of one attention head.
func (s Shape) HeadDim() int { return s.Width / s.Heads }

// Scale is the factor of the attention logits, 1/sqrt(head dimension).
func (s Shape) Scale() float32 { return float32(1 / math.Sqrt(float64(s.HeadDim()))) }

// Block is a pre-norm transformer block.
type Block struct {
	LN1, LN2       weights.Norm
	Q, K, V, Out   weights.Linear
	Up, Down       weights.Linear  // of the MLP
	Scale1, Scale2 *weights.Tensor // LayerScale [W] of attention and MLP; nil without it
}

// Transformer is a stack of blocks. Its methods write parts of a block i, from 0, over tokens [B, n, W].
type Transformer struct {
	Shape
	Blocks []Block
	Causal bool // tokens attend to none behind them
	// rotate turns queries and keys by their places; nil where places are in the tokens alone.
	rotate func(g *onnx.Graph, x onnx.Value) onnx.Value
}

// Depth is the number of blocks.
func (t *Transformer) Depth() int { return len(t.Blocks) }

// Block applies block i: x + attention, then + MLP.
func (t *Transformer) Block(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	q, k, u := t.QKV(g, i, x)
	x = g.Add(x, t.Out(g, i, t.SelfAttention(g, q, k, u)))
	return g.Add(x, t.MLP(g, i, x))
}

// SelfAttention is the attention of the unchanged blocks, which rotates queries and keys if the transformer does so.
func (t *Transformer) SelfAttention(g *onnx.Graph, q, k, u onnx.Value) onnx.Value {
	if t.rotate != nil {
		q, k = t.rotate(g, q), t.rotate(g, k)
	}
	return t.Attention(g, q, k, u, onnx.Value{})
}

// QKV is the queries, keys and values that block i forms from LayerNorm(x).
func (t *Transformer) QKV(g *onnx.Graph, i int, x onnx.Value) (q, k, u onnx.Value) {
	b := &t.Blocks[i]
	h := t.Norm(g, i, x)
	return b.Q.Apply(g, h), b.K.Apply(g, h), b.V.Apply(g, h)
}

// Norm is the LayerNorm that block i applies before its attention.
func (t *Transformer) Norm(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	return t.Blocks[i].LN1.Apply(g, x, t.Eps)
}

// Attention is multi-head attention at the transformer's scale, without projections and rotation; bias may be absent.
func (t *Transformer) Attention(g *onnx.Graph, q, k, u, bias onnx.Value) onnx.Value {
	return g.Attention(q, k, u, t.Heads, t.Scale(), bias, t.Causal)
}

// Out is the output projection of block i's attention, with its LayerScale.
func (t *Transformer) Out(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	return scaled(g, t.Blocks[i].Out.Apply(g, x), t.Blocks[i].Scale1)
}

// MLP is block i's feed-forward part with its LayerNorm and LayerScale, without the residual.
func (t *Transformer) MLP(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	b := &t.Blocks[i]
	h := t.Activation.apply(g, b.Up.Apply(g, b.LN2.Apply(g, x, t.Eps)))
	return scaled(g, b.Down.Apply(g, h), b.Scale2)
}

func scaled(g *onnx.Graph, x onnx.Value, by *weights.Tensor) onnx.Value {
	if by == nil {
		return x
	}
	return g.Mul(x, by.In(g))
}
