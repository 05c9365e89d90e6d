package onnx

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// derivation is a graph with a score to differentiate. Inputs named x, y and z are what it is differentiated by.
type derivation struct {
	name   string
	inputs map[string][]int // sizes when it runs
	open   map[string][]string
	build  func(g *Graph, in func(name string) Value) Value
}

// random is a constant of the graph, of numbers that a seed gives.
func random(g *Graph, seed uint64, low, high float32, shape ...int) Value {
	r := rand.New(rand.NewPCG(seed, 1))
	d := tensor.New(shape...)
	for i := range d.Data {
		d.Data[i] = low + (high-low)*r.Float32()
	}
	return g.Const(fmt.Sprint("random", seed), d)
}

// derivations use every operator that has a rule, in all the ways that a rule tells apart: inputs that are broadcast,
// results that are read in part, axes along which a cotangent is constant, windows that leave a remainder.
var derivations = []derivation{
	{"sums", map[string][]int{"x": {2, 3, 4}, "y": {4}, "z": {3, 1}}, nil, func(g *Graph, in func(string) Value) Value {
		return g.Sub(g.Add(in("x"), in("y")), g.Add(in("z"), g.Mean(in("x"), 2)))
	}},
	{"factors", map[string][]int{"x": {2, 3, 4}, "y": {4}, "z": {2, 1, 4}}, nil,
		func(g *Graph, in func(string) Value) Value {
			return g.Div(g.Mul(in("x"), in("y")), g.Add(g.Mul(in("z"), in("z")), g.Scalar(1)))
		}},
	{"activations", map[string][]int{"x": {2, 3, 4}}, nil, func(g *Graph, in func(string) Value) Value {
		x := in("x")
		root := g.Sqrt(g.Add(g.Mul(x, x), g.Scalar(0.5)))
		sum := g.Add(g.Add(g.Relu(x), g.Sigmoid(x)), g.Add(g.Add(g.Gelu(x), g.QuickGelu(x)), root))
		return g.Add(sum, g.GeluTanh(x))
	}},
	{"rotations", map[string][]int{"x": {2, 3, 8}}, map[string][]string{"x": {"batch", "", ""}},
		func(g *Graph, in func(string) Value) Value {
			x := in("x")
			cos, sin := random(g, 1, -1, 1, 3, 2), random(g, 2, -1, 1, 3, 2)
			y := g.Rotate(g.Mul(x, x), cos, sin, 2)
			return g.Add(g.Mul(y, y), g.Mean(g.Rotate(x, cos, sin, 2), 1))
		}},
	{"norms", map[string][]int{"x": {2, 3, 6}}, nil, func(g *Graph, in func(string) Value) Value {
		x := g.Softmax(g.Softmax(in("x"), -1), 1)
		x = g.LayerNorm(x, random(g, 1, 0.5, 2, 6), random(g, 2, -1, 1, 6), 1e-3)
		return g.Add(g.L2Normalize(x), g.Add(g.Norm(x), g.Sum(g.Mean(x, 1), -1)))
	}},
	{"products", map[string][]int{"x": {2, 3, 4}, "y": {4, 5}, "z": {2, 2, 3, 4}}, nil,
		func(g *Graph, in func(string) Value) Value {
			x, z := in("x"), in("z")
			p := g.MatMul(x, in("y"))                                         // [2, 3, 5]
			p = g.Linear(p, random(g, 3, -1, 1, 6, 5), random(g, 4, 0, 1, 6)) // [2, 3, 6]
			q := g.MatMul(z, g.Transpose(x, 0, 2, 1))                         // [2, 2, 3, 3]
			p = g.Add(g.MatMul(q, p), g.MatMul(g.MatMul(z, in("y")), random(g, 9, -1, 1, 5, 6)))
			return g.Add(p, g.product(z, g.product(x, g.product(x, p, true, false, 2), false, false, 1), true, false,
				0.5).meanOverRows())
		}},
	{"products of means", map[string][]int{"x": {2, 3, 4}, "y": {2, 4, 5}}, nil,
		func(g *Graph, in func(string) Value) Value {
			x, y := in("x"), in("y")
			sum := g.Add(g.Mean(g.MatMul(x, y), 1), g.Mean(g.MatMul(x, y), 2)) // constant along rows, then along columns
			other := g.product(y, x, true, true, 1)
			sum = g.Add(sum, g.Add(g.Sum(g.Sum(other, 1), 2), g.Mean(g.product(x, y, false, false, 3), 1)))
			return g.Add(sum, g.Add(g.Mean(g.product(x, x, false, true, 1), 2), g.Sum(g.Mean(g.product(x, x, true, false, 1), 1),
				2)))
		}},
	{"moves", map[string][]int{"x": {2, 3, 4}, "y": {2, 1, 4}}, map[string][]string{"x": {"batch", "tokens", ""},
		"y": {"batch", "", ""}}, func(g *Graph, in func(string) Value) Value {
		x := g.Concat(1, in("y"), in("x"), in("y"))
		x = g.PadFront(g.Slice(x, 1, 1, End), 2, 3)
		n := x.Shape()[1]
		x = g.Transpose(g.Reshape(g.Slice(x, 2, 2, 6), x.Shape()[0], n, 2, 2), 0, 2, 1, 3)
		return g.Add(g.Mul(x, x), g.Slice(g.Mean(x, 2), 3, 1, 2))
	}},
	{"mean of a move", map[string][]int{"x": {2, 3, 4}}, map[string][]string{"x": {"batch", "tokens", ""}},
		func(g *Graph, in func(string) Value) Value {
			x := in("x")
			s := x.Shape()
			y := g.Mean(g.PadFront(x, 1, 1), 1)
			y = g.Add(y, g.Mean(g.Concat(1, g.Slice(x, 1, 0, 2), x), 1))
			y = g.Add(y, g.Slice(g.Mean(x, 1), 1, 0, 1))
			y = g.Add(y, g.Mean(g.Slice(x, 1, 1, 3), 1))
			z := g.Mean(g.Mean(g.Reshape(x, s[0], s[1], 2, 2), 2), 3)
			return g.Add(g.Mul(y, y), g.Reshape(z, s[0], s[1], 1))
		}},
	{"repeated", map[string][]int{"x": {2, 1, 4}}, nil, func(g *Graph, in func(string) Value) Value {
		return g.Slice(g.PadBack(g.Mul(g.Expand(in("x"), 2, 3, 4), random(g, 1, -1, 1, 3, 1)), 2, 1, 2), 1, 1, 4)
	}},
	{"rows", map[string][]int{"x": {5, 4}}, nil, func(g *Graph, in func(string) Value) Value {
		read := g.Gather(in("x"), g.Reshape(g.Ints(1, 3, 3, 0), 2, 2))
		over := g.Above(read, g.Scalar(0.1))
		return g.Add(g.Mul(read, over), g.Mean(read, 0))
	}},
	{"attention", map[string][]int{"x": {2, 3, 8}, "y": {2, 5, 8}, "z": {1, 2, 3, 5}},
		map[string][]string{"x": {"batch", "queries", ""}, "y": {"batch", "keys", ""}, "z": {"", "", "queries", "keys"}},
		func(g *Graph, in func(string) Value) Value {
			x, y := in("x"), in("y")
			w := func(i uint64, x Value) Value { return g.Linear(x, random(g, i, -1, 1, 8, 8), Value{}) }
			a := g.Attention(w(5, x), w(6, y), w(7, y), 2, 0.5, in("z"), false)
			a = g.Mul(a, g.Attention(g.Slice(x, 2, 0, 4), g.Slice(y, 2, 4, 8), y, 2, 0.5, Value{}, false))
			b := g.Attention(y, y, y, 4, 0.7, Value{}, false)
			return g.Add(a, g.Add(g.Mean(a, 1), g.Add(g.Mean(b, 1), g.Slice(b, 1, 0, 1))))
		}},
	{"a class row", map[string][]int{"x": {2, 5, 8}}, map[string][]string{"x": {"batch", "tokens", ""}},
		func(g *Graph, in func(string) Value) Value {
			x := in("x")
			w := func(i uint64, x Value) Value {
				return g.Linear(x, random(g, i, -1, 1, 8, 8), random(g, i+10, -1, 1, 8))
			}
			q := w(5, g.Slice(x, 1, 0, 1))
			k, v := w(6, x), w(7, x)
			one := g.MatMul(g.Softmax(g.product(q, k, false, true, 0.35), -1), v)
			return g.Add(g.Attention(q, k, v, 2, 0.5, Value{}, false), one)
		}},
	{"a caption's attention", map[string][]int{"x": {2, 5, 8}}, nil, func(g *Graph, in func(string) Value) Value {
		x := in("x")
		if g.standard {
			return g.Attention(x, x, x, 2, 0.5, g.future(5, 5), false)
		}
		return g.Attention(x, x, x, 2, 0.5, Value{}, true)
	}},
	{"convolutions", map[string][]int{"x": {2, 3, 9, 10}}, map[string][]string{"x": {"batch", "", "height", "width"}},
		func(g *Graph, in func(string) Value) Value {
			x := g.Conv(in("x"), random(g, 5, -1, 1, 4, 3, 3, 3), random(g, 6, -1, 1, 4), 2, 1)
			c := func(i uint64, low float32) Value { return random(g, i, low, 1, 4) }
			x = g.BatchNorm(g.Conv(x, random(g, 7, -1, 1, 4, 4, 3, 3), Value{}, 1, 1), c(8, -1), c(9, -1), c(10, -1), c(11, 0.2),
				1e-5)
			return g.AvgPool(x, 2)
		}},
	{"patches", map[string][]int{"x": {2, 3, 9, 10}}, map[string][]string{"x": {"batch", "", "height", "width"}},
		func(g *Graph, in func(string) Value) Value {
			return g.Mean(g.Mean(g.Conv(in("x"), random(g, 5, -1, 1, 4, 3, 4, 4), Value{}, 4, 0), 2), 3)
		}},
}

func (v Value) meanOverRows() Value { return v.g.Mean(v, len(v.Shape())-2) }

// made is a derivation in a graph: the score's value, and the gradients of two texts' scores, each the score times a
// seed.
type made struct {
	g         *Graph
	of, seed  Value
	names     []string
	gradients []Value
	inputs    map[string]array
}

func (d derivation) make(open bool, options ...Option) made {
	m := made{g: New(options...), inputs: map[string]array{}, names: slices.Sorted(maps.Keys(d.inputs))}
	r := rand.New(rand.NewPCG(7, 7))
	values := map[string]Value{}
	var by []Value
	for _, name := range m.names {
		shape := slices.Clone(d.inputs[name])
		m.inputs[name] = newArray(shape...)
		for i := range m.inputs[name].data {
			m.inputs[name].data[i] = 2*r.Float64() - 1
		}
		for i, symbol := range d.open[name] {
			if open && symbol != "" {
				shape[i] = m.g.Symbol(symbol)
			}
		}
		values[name] = m.g.Input(name, tensor.F32, shape...)
		by = append(by, values[name])
	}
	m.of = d.build(m.g, func(name string) Value { return values[name] })
	size := interpret(m.g, m.inputs, m.of)[0].shape
	texts, declared := 2, slices.Clone(m.of.Shape())
	if open {
		texts = m.g.Symbol("texts")
	}
	m.seed = m.g.Input("seed", tensor.F32, append([]int{texts}, declared...)...)
	m.inputs["seed"] = newArray(append([]int{2}, size...)...)
	for i := range m.inputs["seed"].data {
		m.inputs["seed"].data[i] = 2*r.Float64() - 1
	}
	m.gradients = m.g.Gradient([]Seed{{m.of, m.seed}}, by...)
	return m
}

// distance is the largest difference over the largest value.
func (a array) distance(b array) float64 {
	if !slices.Equal(a.shape, b.shape) {
		return math.Inf(1)
	}
	worst, top := 0.0, 1e-30
	for i := range a.data {
		d := math.Abs(a.data[i] - b.data[i])
		if !(d <= worst) {
			worst = d
		}
		top = max(top, math.Abs(a.data[i]))
	}
	return worst / top
}

// differences are the derivatives of every text's score by an input, from the score a little to the right and to the
// left.
func (m made) differences(name string) array {
	const h = 1e-5
	x := m.inputs[name]
	out := newArray(append([]int{m.inputs["seed"].shape[0]}, x.shape...)...)
	seed := m.inputs["seed"]
	for i, at := range x.data {
		x.data[i] = at + h
		right := interpret(m.g, m.inputs, m.of)[0]
		x.data[i] = at - h
		left := interpret(m.g, m.inputs, m.of)[0]
		x.data[i] = at
		for t := range out.shape[0] {
			for k := range right.data {
				out.data[t*len(x.data)+i] += seed.data[t*len(right.data)+k] * (right.data[k] - left.data[k]) / (2 * h)
			}
		}
	}
	return out
}

// Every rule against differences of the score in float64, in graphs of fixed and of open sizes, in fused and in
// standard operators.
func TestGradientIsTheLimitOfDifferences(t *testing.T) {
	used := map[string]bool{}
	for _, d := range derivations {
		for _, open := range []bool{false, true} {
			for name, options := range map[string][]Option{"fused": nil, "standard": {StandardOps}} {
				t.Run(fmt.Sprintf("%s, open %v, %s", d.name, open, name), func(t *testing.T) {
					m := d.make(open, options...)
					for _, n := range m.g.nodes {
						used[n.op] = true
					}
					got := interpret(m.g, m.inputs, m.gradients...)
					for i, name := range m.names {
						// Differences at 1e-5 err by some 1e-10 of the third derivative.
						if diff := m.differences(name).distance(got[i]); !(diff < 1e-7) {
							t.Errorf("the gradient by %s is %.2g from the differences", name, diff)
						}
					}
				})
			}
		}
	}
	for op := range rules {
		if !used[op] {
			t.Errorf("no derivation uses %s", op)
		}
	}
}

// ONNX Runtime computes what the interpreter does: the graphs are written as they are meant.
func TestGradientRuns(t *testing.T) {
	c, err := ort.Find()
	if err != nil {
		t.Skip("ONNX Runtime is not here (make setup): ", err)
	}
	lib, err := ort.Load(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range derivations {
		for _, open := range []bool{false, true} {
			for name, options := range map[string][]Option{"fused": nil, "standard": {StandardOps}} {
				t.Run(fmt.Sprintf("%s, open %v, %s", d.name, open, name), func(t *testing.T) {
					m := d.make(open, options...)
					want := interpret(m.g, m.inputs, m.gradients...)
					var in, out []ort.Value
					for _, name := range append(m.names, "seed") {
						in = append(in, m.inputs[name].float32s())
					}
					for i, v := range m.gradients {
						m.g.Output("by "+m.names[i], v)
						out = append(out, ort.Float32(want[i].shape, make([]float32, len(want[i].data))))
					}
					model, err := m.g.Model()
					if err != nil {
						t.Fatal(err)
					}
					s, err := lib.NewSession(d.name, model, ort.Options{})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					if err := s.Run(context.Background(), in, out); err != nil {
						t.Fatal(err)
					}
					for i, name := range m.names {
						got := newArray(out[i].Shape...)
						for k, v := range out[i].F32 {
							got.data[k] = float64(v)
						}
						if diff := want[i].distance(got); !(diff < 2e-6) {
							t.Errorf("the gradient by %s is %.2g from float64's", name, diff)
						}
					}
				})
			}
		}
	}
}

func (a array) float32s() ort.Value {
	data := make([]float32, len(a.data))
	for i, v := range a.data {
		data[i] = float32(v)
	}
	return ort.Float32(a.shape, data)
}

// A gradient is linear in its seeds: seeds at several values add up, and one text's gradient does not know of the
// others.
func TestGradientIsLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(derivations).Draw(t, "derivation")
		m := d.make(false)
		a, b := rapid.Float64Range(-2, 2).Draw(t, "a"), rapid.Float64Range(-2, 2).Draw(t, "b")
		both := interpret(m.g, m.inputs, m.gradients...)
		seed := m.inputs["seed"]
		half := len(seed.data) / 2
		for i := range half {
			seed.data[i] = a*seed.data[i] + b*seed.data[half+i]
		}
		mixed := interpret(m.g, m.inputs, m.gradients...)
		for i := range both {
			n := len(both[i].data) / 2
			want, got := newArray(n), newArray(n)
			for k := range n {
				want.data[k], got.data[k] = a*both[i].data[k]+b*both[i].data[n+k], mixed[i].data[k]
			}
			if diff := want.distance(got); diff > 1e-9 && math.Abs(a)+math.Abs(b) > 1e-3 {
				t.Fatalf("%s: %.2g from linear", d.name, diff)
			}
			if one, again := both[i].data[n:], mixed[i].data[n:]; !slices.Equal(one, again) {
				t.Fatalf("%s: the second text's gradient changes with the first one's seed", d.name)
			}
		}
	})
}

// The elements of a value as scores, in a graph of open size too: the gradient of each element by the value it is a
// multiple of.
func TestOneHot(t *testing.T) {
	for _, open := range []bool{false, true} {
		g := New()
		shape := []int{2, 1, 3}
		if open {
			shape = []int{g.Symbol("batch"), 1, g.Symbol("texts")}
		}
		x := g.Input("x", tensor.F32, shape...)
		y := g.Scale(x, 5)
		out := interpret(g, map[string]array{"x": newArray(2, 1, 3)}, g.Gradient([]Seed{g.OneHot(y)}, x)...)[0]
		want := []float64{5, 0, 0, 5, 0, 0, 0, 5, 0, 0, 5, 0, 0, 0, 5, 0, 0, 5}
		if !slices.Equal(out.data, want) {
			t.Errorf("open %v: %v, want %v", open, out.data, want)
		}
	}
}

// What no seed depends on has a gradient of zeros; what is seeded itself has its seed.
func TestGradientOfNothing(t *testing.T) {
	g := New()
	x, y := g.Input("x", tensor.F32, 2, 3), g.Input("y", tensor.F32, g.Symbol("batch"), 4)
	seed := g.Input("seed", tensor.F32, g.Symbol("texts"), 1, 3)
	in := map[string]array{"x": newArray(2, 3), "y": newArray(5, 4), "seed": {[]int{2, 1, 3}, []float64{1, 2, 3, 4, 5, 6}}}
	out := interpret(g, in, g.Gradient([]Seed{{x, seed}}, x, y)...)
	if want := []float64{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}; !slices.Equal(out[0].data, want) {
		t.Errorf("by itself: %v, want %v", out[0].data, want)
	}
	if !slices.Equal(out[1].shape, []int{2, 5, 4}) ||
		slices.ContainsFunc(out[1].data, func(v float64) bool { return v != 0 }) {
		t.Errorf("by what it does not depend on: %v", out[1])
	}
}

// Faults of whoever builds a graph.
func TestGradientFaults(t *testing.T) {
	for what, build := range map[string]func(g *Graph, x, n Value){
		"TopK":               func(g *Graph, x, n Value) { g.Gradient([]Seed{g.OneHot(g.Largest(x, n, "most"))}, x) },
		"a seed of few axes": func(g *Graph, x, n Value) { g.Gradient([]Seed{{x, x}}, x) },
		"weights of LayerNorm": func(g *Graph, x, n Value) {
			w := g.Input("w", tensor.F32, 3)
			g.Gradient([]Seed{g.OneHot(g.LayerNorm(x, w, w, 1e-5))}, w)
		},
	} {
		g := New()
		x, n := g.Input("x", tensor.F32, 2, 3), g.Ints(2)
		if !panics(func() { build(g, x, n) }) {
			t.Errorf("%s is accepted", what)
		}
	}
}
