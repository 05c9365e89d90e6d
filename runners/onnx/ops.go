package onnx

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/tensor"
)

// Add is a + b with broadcasting.
func (g *Graph) Add(a, b Value) Value { return g.elementwise("Add", a, b) }

// Sub is a - b with broadcasting.
func (g *Graph) Sub(a, b Value) Value { return g.elementwise("Sub", a, b) }

// Mul is a * b, element by element, with broadcasting.
func (g *Graph) Mul(a, b Value) Value { return g.elementwise("Mul", a, b) }

// Div is a / b, element by element, with broadcasting.
func (g *Graph) Div(a, b Value) Value { return g.elementwise("Div", a, b) }

// Scale is x times a number.
func (g *Graph) Scale(x Value, by float32) Value {
	if by == 1 {
		return x
	}
	return g.Mul(x, g.Scalar(by))
}

func (g *Graph) elementwise(op string, a, b Value) Value {
	shape, ok := broadcast(a.Shape(), b.Shape())
	if !ok || a.DType() != b.DType() {
		g.fault(op, a, b)
	}
	return g.node(op, []Value{a, b}, a.DType(), shape)
}

// Exp is e to the power of x, element by element.
func (g *Graph) Exp(x Value) Value { return g.node("Exp", []Value{x}, x.DType(), x.Shape()) }

// Sigmoid is 1 / (1 + exp(-x)).
func (g *Graph) Sigmoid(x Value) Value {
	return g.node("Sigmoid", []Value{x}, x.DType(), x.Shape())
}

// Gelu is x Φ(x) with the exact error function.
func (g *Graph) Gelu(x Value) Value { return g.node("Gelu", []Value{x}, x.DType(), x.Shape()) }

// QuickGelu is x sigmoid(1.702 x), the activation of OpenAI's CLIP.
func (g *Graph) QuickGelu(x Value) Value {
	if g.standard {
		return g.Mul(x, g.Sigmoid(g.Scale(x, 1.702)))
	}
	return g.nodeIn("com.microsoft", "QuickGelu", []Value{x}, x.DType(), x.Shape(), floatAttr("alpha", 1.702))
}

// GeluTanh is x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, the approximation of GELU that SigLIP is trained with.
func (g *Graph) GeluTanh(x Value) Value {
	if g.standard { // (1 + tanh z)/2 = sigmoid(2z)
		z := g.Add(x, g.Scale(g.Mul(x, g.Mul(x, x)), 0.044715))
		return g.Mul(x, g.Sigmoid(g.Scale(z, float32(2*math.Sqrt(2/math.Pi)))))
	}
	return g.nodeIn("com.microsoft", "FastGelu", []Value{x}, x.DType(), x.Shape())
}

// Rotate turns the neighbouring pairs of each head of x [B, n, W] by angles that cos and sin [n, W/heads/2] are of:
// (a, b) becomes (a cos - b sin, b cos + a sin) (Su et al., "RoFormer", 2021). x may have fewer tokens than the tables.
func (g *Graph) Rotate(x, cos, sin Value, heads int) Value {
	s, c := x.Shape(), cos.Shape()
	if len(s) != 3 || len(c) != 2 || !slices.Equal(c, sin.Shape()) || s[2] != 2*heads*c[1] {
		g.fault("Rotate", x, cos, sin)
	}
	if !g.standard {
		in := []Value{x, g.Ints(0), cos, sin} // tokens count from 0
		return g.nodeIn("com.microsoft", "RotaryEmbedding", in, x.DType(), s, intAttr("interleaved", 1),
			intAttr("num_heads", heads))
	}
	pairs := g.Reshape(x, s[0], s[1], heads, c[1], 2)
	a, b := g.Slice(pairs, 4, 0, 1), g.Slice(pairs, 4, 1, 2)
	at := func(t Value) Value { // beside the heads
		if s[1] == 1 {
			t = g.Slice(t, 0, 0, 1)
		}
		return g.Reshape(t, 1, t.Shape()[0], 1, c[1], 1)
	}
	cos, sin = at(cos), at(sin)
	turned := g.Concat(4, g.Sub(g.Mul(a, cos), g.Mul(b, sin)), g.Add(g.Mul(b, cos), g.Mul(a, sin)))
	return g.Reshape(turned, s...)
}

// Softmax normalises exp(x) to sum 1 along axis (negative counts from the end).
func (g *Graph) Softmax(x Value, axis int) Value {
	g.axis("Softmax", x, axis)
	return g.node("Softmax", []Value{x}, x.DType(), x.Shape(), intAttr("axis", axis))
}

// L2Normalize divides x by its Euclidean norm along the last axis. A zero vector stays zero.
func (g *Graph) L2Normalize(x Value) Value {
	return g.node("LpNormalization", []Value{x}, x.DType(), x.Shape(), intAttr("axis", len(x.Shape())-1), intAttr("p", 2))
}

// Norm is the Euclidean norm along the last axis, which becomes 1.
func (g *Graph) Norm(x Value) Value {
	if g.noCuDNN {
		return g.Sqrt(g.Sum(g.Mul(x, x), -1))
	}
	return g.reduce("ReduceL2", x, -1)
}

// Mean is the mean along axis (negative counts from the end), which becomes 1.
func (g *Graph) Mean(x Value, axis int) Value { return g.reduce("ReduceMean", x, axis) }

// Sum is the sum along axis (negative counts from the end), which becomes 1.
func (g *Graph) Sum(x Value, axis int) Value { return g.reduce("ReduceSum", x, axis) }

// Max is the largest element along axis (negative counts from the end), which becomes 1.
func (g *Graph) Max(x Value, axis int) Value { return g.extreme("ReduceMax", x, axis) }

// Min is the smallest element along axis (negative counts from the end), which becomes 1.
func (g *Graph) Min(x Value, axis int) Value { return g.extreme("ReduceMin", x, axis) }

func (g *Graph) reduce(op string, x Value, axis int) Value {
	axis = g.axis(op, x, axis)
	shape := slices.Clone(x.Shape())
	shape[axis] = 1
	return g.node(op, []Value{x, g.Ints(int64(axis))}, x.DType(), shape, intAttr("keepdims", 1))
}

// Smallest are the n smallest elements along the last axis, in any order; n is an int64 of shape [1], whose value goes
// by the name of symbol.
func (g *Graph) Smallest(x, n Value, symbol string) Value { return g.top(x, n, symbol, 0) }

// Largest are the n largest elements along the last axis, in any order; n is an int64 of shape [1], whose value goes
// by the name of symbol.
func (g *Graph) Largest(x, n Value, symbol string) Value { return g.top(x, n, symbol, 1) }

func (g *Graph) top(x, n Value, symbol string, largest int) Value {
	if len(x.Shape()) == 0 || n.DType() != tensor.I64 || !slices.Equal(n.Shape(), []int{1}) {
		g.fault("TopK", x, n)
	}
	shape := slices.Clone(x.Shape())
	shape[len(shape)-1] = g.Symbol(symbol)
	v := g.node("TopK", []Value{x, n}, x.DType(), shape, intAttr("axis", -1), intAttr("largest", largest),
		intAttr("sorted", 0))
	if made := &g.nodes[g.at(v).node]; len(made.out) == 1 { // the indices must have a name, though nobody asks for them
		made.out = append(made.out, g.add(value{dtype: tensor.I64, shape: shape, node: g.at(v).node}).id)
	}
	return v
}

// Above is 1 where a > b and 0 elsewhere, with broadcasting.
func (g *Graph) Above(a, b Value) Value {
	shape, ok := broadcast(a.Shape(), b.Shape())
	if !ok || a.DType() != b.DType() {
		g.fault("Greater", a, b)
	}
	return g.Cast(g.node("Greater", []Value{a, b}, tensor.Bool, shape), tensor.F32)
}

// Sqrt is the square root.
func (g *Graph) Sqrt(x Value) Value { return g.node("Sqrt", []Value{x}, x.DType(), x.Shape()) }

// LayerNorm normalises the last axis to mean 0 and variance 1 (biased, plus eps), then scales and shifts.
func (g *Graph) LayerNorm(x, weight, bias Value, eps float32) Value {
	if d := last(x.Shape()); !slices.Equal(weight.Shape(), []int{d}) || !slices.Equal(bias.Shape(), []int{d}) {
		g.fault("LayerNormalization", x, weight, bias)
	}
	return g.node("LayerNormalization", []Value{x, weight, bias}, x.DType(), x.Shape(), intAttr("axis", -1),
		floatAttr("epsilon", eps))
}

// MatMul is the matrix product of the last two axes; leading axes broadcast.
func (g *Graph) MatMul(a, b Value) Value {
	as, bs := a.Shape(), b.Shape()
	if len(as) < 2 || len(bs) < 2 || last(as) != bs[len(bs)-2] {
		g.fault("MatMul", a, b)
	}
	lead, ok := broadcast(as[:len(as)-2], bs[:len(bs)-2])
	if !ok {
		g.fault("MatMul", a, b)
	}
	return g.node("MatMul", []Value{a, b}, a.DType(), append(lead, as[len(as)-2], last(bs)))
}

// Linear is x Wᵀ + bias for weight [out, in] as checkpoints store it; bias [out] may be absent.
// x is [..., in]; leading axes are kept.
//
// Note: FusedMatMul takes the weight as it lies in the file. A Gemm does so too, but wants two
// axes and measured a tenth slower; a Transpose would be folded into a copy of the weight.
func (g *Graph) Linear(x, weight, bias Value) Value {
	xs, ws := x.Shape(), weight.Shape()
	if len(ws) != 2 || last(xs) != ws[1] || bias.Present() && !slices.Equal(bias.Shape(), ws[:1]) {
		g.fault("Linear", x, weight)
	}
	x, weight = g.operand(x), g.operand(weight)
	var y Value
	if g.standard {
		y = g.MatMul(x, g.Transpose(weight, 1, 0))
	} else {
		shape := append(slices.Clone(xs[:len(xs)-1]), ws[0])
		y = g.nodeIn("com.microsoft", "FusedMatMul", []Value{x, weight}, x.DType(), shape, intAttr("transB", 1))
	}
	y = g.Cast(y, tensor.F32)
	if bias.Present() {
		y = g.Add(y, bias)
	}
	return y
}

// Conv is a two-dimensional convolution of x [B,C,H,W] with weight [O,C,k,k], stride and zero padding
// the same on every side; a remainder at the right and bottom is dropped. bias [O] may be absent. H and W may be
// symbols.
func (g *Graph) Conv(x, weight, bias Value, stride, pad int) Value {
	xs, ws := x.Shape(), weight.Shape()
	if len(xs) != 4 || len(ws) != 4 || xs[1] != ws[1] || xs[2] >= 0 && ws[2] > xs[2]+2*pad || xs[3] >= 0 &&
		ws[3] > xs[3]+2*pad {
		g.fault("Conv", x, weight)
	}
	if g.noCuDNN && pad == 0 && stride == ws[2] && stride == ws[3] && xs[1] >= 0 {
		return g.patches(x, weight, bias, stride)
	}
	shape := []int{xs[0], ws[0], g.strided(xs[2], ws[2], stride, pad), g.strided(xs[3], ws[3], stride, pad)}
	in := []Value{x, weight}
	if bias.Present() {
		in = append(in, bias)
	}
	return g.node("Conv", in, x.DType(), shape, intsAttr("kernel_shape", ws[2], ws[3]), intsAttr("strides", stride,
		stride), intsAttr("pads", pad, pad, pad, pad))
}

// strided is the number of places that a window takes along an axis of n, which may be a symbol.
func (g *Graph) strided(n, window, stride, pad int) int {
	switch {
	case n >= 0:
		return (n+2*pad-window)/stride + 1
	case stride == 1 && window == 2*pad+1:
		return n
	case pad == 0 && window == stride:
		return g.Symbol(fmt.Sprintf("%s/%d", g.symbols[-1-n], stride))
	}
	return g.Symbol(fmt.Sprintf("(%s-%d)/%d+1", g.symbols[-1-n], window-2*pad, stride))
}

// Reshape gives x another shape of as many elements. A symbol may stay where it is, and one more dimension may be
// inferred.
func (g *Graph) Reshape(x Value, shape ...int) Value {
	if slices.Equal(x.Shape(), shape) {
		return x
	}
	if v := g.at(x); v.node >= 0 && g.nodes[v.node].op == "Reshape" {
		src := Value{g, g.nodes[v.node].in[0]} // a reshape of a reshape is one
		if slices.Equal(src.Shape(), shape) || g.reshapable(src.Shape(), shape) {
			return g.Reshape(src, shape...)
		}
	}
	if !g.reshapable(x.Shape(), shape) {
		panic(fmt.Sprintf("onnx: Reshape %s to %s", g.dims(x.Shape()), g.dims(shape)))
	}
	return g.node("Reshape", []Value{x, g.Ints(reshapeTarget(x.Shape(), shape)...)}, x.DType(), shape)
}

// reshapable reports whether from can be reshaped to shape with at most one inferred dimension.
func (g *Graph) reshapable(from, shape []int) bool {
	inferred := 0
	for _, d := range reshapeTarget(from, shape) {
		if d == -1 {
			inferred++
		}
	}
	a, b := 1, 1
	symbols := false
	for _, d := range from {
		if d < 0 {
			symbols = true
		} else {
			a *= d
		}
	}
	for _, d := range shape {
		if d < 0 {
			symbols = true
		} else {
			b *= d
		}
	}
	return inferred <= 1 && (symbols && a != 0 && b != 0 && (a%b == 0 || b%a == 0) || !symbols && a == b)
}

func reshapeTarget(from, shape []int) []int64 {
	target := make([]int64, len(shape))
	for i, d := range shape {
		switch {
		case d >= 0:
			target[i] = int64(d)
		case i < len(from) && from[i] == d:
			target[i] = 0 // copied
		default:
			target[i] = -1 // inferred
		}
	}
	return target
}

// Transpose permutes the axes: axis i of the result is axis perm[i] of x.
func (g *Graph) Transpose(x Value, perm ...int) Value {
	xs := x.Shape()
	if len(perm) != len(xs) {
		g.fault("Transpose", x)
	}
	shape := make([]int, len(xs))
	for i, p := range perm {
		shape[i] = xs[p]
	}
	return g.node("Transpose", []Value{x}, x.DType(), shape, intsAttr("perm", perm...))
}

// Unsqueeze is x with an axis of size 1 more.
func (g *Graph) Unsqueeze(x Value, axis int) Value {
	if axis < 0 || axis > len(x.Shape()) {
		g.fault("Unsqueeze", x)
	}
	shape := slices.Insert(slices.Clone(x.Shape()), axis, 1)
	return g.node("Unsqueeze", []Value{x, g.Ints(int64(axis))}, x.DType(), shape)
}

// Concat joins values along axis; the other axes are equal. At most one of the joined sizes may be a symbol. The slices
// of one value in their order are that value.
func (g *Graph) Concat(axis int, xs ...Value) Value {
	axis = g.axis("Concat", xs[0], axis)
	if whole, ok := g.rejoined(axis, xs); ok {
		return whole
	}
	shape := slices.Clone(xs[0].Shape())
	for _, x := range xs[1:] {
		s := slices.Clone(x.Shape())
		if len(s) != len(shape) || s[axis] < 0 && shape[axis] < 0 {
			g.fault("Concat", xs...)
		}
		if s[axis] < 0 {
			shape[axis] = g.Plus(s[axis], shape[axis])
		} else {
			shape[axis] = g.Plus(shape[axis], s[axis])
		}
		if s[axis] = shape[axis]; !slices.Equal(s, shape) {
			g.fault("Concat", xs...)
		}
	}
	return g.node("Concat", xs, xs[0].DType(), shape, intAttr("axis", axis))
}

// End is the end of an axis of whatever size.
const End = math.MaxInt64

// Slice is the part [from, to) of x along axis, to [End] if need be. A symbolic axis must be long enough when the graph
// runs.
func (g *Graph) Slice(x Value, axis, from, to int) Value {
	axis = g.axis("Slice", x, axis)
	shape := slices.Clone(x.Shape())
	if to == End && shape[axis] >= 0 {
		to = shape[axis]
	}
	if from < 0 || to <= from || shape[axis] >= 0 && to > shape[axis] {
		g.fault("Slice", x)
	}
	if to == End {
		shape[axis] = g.Plus(shape[axis], -from)
	} else {
		shape[axis] = to - from
	}
	v := g.node("Slice", []Value{x, g.Ints(int64(from)), g.Ints(int64(to)), g.Ints(int64(axis))}, x.DType(), shape)
	g.slices[v] = part{x, axis, from, to}
	return v
}

// rejoined is the value that xs are all of, cut along axis, or false.
func (g *Graph) rejoined(axis int, xs []Value) (whole Value, ok bool) {
	at := 0
	for _, x := range xs {
		p, cut := g.slices[x]
		if !cut || p.axis != axis || p.from != at || whole.Present() && p.of != whole {
			return Value{}, false
		}
		whole, at = p.of, p.to
	}
	return whole, at == End || at == whole.Shape()[axis]
}

// PadFront puts n zeros before x along axis.
func (g *Graph) PadFront(x Value, axis, n int) Value {
	axis = g.axis("Pad", x, axis)
	shape := slices.Clone(x.Shape())
	shape[axis] = g.Plus(shape[axis], n)
	pads := make([]int64, 2*len(shape))
	pads[axis] = int64(n)
	return g.node("Pad", []Value{x, g.Ints(pads...)}, x.DType(), shape)
}

// PadBack puts n zeros behind x along each of the axes.
func (g *Graph) PadBack(x Value, n int, axes ...int) Value {
	shape := slices.Clone(x.Shape())
	pads := make([]int64, 2*len(shape))
	for _, axis := range axes {
		axis = g.axis("Pad", x, axis)
		shape[axis] = g.Plus(shape[axis], n)
		pads[len(shape)+axis] = int64(n)
	}
	return g.node("Pad", []Value{x, g.Ints(pads...)}, x.DType(), shape)
}

// Expand repeats x along axes of size 1 until it has the shape, which is one of numbers.
func (g *Graph) Expand(x Value, shape ...int) Value {
	if slices.Equal(x.Shape(), shape) {
		return x
	}
	to, ok := broadcast(x.Shape(), shape)
	if _, numbers := tensor.Elements(shape); !ok || !numbers || !slices.Equal(to, shape) {
		g.fault("Expand", x)
	}
	target := make([]int64, len(shape))
	for i, d := range shape {
		target[i] = int64(d)
	}
	return g.node("Expand", []Value{x, g.Ints(target...)}, x.DType(), shape)
}

// Gather picks rows: the result's shape is that of indices (int64) followed by the row shape of table.
func (g *Graph) Gather(table, indices Value) Value {
	if indices.DType() != tensor.I64 || len(table.Shape()) == 0 {
		g.fault("Gather", table, indices)
	}
	if narrow, ok := g.widened(table); ok { // a vocabulary's rows are widened, not all of it
		return g.Cast(g.Gather(narrow, indices), table.DType())
	}
	shape := append(slices.Clone(indices.Shape()), table.Shape()[1:]...)
	return g.node("Gather", []Value{table, indices}, table.DType(), shape, intAttr("axis", 0))
}

// Cast converts the element type.
func (g *Graph) Cast(x Value, to tensor.DType) Value {
	if x.DType() == to {
		return x
	}
	return g.node("Cast", []Value{x}, to, x.Shape(), intAttr("to", int(elemType[to])))
}

// Attention is multi-head attention without its projections:
//
//	softmax(scale · q kᵀ + bias) v, per head, heads concatenated
//
// q is [B, M, D] and k is [B, N, D] with D = heads · head dimension; v is [B, N, E] with heads of its own width, and
// the result is [B, M, E]. Any value may stand in any place: v-v attention is Attention(v, v, v). bias, broadcast to
// [B, heads, M, N], may be absent. A causal attention lets token i see tokens 0..i only, and needs no bias; with
// StandardOps it takes the mask as bias.
func (g *Graph) Attention(q, k, v Value, heads int, scale float32, bias Value, causal bool) Value {
	s := q.Shape()
	ks, vs := k.Shape(), v.Shape()
	if len(s) != 3 || len(ks) != 3 || len(vs) != 3 || s[0] != ks[0] || s[2] != ks[2] || !slices.Equal(ks[:2], vs[:2]) ||
		s[2]%heads != 0 || vs[2]%heads != 0 || bias.Present() && causal {
		g.fault("Attention", q, k, v)
	}
	if g.standard {
		if causal {
			panic("onnx: causal attention needs its mask as bias under StandardOps")
		}
		return g.plainAttention(q, k, v, heads, scale, bias)
	}
	in := []Value{g.operand(q), g.operand(k), g.operand(v)}
	if bias.Present() {
		in = append(in, Value{}, Value{}, g.operand(bias)) // no projection bias, no key padding mask
	}
	attrs := []attr{intAttr("num_heads", heads), floatAttr("scale", scale)}
	if causal {
		attrs = append(attrs, intAttr("unidirectional", 1))
	}
	out := g.nodeIn("com.microsoft", "MultiHeadAttention", in, in[0].DType(), []int{s[0], s[1], vs[2]}, attrs...)
	return g.Cast(out, q.DType())
}

func (g *Graph) plainAttention(q, k, v Value, heads int, scale float32, bias Value) Value {
	s := q.Shape()
	split := func(x Value, perm ...int) Value {
		return g.Transpose(g.Reshape(x, s[0], x.Shape()[1], heads, x.Shape()[2]/heads), perm...)
	}
	logits := g.Scale(g.MatMul(split(q, 0, 2, 1, 3), split(k, 0, 2, 3, 1)), scale)
	if bias.Present() {
		logits = g.Add(logits, bias)
	}
	out := g.MatMul(g.Softmax(logits, -1), split(v, 0, 2, 1, 3))
	return g.Reshape(g.Transpose(out, 0, 2, 1, 3), s[0], s[1], v.Shape()[2])
}

// broadcast is the shape of an element-wise result, or false. A symbol fits itself and 1.
func broadcast(a, b []int) ([]int, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	skip := len(a) - len(b)
	for i, d := range b {
		switch {
		case out[skip+i] == d || d == 1:
		case out[skip+i] == 1:
			out[skip+i] = d
		default:
			return nil, false
		}
	}
	return out, true
}

func last(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}

func (g *Graph) axis(op string, x Value, axis int) int {
	if n := len(x.Shape()); axis < -n || axis >= n {
		g.fault(op, x)
	} else if axis < 0 {
		axis += n
	}
	return axis
}

func (g *Graph) fault(op string, xs ...Value) {
	msg := "onnx: " + op + " does not fit"
	for _, x := range xs {
		msg += fmt.Sprintf(" %v%s", x.DType(), g.dims(x.Shape()))
	}
	panic(msg)
}
