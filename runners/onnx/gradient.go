package onnx

import (
	"fmt"
	"slices"

	"ovbench/runners/tensor"
)

// Seed is where differentiation starts: the cotangents of a value, one for each text.
//
// A score of text t that is linear in Of with the coefficients c_t has them as its seed: that of the cosine with text t
// is the text itself, where Of is the normalised embedding. [Graph.OneHot] are the seeds of a value's own elements.
type Seed struct {
	Of Value
	// Cotangent is [T, Of's shape…]. Any axis may be 1 instead, for cotangents that are the same along it.
	Cotangent Value
}

// Gradient adds the reverse-mode derivatives of the scores that the seeds describe to the graph: for each value in by,
// of shape [T, its shape…], the gradient of every text's score. T texts share all forward values, which are nodes of
// the graph already, and differ in their cotangents, which carry the leading axis. A value that no seed depends on has
// a gradient of zeros.
//
// Images of a batch are differentiated side by side, each by its own score, as long as no operator between seeds and by
// mixes them. Sizes may be symbols. An operator on the way that has no derivative here panics; see rules.
//
// Note: a cotangent keeps an axis of 1 for as long as it is the same along that axis, so the mean over tokens passes a
// linear layer once and not once a token. What is returned is spread out: only the inside knows of it.
func (g *Graph) Gradient(seeds []Seed, by ...Value) []Value {
	b := &backward{g: g, depends: g.dependents(by), cotangents: map[int32]Value{}}
	for _, s := range seeds {
		if shape := s.Of.Shape(); len(s.Cotangent.Shape()) != 1+len(shape) {
			g.fault("Seed", s.Of, s.Cotangent)
		}
		b.add(s.Of, s.Cotangent)
	}
	for i := len(g.nodes) - 1; i >= 0; i-- { // users come behind what they use; nodes added on the way use no cotangent
		n := g.nodes[i] // a copy: rules add nodes
		c, reached := b.cotangents[n.out[0]]
		if !reached || !b.depends[n.out[0]] {
			continue
		}
		rule, known := rules[n.op]
		if !known {
			panic("onnx: " + n.op + " has no derivative")
		}
		for k, x := range rule(step{b, &n}, c) {
			if x.Present() {
				b.add(Value{g, n.in[k]}, x)
			}
		}
	}
	out := make([]Value, len(by))
	for i, v := range by {
		c, reached := b.cotangents[v.id]
		if !reached {
			c = g.expand(g.Scalar(0), append([]int{seeds[0].Cotangent.Shape()[0]}, ones(len(v.Shape()))...))
		}
		out[i] = b.spread(c, v.Shape(), axesOf(v.Shape())...)
	}
	return out
}

// OneHot is the seed of the elements of x along its last axis, each as one score: the identity [T, 1…, T].
func (g *Graph) OneHot(x Value) Seed {
	s := x.Shape()
	n := last(s)
	row := x // of n elements, to see how many there are
	for range len(s) - 1 {
		row = g.drop(g.Slice(row, 0, 0, 1), 0)
	}
	row = g.Reshape(row, n, 1)
	square := g.Add(row, g.Transpose(row, 1, 0))
	eye := g.node("EyeLike", []Value{square}, x.DType(), square.Shape())
	return Seed{x, g.Reshape(eye, slices.Concat([]int{n}, ones(len(s)-1), []int{n})...)}
}

// dependents marks the values that are computed from one of roots, and these themselves.
func (g *Graph) dependents(roots []Value) []bool {
	out := make([]bool, len(g.values))
	for _, v := range roots {
		g.at(v)
		out[v.id] = true
	}
	for _, n := range g.nodes {
		if slices.ContainsFunc(n.in, func(id int32) bool { return out[id] }) {
			for _, id := range n.out {
				out[id] = true
			}
		}
	}
	return out
}

// backward is one differentiation.
type backward struct {
	g          *Graph
	depends    []bool // by value: on what is differentiated by
	cotangents map[int32]Value
}

// add accumulates a cotangent of v.
func (b *backward) add(v, c Value) {
	if old, ok := b.cotangents[v.id]; ok {
		c = b.g.Add(old, c)
	}
	b.cotangents[v.id] = c
}

// step is one node under differentiation.
type step struct {
	*backward
	n *node
}

// rule gives the cotangents of a node's inputs, absent ones for inputs that need none, from that of its result. The
// cotangent is [T, …] and may be 1 along axes where the result is not.
type rule func(s step, c Value) []Value

func (s step) in(i int) Value { return Value{s.g, s.n.in[i]} }
func (s step) out() Value     { return Value{s.g, s.n.out[0]} }

// wants reports whether input i needs a cotangent.
func (s step) wants(i int) bool { return s.n.in[i] != 0 && s.depends[s.n.in[i]] }

// only is the cotangent of input 0 alone.
func (s step) only(c func() Value) []Value {
	if !s.wants(0) {
		return nil
	}
	return []Value{c()}
}

// int is an integer attribute, or the default.
func (n *node) int(name string, def int) int {
	for _, a := range n.attrs {
		if a.name == name {
			return int(a.i)
		}
	}
	return def
}

func (n *node) float(name string, def float32) float32 {
	for _, a := range n.attrs {
		if a.name == name {
			return a.f
		}
	}
	return def
}

func (n *node) list(name string) []int {
	var out []int
	for _, a := range n.attrs {
		if a.name == name {
			for _, i := range a.ints {
				out = append(out, int(i))
			}
		}
	}
	return out
}

// elements are those of a constant that [Graph.Ints] made.
func (g *Graph) elements(v Value) []int {
	l := g.at(v).leaf
	if l == nil || l.raw == nil || v.DType() != tensor.I64 {
		panic("onnx: no derivative where sizes are computed")
	}
	out := make([]int, len(l.raw)/8)
	for i := range out {
		out[i] = int(int64(le.Uint64(l.raw[8*i:])))
	}
	return out
}

// spread makes a cotangent c of a value of the given shape as long as the value along axes, which count from 0 without
// the leading axis of texts.
func (b *backward) spread(c Value, shape []int, axes ...int) Value {
	target := ones(1 + len(shape))
	for _, a := range axes {
		if c.Shape()[1+a] != shape[a] {
			target[1+a] = shape[a]
		}
	}
	return b.g.expand(c, target)
}

// fold sums a cotangent c of a value of shape from over the axes along which a value of shape to was broadcast: it is a
// cotangent of the latter.
func (b *backward) fold(c Value, from, to []int) Value {
	g := b.g
	more := len(from) - len(to)
	for a, d := range from {
		if d == 1 || a >= more && to[a-more] != 1 {
			continue
		}
		if c.Shape()[1+a] == 1 {
			c = g.Mul(c, g.count(d))
		} else {
			c = g.Sum(c, 1+a)
		}
	}
	for range more {
		c = g.drop(c, 1)
	}
	return c
}

// axesOf are all axes of a shape.
func axesOf(shape []int) []int {
	out := make([]int, len(shape))
	for i := range out {
		out[i] = i
	}
	return out
}

func ones(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

// drop takes away an axis of 1.
func (g *Graph) drop(x Value, axis int) Value {
	return g.Reshape(x, slices.Delete(slices.Clone(x.Shape()), axis, axis+1)...)
}

// extent is a dimension as an int64 of shape [1]: a constant, or what the first value that has the symbol tells when
// the graph runs. A symbol that nothing has is -1, to be inferred.
func (g *Graph) extent(d int) Value {
	if d >= 0 {
		return g.Ints(int64(d))
	}
	for id, v := range g.values {
		axis := slices.Index(v.shape, d)
		if axis >= 0 && (v.node < 0 || g.nodes[v.node].out[0] == int32(id)) {
			return g.extentOf(Value{g, int32(id)}, axis)
		}
	}
	return g.Ints(-1)
}

// extentOf is the size of x along axis as an int64 of shape [1].
func (g *Graph) extentOf(x Value, axis int) Value {
	if d := x.Shape()[axis]; d >= 0 {
		return g.Ints(int64(d))
	}
	return g.node("Shape", []Value{x}, tensor.I64, []int{1}, intAttr("start", axis), intAttr("end", axis+1))
}

// extents is a shape as an int64 vector.
func (g *Graph) extents(shape []int) Value {
	parts := make([]Value, len(shape))
	for i, d := range shape {
		parts[i] = g.extent(d)
	}
	return g.joined(parts)
}

// count is a dimension as a float32 of no dimensions or one.
func (g *Graph) count(d int) Value {
	if d >= 0 {
		return g.Scalar(float32(d))
	}
	return g.Cast(g.extent(d), tensor.F32)
}

// expand repeats x along the axes where target is not 1.
func (g *Graph) expand(x Value, target []int) Value {
	shape, ok := broadcast(x.Shape(), target)
	if !ok {
		panic(fmt.Sprintf("onnx: Expand %s to %s", g.dims(x.Shape()), g.dims(target)))
	}
	if slices.Equal(shape, x.Shape()) {
		return x
	}
	return g.node("Expand", []Value{x, g.extents(target)}, x.DType(), shape)
}

// reshape is Reshape to a shape of which more than one dimension may have to be told when the graph runs.
func (g *Graph) reshape(x Value, shape []int) Value {
	if slices.Equal(x.Shape(), shape) || g.reshapable(x.Shape(), shape) {
		return g.Reshape(x, shape...)
	}
	return g.node("Reshape", []Value{x, g.extents(shape)}, x.DType(), shape)
}

// times is the product of dimensions: a number, or a symbol.
func (g *Graph) times(dims ...int) int {
	n, name := 1, ""
	for _, d := range dims {
		if d >= 0 {
			n *= d
		} else if name == "" {
			name = g.symbols[-1-d]
		} else {
			name += "*" + g.symbols[-1-d]
		}
	}
	if name == "" {
		return n
	}
	if n != 1 {
		name = fmt.Sprintf("%d*%s", n, name)
	}
	return g.Symbol(name)
}

// product is alpha a b, or with one of them transposed in its last two axes.
func (g *Graph) product(a, b Value, transA, transB bool, alpha float32) Value {
	if !transA && !transB && alpha == 1 {
		return g.MatMul(a, b)
	}
	swapped := func(x Value) Value {
		perm := axesOf(x.Shape())
		n := len(perm)
		perm[n-1], perm[n-2] = n-2, n-1
		return g.Transpose(x, perm...)
	}
	as, bs := slices.Clone(a.Shape()), slices.Clone(b.Shape())
	if g.standard {
		if transA {
			a = swapped(a)
		}
		if transB {
			b = swapped(b)
		}
		return g.Scale(g.MatMul(a, b), alpha)
	}
	if n := len(as); transA {
		as[n-1], as[n-2] = as[n-2], as[n-1]
	}
	if n := len(bs); transB {
		bs[n-1], bs[n-2] = bs[n-2], bs[n-1]
	}
	lead, ok := broadcast(as[:len(as)-2], bs[:len(bs)-2])
	if !ok || last(as) != bs[len(bs)-2] {
		g.fault("FusedMatMul", a, b)
	}
	var attrs []attr
	if transA {
		attrs = append(attrs, intAttr("transA", 1))
	}
	if transB {
		attrs = append(attrs, intAttr("transB", 1))
	}
	if alpha != 1 {
		attrs = append(attrs, floatAttr("alpha", alpha))
	}
	return g.nodeIn("com.microsoft", "FusedMatMul", []Value{a, b}, a.DType(), append(lead, as[len(as)-2], last(bs)),
		attrs...)
}
