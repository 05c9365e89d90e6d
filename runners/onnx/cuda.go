package onnx

import (
	"slices"

	"ovbench/runners/tensor"
)

// operands is what linear layers and attention take.
type operands uint8

const (
	asTheyAre operands = iota
	half
	rounded
)

// operand is x as a product takes it.
func (g *Graph) operand(x Value) Value {
	switch {
	case !x.Present() || x.DType() != tensor.F32:
		return x
	case g.operands == half:
		if from, ok := g.widened(x); ok && from.DType() == tensor.F16 {
			return from
		}
		return g.Cast(x, tensor.F16)
	case g.operands == rounded:
		return g.Cast(g.Cast(x, tensor.F16), tensor.F32)
	}
	return x
}

// widened is the value of two bytes that x is a float32 copy of, as weights are that lie so in their file.
func (g *Graph) widened(x Value) (from Value, ok bool) {
	if g.at(x).node < 0 {
		return Value{}, false
	}
	n := g.nodes[g.at(x).node]
	if n.op != "Cast" {
		return Value{}, false
	}
	from = Value{g, n.in[0]}
	return from, from.DType() == tensor.F16 || from.DType() == tensor.BF16
}

// extreme is the largest or smallest element along an axis.
func (g *Graph) extreme(op string, x Value, axis int) Value {
	if !g.noCuDNN {
		return g.reduce(op, x, axis)
	}
	axis = g.axis(op, x, axis)
	perm := make([]int, len(x.Shape()))
	for i := range perm {
		perm[i] = i
	}
	end := len(perm) - 1
	perm[axis], perm[end] = end, axis // its own inverse
	largest := 0
	if op == "ReduceMax" {
		largest = 1
	}
	one := g.top(g.Transpose(x, perm...), g.Ints(1), "first", largest)
	shape := slices.Clone(one.Shape())
	shape[end] = 1
	return g.Transpose(g.Reshape(one, shape...), perm...)
}

// whole leaves out what is beyond the last whole window of an axis of known size.
func (g *Graph) whole(x Value, axis, side int) Value {
	if n := x.Shape()[axis]; n >= 0 && n%side != 0 {
		return g.Slice(x, axis, 0, n/side*side)
	}
	return x
}

// patches is a convolution of windows that touch, as a matrix product with each window's numbers in a row.
func (g *Graph) patches(x, weight, bias Value, side int) Value {
	s, w := x.Shape(), weight.Shape()
	rows, cols := g.strided(s[2], side, side, 0), g.strided(s[3], side, side, 0)
	x = g.whole(g.whole(x, 2, side), 3, side)
	x = g.Reshape(x, s[0], s[1], x.Shape()[2], cols, side)
	x = g.Reshape(g.Transpose(x, 0, 3, 4, 1, 2), s[0], cols, side, s[1], rows, side) // [B, cols, x, C, rows, y]
	x = g.Reshape(g.Transpose(x, 0, 4, 1, 3, 5, 2), s[0], rows, cols, s[1]*side*side)
	y := g.Linear(x, g.Reshape(weight, w[0], w[1]*side*side), bias)
	return g.Transpose(y, 0, 3, 1, 2)
}
