package onnx

import (
	"fmt"
	"slices"

	"ovbench/runners/tensor"
)

// The derivatives of operators that move elements, and those of a ResNet's windows.

// reshapeRule reshapes back. Axes before and behind those that change may be 1 in the cotangent.
func reshapeRule(s step, c Value) []Value {
	return s.only(func() Value {
		from, to := s.in(0).Shape(), s.out().Shape()
		front := 0
		for front < min(len(from), len(to)) && from[front] == to[front] {
			front++
		}
		back := 0
		for back < min(len(from), len(to))-front && from[len(from)-1-back] == to[len(to)-1-back] {
			back++
		}
		c = s.spread(c, to, axesOf(to)[front:len(to)-back]...)
		cs := c.Shape()
		return s.g.reshape(c, slices.Concat(cs[:1+front], from[front:len(from)-back], cs[len(cs)-back:]))
	})
}

func transposeRule(s step, c Value) []Value {
	return s.only(func() Value {
		perm := s.n.list("perm")
		inverse := make([]int, 1+len(perm))
		for i, p := range perm {
			inverse[1+p] = 1 + i
		}
		return s.g.Transpose(c, inverse...)
	})
}

// cut is the part [from, to) of a cotangent of a value of the given shape along its axis. One that is the same along it
// stays.
func (s step) cut(c Value, shape []int, axis int, from, behind Value, size int) Value {
	if c.Shape()[1+axis] != shape[axis] {
		return c
	}
	g := s.g
	return g.pad(c, 1+axis, g.minus(g.Ints(0), from), g.minus(g.Ints(0), behind), size)
}

func concatRule(s step, c Value) []Value {
	g, axis, shape := s.g, s.axisOf(0), s.out().Shape()
	out := make([]Value, len(s.n.in))
	for i := range out {
		if !s.wants(i) {
			continue
		}
		before, behind := g.Ints(0), g.Ints(0)
		for k := range out {
			n := g.extent(s.in(k).Shape()[axis])
			if k < i {
				before = g.plusInts(before, n)
			} else if k > i {
				behind = g.plusInts(behind, n)
			}
		}
		out[i] = s.cut(c, shape, axis, before, behind, s.in(i).Shape()[axis])
	}
	return out
}

func (g *Graph) plusInts(a, b Value) Value { return g.minus(a, g.minus(g.Ints(0), b)) }

// sliceRule puts zeros where the slice took nothing from.
func sliceRule(s step, c Value) []Value {
	return s.only(func() Value {
		g := s.g
		from, to, axis := g.elements(s.in(1))[0], g.elements(s.in(2))[0], g.elements(s.in(3))[0]
		size := s.in(0).Shape()[axis]
		behind := g.Ints(0)
		if to != End {
			behind = g.minus(g.extent(size), g.Ints(int64(to)))
		}
		c = s.spread(c, s.out().Shape(), axis)
		return g.pad(c, 1+axis, g.Ints(int64(from)), behind, size)
	})
}

// padRule cuts the zeros off.
func padRule(s step, c Value) []Value {
	return s.only(func() Value {
		g, shape := s.g, s.in(0).Shape()
		pads := g.elements(s.in(1))
		for axis, d := range shape {
			if pads[axis] != 0 || pads[len(shape)+axis] != 0 {
				c = s.cut(c, s.out().Shape(), axis, g.Ints(int64(pads[axis])), g.Ints(int64(pads[len(shape)+axis])), d)
			}
		}
		return c
	})
}

// expandRule sums over what was repeated.
func expandRule(s step, c Value) []Value {
	return s.only(func() Value { return s.fold(c, s.out().Shape(), s.in(0).Shape()) })
}

// gatherRule adds every row's cotangent to where the row was read. The table has a fixed number of rows.
func gatherRule(s step, c Value) []Value {
	return s.only(func() Value {
		g, table, indices := s.g, s.in(0).Shape(), s.in(1)
		rows := make([]int64, table[0])
		for i := range rows {
			rows[i] = int64(i)
		}
		c = s.spread(c, s.out().Shape(), axesOf(s.out().Shape())...)
		n, width := g.times(indices.Shape()...), g.times(table[1:]...)
		flat := g.reshape(c, []int{c.Shape()[0], n, width})
		read := g.reshape(indices, []int{1, n})
		hits := g.node("Equal", []Value{g.Reshape(g.Ints(rows...), table[0], 1), read}, tensor.Bool, []int{table[0], n})
		sum := g.MatMul(g.Cast(hits, tensor.F32), flat)
		return g.reshape(sum, append([]int{c.Shape()[0]}, table...))
	})
}

// convRule is the transposed convolution with the same weight.
func convRule(s step, c Value) []Value {
	if s.wants(1) {
		panic("onnx: no derivative by the weights of a Conv")
	}
	return s.only(func() Value {
		return s.windows(c, s.in(1), s.n.list("strides")[0], s.n.list("pads")[0], 1)
	})
}

// avgPoolRule shares a cotangent out over its window.
func avgPoolRule(s step, c Value) []Value {
	return s.only(func() Value {
		n, channels := s.n.list("kernel_shape")[0], s.in(0).Shape()[1]
		w := tensor.New(channels, 1, n, n)
		for i := range w.Data {
			w.Data[i] = 1 / float32(n*n)
		}
		return s.windows(c, s.g.Const("mean", w), n, 0, channels)
	})
}

// windows adds up what windows of step stride gave: the cotangent of input 0, from that of the result. weight is
// [channels of the result, channels of the input / group, k, k].
//
// The transposed convolution is one without padding; then the padding is cut off, and what no window reached at the
// right and at the bottom is zero.
func (s step) windows(c, weight Value, stride, pad, group int) Value {
	g, from, to := s.g, s.in(0).Shape(), s.out().Shape()
	c = s.spread(c, to, 0, 1, 2, 3)
	texts := c.Shape()[0]
	batch := g.times(texts, to[0])
	c = g.reshape(c, append([]int{batch}, to[1:]...))
	k := weight.Shape()[2]
	covered := func(d int) int { // pixels under d windows
		if d >= 0 {
			return (d-1)*stride + k
		}
		return g.Symbol(fmt.Sprintf("%d*(%s-1)+%d", stride, g.symbols[-1-d], k))
	}
	attrs := []attr{intsAttr("kernel_shape", k, k), intsAttr("strides", stride, stride)}
	if group != 1 {
		attrs = append(attrs, intAttr("group", group))
	}
	x := g.node("ConvTranspose", []Value{c, weight}, c.DType(), []int{batch, from[1], covered(to[2]), covered(to[3])},
		attrs...)
	for axis := 2; axis < 4; axis++ {
		under := g.extentOf(x, axis)
		behind := g.minus(g.plusInts(g.extent(from[axis]), g.Ints(int64(pad))), under)
		x = g.pad(x, axis, g.Ints(int64(-pad)), behind, from[axis])
	}
	return g.reshape(x, append([]int{texts}, from...))
}

// pad puts before and behind zeros around x along axis, numbers of them as int64 [1], and cuts where they are negative.
// size is what the axis becomes.
func (g *Graph) pad(x Value, axis int, before, behind Value, size int) Value {
	if g.isZero(before) && g.isZero(behind) {
		return x
	}
	n := len(x.Shape())
	parts := make([]Value, 2*n)
	for i := range parts {
		parts[i] = g.Ints(0)
	}
	parts[axis], parts[n+axis] = before, behind
	shape := slices.Clone(x.Shape())
	shape[axis] = size
	return g.node("Pad", []Value{x, g.joined(parts)}, x.DType(), shape)
}

func (g *Graph) isZero(v Value) bool { return v == g.Ints(0) }

// joined are int64 vectors behind one another, a constant if all are.
func (g *Graph) joined(parts []Value) Value {
	var all []int64
	n := 0
	for _, p := range parts {
		n += p.Shape()[0]
		if l := g.at(p).leaf; l != nil {
			for _, i := range g.elements(p) {
				all = append(all, int64(i))
			}
		}
	}
	if len(all) == n {
		return g.Ints(all...)
	}
	return g.node("Concat", parts, tensor.I64, []int{n}, intAttr("axis", 0))
}

// minus is a - b of int64 vectors, a constant if both are.
func (g *Graph) minus(a, b Value) Value {
	if g.at(a).leaf == nil || g.at(b).leaf == nil {
		return g.Sub(a, b)
	}
	x, y := g.elements(a), g.elements(b)
	out := make([]int64, len(x))
	for i := range x {
		out[i] = int64(x[i] - y[i])
	}
	return g.Ints(out...)
}
