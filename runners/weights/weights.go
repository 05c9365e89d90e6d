// Package weights answers: which tensors of a checkpoint make which layer, and are all of them used?
//
// A [Loader] takes named tensors out of a checkpoint, checks their shapes and remembers which it gave away.
// What it gives, [Linear], [Norm] and [Projection], writes itself into a graph. Models are put together from these
// parts; the weights themselves stay in their file.
package weights

import (
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Tensor is a named weight. Data holds it in memory where the file's order of elements is not
// row-major, which a graph cannot point at.
type Tensor struct {
	Name string
	tensor.Ref
	Data *tensor.Dense
}

// In places t in a graph.
func (t Tensor) In(g *onnx.Graph) onnx.Value {
	if t.Data != nil {
		return g.Const(t.Name, *t.Data)
	}
	return g.Weight(t.Name, t.Ref)
}

// Linear is x Wᵀ + b.
type Linear struct{ Weight, Bias Tensor } // [out, in], [out]

// Apply maps the last axis of x from in to out.
func (l Linear) Apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	return g.Linear(x, l.Weight.In(g), l.Bias.In(g))
}

// Norm is a LayerNorm over the last axis.
type Norm struct{ Weight, Bias Tensor }

// Apply normalises x; eps goes to the variance.
func (n Norm) Apply(g *onnx.Graph, x onnx.Value, eps float32) onnx.Value {
	return g.LayerNorm(x, n.Weight.In(g), n.Bias.In(g), eps)
}

// Projection is a linear map, mostly without bias; Hugging Face stores [out, in], OpenAI [in, out]. The zero value
// changes nothing.
type Projection struct {
	Weight     Tensor
	Bias       Tensor // [out], where the weight is [out, in]; may be absent
	Transposed bool   // the weight is [out, in]
}

// Apply maps the last axis of x from in to out.
func (p Projection) Apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	switch {
	case p.Weight.Shape == nil:
		return x
	case p.Bias.Shape != nil:
		return g.Linear(x, p.Weight.In(g), p.Bias.In(g))
	case p.Transposed:
		return g.Linear(x, p.Weight.In(g), onnx.Value{})
	}
	return g.MatMul(x, p.Weight.In(g))
}
