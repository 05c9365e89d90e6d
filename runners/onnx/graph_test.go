package onnx

import (
	"bytes"
	"strings"
	"testing"

	"ovbench/runners/tensor"
)

// block is a little of everything: two linear layers that share their input, attention, an activation.
func block(g *Graph) Value {
	w := func(name string, offset int64) Value {
		return g.Weight(name, tensor.Ref{Path: "/dev/null", Offset: offset, Length: 8 * 8 * 4, DType: tensor.F32,
			Shape: []int{8, 8}})
	}
	x := g.Input("x", tensor.F32, g.Symbol("batch"), 5, 8)
	q, k := g.Linear(x, w("q", 0), Value{}), g.Linear(x, w("k", 256), Value{})
	return g.QuickGelu(g.Attention(q, k, q, 2, 0.5, Value{}, false))
}

func TestHashConsing(t *testing.T) {
	g := New()
	x := g.Input("x", tensor.F32, 2, 3)
	y := g.Input("y", tensor.F32, 2, 3)
	first, again := g.Add(x, y), g.Add(x, y)
	if first != again {
		t.Error("the same addition twice is two values")
	}
	if g.Add(x, y) == g.Add(y, x) || g.Add(x, y) == g.Sub(x, y) {
		t.Error("different operations are one value")
	}
	if g.Softmax(x, 0) == g.Softmax(x, 1) {
		t.Error("attributes are not told apart")
	}
	ref := tensor.Ref{Path: "a", Length: 24, DType: tensor.F32, Shape: []int{2, 3}}
	other := ref
	other.Offset = 24
	if g.Weight("a", ref) != g.Weight("b", ref) || g.Weight("a", ref) == g.Weight("a", other) {
		t.Error("weights are not told apart by where they lie")
	}
	c := tensor.Dense{Shape: []int{2}, Data: []float32{1, 2}}
	d := tensor.Dense{Shape: []int{2}, Data: []float32{1, 3}}
	first, again = g.Const("c", c), g.Const("again", c)
	if first != again || first == g.Const("c", d) {
		t.Error("constants are not told apart by what they hold")
	}
	if g.Reshape(g.Reshape(x, 3, 2), 2, 3) != x {
		t.Error("a reshape there and back is not the value itself")
	}
}

func TestDeadNodesAreNotWritten(t *testing.T) {
	g := New()
	x := g.Input("x", tensor.F32, 4)
	y := g.Sigmoid(x)
	g.Softmax(g.Gelu(x), 0)
	g.Weight("unused", tensor.Ref{Path: "/nowhere", Length: 4, DType: tensor.F32, Shape: []int{1}})
	g.Output("y", y)
	if n := g.Nodes(); n != 1 {
		t.Errorf("%d nodes are live, want 1", n)
	}
	model, err := g.Model() // would fail on the unused weight's path
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(model, []byte("Softmax")) || !bytes.Contains(model, []byte("Sigmoid")) {
		t.Error("the model holds dead nodes or lacks live ones")
	}
}

func TestModelIsDeterministic(t *testing.T) {
	build := func() []byte {
		g := New()
		g.Output("y", block(g))
		m, err := g.Model()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := build()
	for range 5 {
		if !bytes.Equal(first, build()) {
			t.Fatal("the same graph gave other bytes")
		}
	}
}

func TestPrint(t *testing.T) {
	for _, c := range []struct {
		name string
		g    *Graph
		want string
	}{
		{"fused", New(), `input x f32[batch,5,8]
fusedmatmul_1 f32[batch,5,8] = com.microsoft.FusedMatMul(x, q[8,8]) transB=1
fusedmatmul_2 f32[batch,5,8] = com.microsoft.FusedMatMul(x, k[8,8]) transB=1
multiheadattention_1 f32[batch,5,8] = com.microsoft.MultiHeadAttention(fusedmatmul_1, fusedmatmul_2, fusedmatmul_1) num_heads=2 scale=0.5
quickgelu_1 f32[batch,5,8] = com.microsoft.QuickGelu(multiheadattention_1) alpha=1.702
output y f32[batch,5,8] = quickgelu_1
`},
		{"standard", New(StandardOps), `input x f32[batch,5,8]
transpose_1 f32[8,8] = Transpose(q[8,8]) perm=[1 0]
matmul_1 f32[batch,5,8] = MatMul(x, transpose_1)
transpose_2 f32[8,8] = Transpose(k[8,8]) perm=[1 0]
matmul_2 f32[batch,5,8] = MatMul(x, transpose_2)
reshape_1 f32[batch,5,2,4] = Reshape(matmul_1, ints[4])
transpose_3 f32[batch,2,5,4] = Transpose(reshape_1) perm=[0 2 1 3]
reshape_2 f32[batch,5,2,4] = Reshape(matmul_2, ints[4])
transpose_4 f32[batch,2,4,5] = Transpose(reshape_2) perm=[0 2 3 1]
matmul_3 f32[batch,2,5,5] = MatMul(transpose_3, transpose_4)
mul_1 f32[batch,2,5,5] = Mul(matmul_3, scalar[])
softmax_1 f32[batch,2,5,5] = Softmax(mul_1) axis=-1
matmul_4 f32[batch,2,5,4] = MatMul(softmax_1, transpose_3)
transpose_5 f32[batch,5,2,4] = Transpose(matmul_4) perm=[0 2 1 3]
reshape_3 f32[batch,5,8] = Reshape(transpose_5, ints.2[3])
mul_2 f32[batch,5,8] = Mul(reshape_3, scalar.2[])
sigmoid_1 f32[batch,5,8] = Sigmoid(mul_2)
mul_3 f32[batch,5,8] = Mul(reshape_3, sigmoid_1)
output y f32[batch,5,8] = mul_3
`},
	} {
		c.g.Output("y", block(c.g))
		if got := c.g.String(); got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// A LayerNorm of a sum is fused with the sum, the bias and all; the sum stays for its other users, and a sum that two
// LayerNorms read is fused once.
func TestSkipFusion(t *testing.T) {
	g := New()
	x, y := g.Input("x", tensor.F32, 1, 2, 4), g.Input("y", tensor.F32, 1, 2, 4)
	vec := func(v float32) Value {
		return g.Const("vec", tensor.Dense{Shape: []int{4}, Data: []float32{v, v, v, v}})
	}
	sum := g.Add(x, g.Add(y, vec(1)))
	norm := g.LayerNorm(sum, vec(2), vec(3), 1e-5)
	g.Output("a", g.Add(norm, sum))
	g.Output("b", g.LayerNorm(sum, vec(4), vec(5), 1e-5))
	g.Output("c", g.LayerNorm(g.Add(x, vec(6)), vec(4), vec(5), 1e-5)) // no sum of two tensors
	want := `input x f32[1,2,4]
input y f32[1,2,4]
skiplayernormalization_1, -, -, skiplayernormalization_2 f32[1,2,4] = com.microsoft.SkipLayerNormalization(y, x, vec.2[4], vec.3[4], vec[4]) epsilon=1e-05
add_1 f32[1,2,4] = Add(skiplayernormalization_1, skiplayernormalization_2)
layernormalization_1 f32[1,2,4] = LayerNormalization(skiplayernormalization_2, vec.4[4], vec.5[4]) axis=-1 epsilon=1e-05
add_2 f32[1,2,4] = Add(x, vec.6[4])
layernormalization_2 f32[1,2,4] = LayerNormalization(add_2, vec.4[4], vec.5[4]) axis=-1 epsilon=1e-05
output a f32[1,2,4] = add_1
output b f32[1,2,4] = layernormalization_1
output c f32[1,2,4] = layernormalization_2
`
	if got := g.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Sizes may be symbols: they are counted on, and what depends on them alone is a constant or an input.
func TestOpenSizes(t *testing.T) {
	build := func(h, w func(g *Graph) int) *Graph {
		g := New()
		x := g.Input("x", tensor.F32, g.Symbol("batch"), 1, h(g), w(g))
		patches := g.Conv(x, g.Const("kernel", tensor.New(4, 1, 2, 2)), Value{}, 2, 0)
		s := patches.Shape()
		n := g.Symbol("patches")
		if s[2] >= 0 {
			n = s[2] * s[3]
		}
		y := g.PadFront(g.Transpose(g.Reshape(patches, s[0], 4, n), 0, 2, 1), 1, 1)
		table := func(h, w int) tensor.Dense { return tensor.New(1+h/2*(w/2), 4) }
		added := g.Table("table", x, table, y.Shape()[1:]...)
		if again := g.Table("table", x, table, y.Shape()[1:]...); again != added {
			t.Error("a table is two values")
		}
		y = g.Add(y, added)
		first, rest := g.Slice(y, 1, 0, 1), g.Slice(y, 1, 1, End)
		if g.Concat(1, first, rest) != y {
			t.Error("the slices of a value are not the value")
		}
		g.Output("y", g.Concat(1, first, first, rest))
		return g
	}
	number := func(n int) func(*Graph) int { return func(*Graph) int { return n } }
	symbol := func(s string) func(*Graph) int { return func(g *Graph) int { return g.Symbol(s) } }
	for _, c := range []struct {
		name string
		g    *Graph
		want string
	}{
		{"open", build(symbol("h"), symbol("w")), `input x f32[batch,1,h,w]
input table f32[1+patches,4]
conv_1 f32[batch,4,h/2,w/2] = Conv(x, kernel[4,1,2,2]) kernel_shape=[2 2] pads=[0 0 0 0] strides=[2 2]
reshape_1 f32[batch,4,patches] = Reshape(conv_1, ints[3])
transpose_1 f32[batch,patches,4] = Transpose(reshape_1) perm=[0 2 1]
pad_1 f32[batch,1+patches,4] = Pad(transpose_1, ints.2[6])
add_1 f32[batch,1+patches,4] = Add(pad_1, table)
slice_1 f32[batch,1,4] = Slice(add_1, ints.3[1], ints.4[1], ints.4[1])
slice_2 f32[batch,patches,4] = Slice(add_1, ints.4[1], ints.5[1], ints.4[1])
concat_1 f32[batch,2+patches,4] = Concat(slice_1, slice_1, slice_2) axis=1
output y f32[batch,2+patches,4] = concat_1
`},
		{"fixed", build(number(6), number(5)), `input x f32[batch,1,6,5]
conv_1 f32[batch,4,3,2] = Conv(x, kernel[4,1,2,2]) kernel_shape=[2 2] pads=[0 0 0 0] strides=[2 2]
reshape_1 f32[batch,4,6] = Reshape(conv_1, ints[3])
transpose_1 f32[batch,6,4] = Transpose(reshape_1) perm=[0 2 1]
pad_1 f32[batch,7,4] = Pad(transpose_1, ints.2[6])
add_1 f32[batch,7,4] = Add(pad_1, table[7,4])
slice_1 f32[batch,1,4] = Slice(add_1, ints.3[1], ints.4[1], ints.4[1])
slice_2 f32[batch,6,4] = Slice(add_1, ints.4[1], ints.5[1], ints.4[1])
concat_1 f32[batch,8,4] = Concat(slice_1, slice_1, slice_2) axis=1
output y f32[batch,8,4] = concat_1
`},
	} {
		if got := c.g.String(); got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestShapeFaultsPanic(t *testing.T) {
	for _, c := range []struct {
		name, want string
		build      func(g *Graph, x Value)
	}{
		{"matmul", "onnx: MatMul does not fit f32[batch,5,8] f32[batch,5,8]", func(g *Graph, x Value) { g.MatMul(x, x) }},
		{"linear", "onnx: Linear does not fit f32[batch,5,8] f32[8,9]", func(g *Graph, x Value) {
			g.Linear(x, g.Const("w", tensor.New(8, 9)), Value{})
		}},
		{"add", "onnx: Add does not fit f32[batch,5,8] f32[7]",
			func(g *Graph, x Value) { g.Add(x, g.Const("b", tensor.New(7))) }},
		{"reshape", "onnx: Reshape [batch,5,8] to [3,7]", func(g *Graph, x Value) { g.Reshape(x, 3, 7) }},
		{"axis", "onnx: Softmax does not fit", func(g *Graph, x Value) { g.Softmax(x, 3) }},
		{"heads", "onnx: Attention does not fit", func(g *Graph, x Value) { g.Attention(x, x, x, 3, 1, Value{}, false) }},
		{"slice", "onnx: Slice does not fit", func(g *Graph, x Value) { g.Slice(x, 1, 2, 6) }},
		{"concat", "onnx: Concat does not fit", func(g *Graph, x Value) { g.Concat(0, x, x) }},
		{"foreign", "onnx: value of another graph", func(g *Graph, x Value) { New().Sigmoid(x) }},
		{"name", "is taken or empty", func(g *Graph, x Value) { g.Output("x", x) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			g := New()
			c.build(g, g.Input("x", tensor.F32, g.Symbol("batch"), 5, 8))
		})
	}
}
