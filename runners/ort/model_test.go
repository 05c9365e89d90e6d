package ort

import (
	"encoding/binary"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The functions of this file write ONNX models by hand, so that the tests need no other package to make
// theirs. Field numbers are those of onnx.proto.

type message []byte

func (m message) bytes(n protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), b)
}

func (m message) str(n protowire.Number, s string) message { return m.bytes(n, []byte(s)) }

func (m message) int(n protowire.Number, i int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), uint64(i))
}

const (
	elemFloat = 1
	elemInt64 = 7
	elemBool  = 9
)

// port is a ValueInfoProto; dims are ints or symbols. No dims make a scalar, a single nil leaves the shape open.
func port(name string, elem int64, dims ...any) message {
	var shape message
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape = shape.bytes(1, message{}.int(1, int64(d)))
		case string:
			shape = shape.bytes(1, message{}.str(2, d))
		}
	}
	tensor := message{}.int(1, elem)
	if len(dims) == 0 || dims[0] != nil {
		tensor = tensor.bytes(2, shape)
	}
	return message{}.str(1, name).bytes(2, message{}.bytes(1, tensor))
}

// node is a NodeProto; extra are its attributes.
func node(op string, in, out []string, extra ...message) message {
	var m message
	for _, s := range in {
		m = m.str(1, s)
	}
	for _, s := range out {
		m = m.str(2, s)
	}
	m = m.str(4, op)
	for _, a := range extra {
		m = m.bytes(5, a)
	}
	return m
}

// subgraph is an AttributeProto that holds a graph.
func subgraph(name string, g message) message {
	return message{}.str(1, name).bytes(6, g).int(20, 5)
}

// constant is a TensorProto of float32.
func constant(name string, shape []int, data ...float32) message {
	var raw []byte
	for _, x := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return initializer(name, elemFloat, shape).bytes(9, raw)
}

// external is a TensorProto of float32 whose bytes lie elsewhere.
func external(name string, shape []int, location string, offset, length int) message {
	entry := func(k, v string) message { return message{}.str(1, k).str(2, v) }
	return initializer(name, elemFloat, shape).
		bytes(13, entry("location", location)).
		bytes(13, entry("offset", strconv.Itoa(offset))).
		bytes(13, entry("length", strconv.Itoa(length))).
		int(14, 1)
}

func initializer(name string, elem int64, shape []int) message {
	var m message
	for _, d := range shape {
		m = m.int(1, int64(d))
	}
	return m.int(2, elem).str(8, name)
}

type graph struct {
	nodes, initializers, inputs, outputs []message
}

func (g graph) message() message {
	var m message
	for _, n := range g.nodes {
		m = m.bytes(1, n)
	}
	m = m.str(2, "test")
	for _, n := range g.initializers {
		m = m.bytes(5, n)
	}
	for _, n := range g.inputs {
		m = m.bytes(11, n)
	}
	for _, n := range g.outputs {
		m = m.bytes(12, n)
	}
	return m
}

// model is the ModelProto: IR version 8, operator set 17.
func (g graph) model() []byte {
	return message{}.int(1, 8).str(2, "ovbench").bytes(7, g.message()).bytes(8, message{}.int(2, 17))
}

// sum is c = a + b for a [batch, 3], b [batch, 3].
func sum() graph {
	return graph{
		nodes:   []message{node("Add", []string{"a", "b"}, []string{"c"})},
		inputs:  []message{port("a", elemFloat, "batch", 3), port("b", elemFloat, "batch", 3)},
		outputs: []message{port("c", elemFloat, "batch", 3)},
	}
}

// count is y = x + n, computed one by one in a loop of n turns.
func count() graph {
	body := graph{
		nodes: []message{
			node("Identity", []string{"go"}, []string{"on"}),
			node("Add", []string{"before", "one"}, []string{"after"}),
		},
		initializers: []message{constant("one", []int{1}, 1)},
		inputs:       []message{port("turn", elemInt64), port("go", elemBool), port("before", elemFloat, 1)},
		outputs:      []message{port("on", elemBool), port("after", elemFloat, 1)},
	}
	return graph{
		nodes:   []message{node("Loop", []string{"n", "", "x"}, []string{"y"}, subgraph("body", body.message()))},
		inputs:  []message{port("n", elemInt64, 1), port("x", elemFloat, 1)},
		outputs: []message{port("y", elemFloat, 1)},
	}
}

// late is y = x + 0*(m@m@…@m), which has a run read x last, after products that take a while.
func late(products int) graph {
	g := graph{
		initializers: []message{constant("zero", []int{1}, 0)},
		inputs:       []message{port("x", elemFloat, "n"), port("m", elemFloat, "k", "k")},
		outputs:      []message{port("y", elemFloat, "n")},
	}
	before := "m"
	for i := range products {
		after := "p" + strconv.Itoa(i)
		g.nodes = append(g.nodes, node("MatMul", []string{before, "m"}, []string{after}))
		before = after
	}
	g.nodes = append(g.nodes,
		node("ReduceMean", []string{before}, []string{"mean"}, message{}.str(1, "keepdims").int(3, 0).int(20, 2)),
		node("Mul", []string{"mean", "zero"}, []string{"nothing"}),
		node("Add", []string{"x", "nothing"}, []string{"y"}))
	return g
}
