package onnx

import (
	"fmt"
	"math"
	"slices"
)

// array is a value of the interpreter; integers and booleans are numbers too.
type array struct {
	shape []int
	data  []float64
}

func newArray(shape ...int) array {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return array{slices.Clone(shape), make([]float64, n)}
}

// interpret computes values of the graph in float64, operator by operator as the ONNX standard (or ONNX Runtime's
// contrib operators) words them, without a thought for speed. It checks every result's shape against what the graph
// says of it: a symbol is one number throughout.
func interpret(g *Graph, inputs map[string]array, of ...Value) []array {
	values := make([]*array, len(g.values))
	sizes := map[int]int{}
	var at func(id int32) array
	at = func(id int32) array {
		if values[id] != nil {
			return *values[id]
		}
		v := &g.values[id]
		var a array
		switch {
		case v.leaf != nil:
			a = leafArray(v)
		case v.node < 0:
			a = inputs[v.name]
			if a.data == nil {
				panic("no input " + v.name)
			}
		default:
			n := &g.nodes[v.node]
			in := make([]array, len(n.in))
			for i, x := range n.in {
				if x != 0 {
					in[i] = at(x)
				}
			}
			a = operator(n, in)
		}
		if len(a.shape) != len(v.shape) {
			panic(fmt.Sprintf("value %d is %v, declared %s", id, a.shape, g.dims(v.shape)))
		}
		for i, d := range v.shape {
			want := d
			if d < 0 {
				if _, ok := sizes[d]; !ok {
					sizes[d] = a.shape[i]
				}
				want = sizes[d]
			}
			if a.shape[i] != want {
				op := ""
				if v.node >= 0 {
					op = g.nodes[v.node].op
				}
				panic(fmt.Sprintf("%s is %v, declared %s", op, a.shape, g.dims(v.shape)))
			}
		}
		values[id] = &a
		return a
	}
	out := make([]array, len(of))
	for i, v := range of {
		out[i] = at(v.id)
	}
	return out
}

func leafArray(v *value) array {
	a := newArray(v.shape...)
	for i := range a.data {
		if len(v.leaf.raw) == 8*len(a.data) {
			a.data[i] = float64(int64(le.Uint64(v.leaf.raw[8*i:])))
		} else {
			a.data[i] = float64(math.Float32frombits(le.Uint32(v.leaf.raw[4*i:])))
		}
	}
	return a
}

func (a array) ints() []int {
	out := make([]int, len(a.data))
	for i, v := range a.data {
		out[i] = int(v)
	}
	return out
}

// strides are how far apart neighbours along each axis lie; 0 along an axis of 1, which thereby is broadcast.
func (a array) strides() []int {
	out, n := make([]int, len(a.shape)), 1
	for i := len(a.shape) - 1; i >= 0; i-- {
		if a.shape[i] != 1 {
			out[i] = n
		}
		n *= a.shape[i]
	}
	return out
}

// read is the element of a at a place of a shape of as many axes or more.
func (a array) read(place []int) float64 {
	k := 0
	for i, s := range a.strides() {
		k += s * place[len(place)-len(a.shape)+i]
	}
	return a.data[k]
}

// each calls f for all places of a shape, in order.
func each(shape []int, f func(k int, place []int)) {
	place := make([]int, len(shape))
	for k := range newArray(shape...).data {
		f(k, place)
		for i := len(shape) - 1; i >= 0; i-- {
			if place[i]++; place[i] < shape[i] {
				break
			}
			place[i] = 0
		}
	}
}

func zip(f func(x, y float64) float64, a, b array) array {
	shape, ok := broadcast(a.shape, b.shape)
	if !ok {
		panic(fmt.Sprintf("shapes %v %v", a.shape, b.shape))
	}
	out := newArray(shape...)
	each(shape, func(k int, p []int) { out.data[k] = f(a.read(p), b.read(p)) })
	return out
}

func (a array) apply(f func(x float64) float64) array {
	out := newArray(a.shape...)
	for i, x := range a.data {
		out.data[i] = f(x)
	}
	return out
}

// fold reduces along an axis, which becomes 1.
func (a array) fold(axis int, start float64, f func(sum, x float64) float64) array {
	if axis < 0 {
		axis += len(a.shape)
	}
	shape := slices.Clone(a.shape)
	shape[axis] = 1
	out := newArray(shape...)
	for i := range out.data {
		out.data[i] = start
	}
	strides := out.strides()
	each(a.shape, func(k int, p []int) {
		i := 0
		for x, s := range strides {
			i += s * p[x]
		}
		out.data[i] = f(out.data[i], a.data[k])
	})
	return out
}

func (a array) sum(axis int) array {
	return a.fold(axis, 0, func(s, x float64) float64 { return s + x })
}

func (a array) transpose(perm []int) array {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = a.shape[p]
	}
	out := newArray(shape...)
	from := make([]int, len(perm))
	each(shape, func(k int, p []int) {
		for i, q := range perm {
			from[q] = p[i]
		}
		out.data[k] = a.read(from)
	})
	return out
}

func (a array) swapped() array {
	perm := axesOf(a.shape)
	n := len(perm)
	perm[n-1], perm[n-2] = n-2, n-1
	return a.transpose(perm)
}

func product(a, b array) array {
	n, m := len(a.shape), len(b.shape)
	lead, ok := broadcast(a.shape[:n-2], b.shape[:m-2])
	if !ok || a.shape[n-1] != b.shape[m-2] {
		panic(fmt.Sprintf("product of %v and %v", a.shape, b.shape))
	}
	out := newArray(append(lead, a.shape[n-2], b.shape[m-1])...)
	last := len(out.shape) - 1
	each(out.shape, func(k int, p []int) {
		i, j := p[last-1], p[last]
		for x := range a.shape[n-1] {
			p[last] = x
			v := a.read(p)
			p[last-1], p[last] = x, j
			out.data[k] += v * b.read(p)
			p[last-1], p[last] = i, j
		}
	})
	return out
}

func softmax(a array, axis int) array {
	top := a.fold(axis, math.Inf(-1), math.Max)
	e := zip(func(x, t float64) float64 { return math.Exp(x - t) }, a, top)
	return zip(func(x, s float64) float64 { return x / s }, e, e.sum(axis))
}

func (a array) mean(axis int) array {
	s := a.sum(axis)
	n := float64(len(a.data) / len(s.data))
	return s.apply(func(x float64) float64 { return x / n })
}

func layerNorm(in []array, eps float64) array {
	d := zip(minus, in[0], in[0].mean(-1))
	v := zip(times, d, d).mean(-1)
	n := zip(func(x, v float64) float64 { return x / math.Sqrt(v+eps) }, d, v)
	return zip(plus, zip(times, n, in[1]), in[2])
}

func plus(x, y float64) float64  { return x + y }
func minus(x, y float64) float64 { return x - y }
func times(x, y float64) float64 { return x * y }
func over(x, y float64) float64  { return x / y }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var pairwise = map[string]func(x, y float64) float64{
	"Add": plus, "Sub": minus, "Mul": times, "Div": over,
	"Greater": func(x, y float64) float64 { return truth(x > y) },
	"Equal":   func(x, y float64) float64 { return truth(x == y) },
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

var single = map[string]func(x float64) float64{
	"Sigmoid": sigmoid, "Sqrt": math.Sqrt, "Exp": math.Exp, "Erf": math.Erf,
	"Relu":      func(x float64) float64 { return max(x, 0) },
	"Gelu":      func(x float64) float64 { return x * 0.5 * (1 + math.Erf(x/math.Sqrt2)) },
	"QuickGelu": func(x float64) float64 { return x * sigmoid(1.702*x) },
	"FastGelu":  func(x float64) float64 { return x * 0.5 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
	"Cast":      func(x float64) float64 { return x }, // between kinds that hold the same numbers here
}

// rotate turns neighbouring pairs of every head of x [B, n, W].
func rotate(x, cos, sin array) array {
	out := newArray(x.shape...)
	width, pairs := x.shape[2], cos.shape[1]
	for i := 0; i < len(x.data); i += 2 {
		at := i/width%x.shape[1]*pairs + i%width/2%pairs
		a, b, c, s := x.data[i], x.data[i+1], cos.data[at], sin.data[at]
		out.data[i], out.data[i+1] = a*c-b*s, b*c+a*s
	}
	return out
}

func operator(n *node, in []array) array {
	if f, ok := pairwise[n.op]; ok {
		return zip(f, in[0], in[1])
	}
	if f, ok := single[n.op]; ok {
		return in[0].apply(f)
	}
	switch n.op {
	case "Softmax":
		return softmax(in[0], n.int("axis", -1))
	case "ReduceMean":
		return in[0].mean(in[1].ints()[0])
	case "ReduceSum":
		return in[0].sum(in[1].ints()[0])
	case "ReduceL2":
		return in[0].apply(func(x float64) float64 { return x * x }).sum(in[1].ints()[0]).apply(math.Sqrt)
	case "LpNormalization":
		return zip(over, in[0], in[0].apply(func(x float64) float64 { return x * x }).sum(-1).apply(math.Sqrt))
	case "LayerNormalization":
		return layerNorm(in, float64(n.float("epsilon", 1e-5)))
	case "BatchNormalization":
		return batchNorm(in, float64(n.float("epsilon", 1e-5)))
	case "MatMul":
		return product(in[0], in[1])
	case "FusedMatMul":
		a, b := in[0], in[1]
		if n.int("transA", 0) == 1 {
			a = a.swapped()
		}
		if n.int("transB", 0) == 1 {
			b = b.swapped()
		}
		return product(a, b).apply(func(x float64) float64 { return float64(n.float("alpha", 1)) * x })
	case "RotaryEmbedding":
		return rotate(in[0], in[2], in[3])
	case "MultiHeadAttention":
		return multiHead(n, in)
	case "Reshape":
		return array{reshaped(in[0].shape, in[1].ints()), in[0].data}
	case "Expand":
		return zip(plus, in[0], newArray(in[1].ints()...))
	case "Shape":
		shape := in[0].shape[n.int("start", 0):n.int("end", len(in[0].shape))]
		out := newArray(len(shape))
		for i, d := range shape {
			out.data[i] = float64(d)
		}
		return out
	case "Transpose":
		return in[0].transpose(n.list("perm"))
	case "Concat":
		return concat(in, n.int("axis", 0))
	case "Slice":
		axis := in[3].ints()[0]
		from, to := int(in[1].data[0]), min(in[2].data[0], float64(in[0].shape[axis]))
		return padded(in[0], axis, -from, int(to)-in[0].shape[axis])
	case "Pad":
		pads := in[1].ints()
		out := in[0]
		for axis := range out.shape {
			out = padded(out, axis, pads[axis], pads[len(pads)/2+axis])
		}
		return out
	case "Gather":
		out := newArray(append(slices.Clone(in[1].shape), in[0].shape[1:]...)...)
		width := len(in[0].data) / in[0].shape[0]
		for i, row := range in[1].ints() {
			copy(out.data[i*width:], in[0].data[row*width:(row+1)*width])
		}
		return out
	case "EyeLike":
		out := newArray(in[0].shape...)
		for i := range out.shape[0] {
			out.data[i*out.shape[1]+i] = 1
		}
		return out
	case "Conv":
		return conv(n, in)
	case "ConvTranspose":
		return convTranspose(n, in)
	case "AveragePool":
		return avgPool(n.list("kernel_shape")[0], in[0])
	}
	panic("the interpreter has no " + n.op)
}

func reshaped(from, target []int) []int {
	out, unknown, n, total := slices.Clone(target), -1, 1, 1
	for i, d := range from {
		total *= d
		if i < len(out) && out[i] == 0 {
			out[i] = d
		}
	}
	for i, d := range out {
		if d == -1 {
			unknown = i
		} else {
			n *= d
		}
	}
	if unknown >= 0 {
		out[unknown] = total / n
		n *= out[unknown]
	}
	if n != total {
		panic(fmt.Sprintf("reshape of %v to %v", from, target))
	}
	return out
}

func concat(in []array, axis int) array {
	shape := slices.Clone(in[0].shape)
	shape[axis] = 0
	for _, a := range in {
		shape[axis] += a.shape[axis]
	}
	out, at := newArray(shape...), 0
	for _, a := range in {
		out = zip(plus, out, padded(a, axis, at, shape[axis]-at-a.shape[axis]))
		at += a.shape[axis]
	}
	return out
}

// padded puts zeros before and behind a along an axis, or takes away where these are negative.
func padded(a array, axis, before, behind int) array {
	shape := slices.Clone(a.shape)
	shape[axis] += before + behind
	out := newArray(shape...)
	each(shape, func(k int, p []int) {
		at := p[axis]
		if from := at - before; from >= 0 && from < a.shape[axis] {
			i := 0
			for x := range a.shape {
				v := p[x]
				if x == axis {
					v = from
				}
				i = i*a.shape[x] + v
			}
			out.data[k] = a.data[i]
		}
	})
	return out
}

func multiHead(n *node, in []array) array {
	heads := n.int("num_heads", 0)
	split := func(a array) array {
		s := a.shape
		return array{[]int{s[0], s[1], heads, s[2] / heads}, a.data}.transpose([]int{0, 2, 1, 3})
	}
	logits := product(split(in[0]),
		split(in[1]).swapped()).apply(func(x float64) float64 { return x * float64(n.float("scale", 0)) })
	if len(in) > 5 {
		logits = zip(plus, logits, in[5])
	}
	if n.int("unidirectional", 0) == 1 {
		each(logits.shape, func(k int, p []int) {
			if p[3] > p[2] {
				logits.data[k] = math.Inf(-1)
			}
		})
	}
	out := product(softmax(logits, -1), split(in[2])).transpose([]int{0, 2, 1, 3})
	return array{[]int{out.shape[0], out.shape[1], out.shape[2] * out.shape[3]}, out.data}
}

func batchNorm(in []array, eps float64) array {
	column := func(a array) array { return array{[]int{a.shape[0], 1, 1}, a.data} }
	d := zip(minus, in[0], column(in[3]))
	d = zip(func(x, v float64) float64 { return x / math.Sqrt(v+eps) }, d, column(in[4]))
	return zip(plus, zip(times, d, column(in[1])), column(in[2]))
}

func conv(n *node, in []array) array {
	x, w, stride, pad := in[0], in[1], n.list("strides")[0], n.list("pads")[0]
	k := w.shape[2]
	size := func(d int) int { return (d+2*pad-k)/stride + 1 }
	out := newArray(x.shape[0], w.shape[0], size(x.shape[2]), size(x.shape[3]))
	each(out.shape, func(i int, p []int) {
		each(w.shape[1:], func(_ int, q []int) {
			y, z := p[2]*stride+q[1]-pad, p[3]*stride+q[2]-pad
			if y >= 0 && y < x.shape[2] && z >= 0 && z < x.shape[3] {
				out.data[i] += w.read([]int{p[1], q[0], q[1], q[2]}) * x.data[((p[0]*x.shape[1]+q[0])*x.shape[2]+y)*x.shape[3]+z]
			}
		})
		if len(in) > 2 {
			out.data[i] += in[2].data[p[1]]
		}
	})
	return out
}

// convTranspose is without padding.
func convTranspose(n *node, in []array) array {
	x, w, stride, group := in[0], in[1], n.list("strides")[0], n.int("group", 1)
	k, inside := w.shape[2], x.shape[1]/group
	out := newArray(x.shape[0], w.shape[1]*group, (x.shape[2]-1)*stride+k, (x.shape[3]-1)*stride+k)
	each(x.shape, func(i int, p []int) {
		each(w.shape[1:], func(_ int, q []int) {
			c := p[1]/inside*w.shape[1] + q[0]
			at := ((p[0]*out.shape[1]+c)*out.shape[2]+p[2]*stride+q[1])*out.shape[3] + p[3]*stride + q[2]
			out.data[at] += x.data[i] * w.data[((p[1]*w.shape[1]+q[0])*k+q[1])*k+q[2]]
		})
	})
	return out
}

func avgPool(n int, x array) array {
	out := newArray(x.shape[0], x.shape[1], x.shape[2]/n, x.shape[3]/n)
	each(out.shape, func(k int, p []int) {
		for y := range n {
			for z := range n {
				out.data[k] += x.data[((p[0]*x.shape[1]+p[1])*x.shape[2]+p[2]*n+y)*x.shape[3]+p[3]*n+z] / float64(n*n)
			}
		}
	})
	return out
}
