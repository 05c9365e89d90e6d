// Package onnx answers: how is a computation written down so that ONNX Runtime can run it?
//
// A [Graph] grows by one typed method per operator. Nodes are hash-consed: the same operation
// on the same inputs with the same attributes is the same [Value], so several methods built
// on one graph share whatever they have in common. Shapes are checked while building.
// Writing leaves out nodes that no output needs, and is deterministic.
//
// Weights are ranges of checkpoint files ([tensor.Ref]); they are written as ONNX external
// data and never pass through the program.
package onnx

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ovbench/runners/tensor"
)

// le is the byte order of ONNX.
var le = binary.LittleEndian

// Value is one tensor of a Graph. Values of one graph compare with ==: equal means the same
// computation. The zero Value is absent and stands for an omitted optional input.
type Value struct {
	g  *Graph
	id int32 // index into g.values, plus one
}

// Graph is a computation under construction. Use [New]; a Graph belongs to one goroutine.
//
// Faults in building (shapes that do not fit, values of another graph) are mistakes of the
// program and panic. What comes from files is checked before it gets here.
//
// Note: an operator method returns a Value and not (Value, error), because a transformer
// block then reads like the paper's equation.
type Graph struct {
	standard bool
	noCuDNN  bool
	operands operands
	values   []value
	nodes    []node
	seen     map[string][]int32 // key of a node or leaf → its values
	symbols  []string
	inputs   []int32
	tables   []Table
	outputs  []output
	names    map[string]bool // of inputs, outputs and leaves
	slices   map[Value]part
}

// part says of which value another one is a slice.
type part struct {
	of             Value
	axis, from, to int
}

type value struct {
	name  string // of inputs and leaves; nodes' values are named when written
	dtype tensor.DType
	shape []int
	node  int32 // index into nodes, or -1
	leaf  *leaf
}

// leaf is an initializer: a range of a file, or bytes.
type leaf struct {
	ref tensor.Ref
	raw []byte // little-endian, if not nil
}

type node struct {
	op, domain string
	attrs      []attr
	in, out    []int32 // ids; 0 is an omitted input
}

type attr struct {
	name string
	i    int64
	f    float32
	ints []int64
	kind byte // 'i', 'f' or 'I'
}

type output struct {
	name string
	id   int32
}

// Option changes how operators are written.
type Option func(*Graph)

// StandardOps restricts the graph to operators of the ONNX standard: attention and QuickGELU are
// spelled out instead of using ONNX Runtime's fused com.microsoft operators. The results agree
// to rounding (below 1e-5 relative); the fused graph is faster.
func StandardOps(g *Graph) { g.standard = true }

// WithoutCuDNN keeps to operators whose CUDA kernels ONNX Runtime brings itself: it has others compute by cuDNN, which
// is larger than all the rest together. A patch embedding becomes a matrix product, a norm the root of a sum of
// squares, the largest of an axis a list of one. Other convolutions and pools stay what they are. Pictures of open size
// must be whole numbers of patches, or the run ends with an error.
func WithoutCuDNN(g *Graph) { g.noCuDNN = true }

// HalfProducts has linear layers and attention take float16 and give float32 again. All else stays float32: residuals,
// normalisations, methods' own arithmetic, which need its range.
func HalfProducts(g *Graph) { g.operands = half }

// RoundedProducts rounds what linear layers and attention take to float16, and computes in float32: what HalfProducts
// gives on a GPU up to the order of sums, on a CPU, whose library removes casts to float16 where it has no such kernel.
func RoundedProducts(g *Graph) { g.operands = rounded }

// New is an empty graph.
func New(opts ...Option) *Graph {
	g := &Graph{values: make([]value, 1), seen: map[string][]int32{}, names: map[string]bool{}, slices: map[Value]part{}}
	for _, o := range opts {
		o(g)
	}
	return g
}

// Symbol is a dimension known only when the graph runs, such as "batch". It is a negative
// number to be used in shapes; the same name gives the same number.
func (g *Graph) Symbol(name string) int {
	i := slices.Index(g.symbols, name)
	if i < 0 {
		i = len(g.symbols)
		g.symbols = append(g.symbols, name)
	}
	return -1 - i
}

// Plus is the dimension by longer than d: a number, or the symbol "1+patches" for 1 more than "patches".
func (g *Graph) Plus(d, by int) int {
	if d >= 0 {
		return d + by
	}
	name := g.symbols[-1-d]
	if n, rest, ok := strings.Cut(name, "+"); ok {
		if known, err := strconv.Atoi(n); err == nil {
			name, by = rest, by+known
		}
	}
	if by != 0 {
		name = fmt.Sprintf("%d+%s", by, name)
	}
	return g.Symbol(name)
}

// Symbols are the names of a graph's symbolic dimensions.
type Symbols []string

// Symbols are those of the graph so far.
func (g *Graph) Symbols() Symbols { return slices.Clone(g.symbols) }

// Resolve gives shape the numbers that symbols stand for; "2+patches" is 2 more than "patches".
func (s Symbols) Resolve(shape []int, known map[string]int) ([]int, error) {
	out := slices.Clone(shape)
	for i, d := range shape {
		if d >= 0 {
			continue
		}
		name, more := s[-1-d], 0
		n, ok := known[name]
		if by, rest, sum := strings.Cut(name, "+"); !ok && sum {
			var err error
			more, err = strconv.Atoi(by)
			n, ok = known[rest]
			ok = ok && err == nil
		}
		if !ok {
			return nil, fmt.Errorf("the size of dimension %q is not known", name)
		}
		out[i] = n + more
	}
	return out, nil
}

// Like declares an input of v's type and shape, where v is of another graph.
func (g *Graph) Like(name string, v Value) Value {
	shape := slices.Clone(v.Shape())
	for i, d := range shape {
		if d < 0 {
			shape[i] = g.Symbol(v.g.symbols[-1-d])
		}
	}
	return g.Input(name, v.DType(), shape...)
}

// Inputs are the names and shapes of the inputs declared so far.
func (g *Graph) Inputs() (names []string, shapes [][]int) {
	for _, id := range g.inputs {
		names, shapes = append(names, g.values[id].name), append(shapes, g.values[id].shape)
	}
	return names, shapes
}

// Table is an input that the program computes from the size of a picture.
type Table struct {
	Name  string
	Shape []int // negative entries are symbols
	Make  func(height, width int) tensor.Dense
}

// Table is a float32 tensor of a given shape that make computes from the last two sizes of a picture [.., H, W]. If
// these are numbers it is a constant of the graph; otherwise it is an input, to be fed with what [Graph.Tables]
// says. The name stands for the content: the same name is the same Value.
func (g *Graph) Table(name string, picture Value, make func(height, width int) tensor.Dense, shape ...int) Value {
	key := "table|" + name
	if ids, ok := g.seen[key]; ok {
		return Value{g, ids[0]}
	}
	var v Value
	s := picture.Shape()
	if h, w := s[len(s)-2], s[len(s)-1]; h >= 0 && w >= 0 {
		d := make(h, w)
		if !slices.Equal(d.Shape, shape) {
			panic(fmt.Sprintf("onnx: table %s is %v, want %v", name, d.Shape, shape))
		}
		v = g.Const(name, d)
	} else {
		unique := g.unique(name)
		v = g.Input(unique, tensor.F32, shape...)
		g.tables = append(g.tables, Table{unique, slices.Clone(shape), make})
	}
	g.seen[key] = []int32{v.id}
	return v
}

// Tables are the inputs that [Graph.Table] declared, in the order of inputs. They follow those declared before them.
func (g *Graph) Tables() []Table { return g.tables }

// Input declares an input. Inputs keep their order.
func (g *Graph) Input(name string, dtype tensor.DType, shape ...int) Value {
	g.claim(name)
	v := g.add(value{name: name, dtype: dtype, shape: slices.Clone(shape), node: -1})
	g.inputs = append(g.inputs, v.id)
	return v
}

// Output declares v an output under a name. Outputs keep their order; one value may have several names. Constants,
// weights and tables make way for an output that wants their name.
func (g *Graph) Output(name string, v Value) {
	g.makeWay(name)
	g.claim(name)
	g.at(v)
	g.outputs = append(g.outputs, output{name, v.id})
}

// Weight is an initializer that lies in a file, named for the reader of a printout.
// F16 and BF16 weights are followed by a Cast to float32, which ONNX Runtime folds when it loads the
// graph. The ref must be contiguous.
func (g *Graph) Weight(name string, ref tensor.Ref) Value {
	if !ref.Contiguous() {
		panic("onnx: weight " + name + " is not contiguous")
	}
	key := fmt.Sprintf("weight|%s|%d|%d|%v|%v", ref.Path, ref.Offset, ref.Length, ref.DType, ref.Shape)
	v := g.leaf(key, name, ref.DType, ref.Shape, &leaf{ref: ref})
	if ref.DType != tensor.F32 && ref.DType != tensor.I64 {
		return g.Cast(v, tensor.F32)
	}
	return v
}

// Const is a float32 initializer computed by the program, written into the graph itself.
func (g *Graph) Const(name string, d tensor.Dense) Value {
	raw := make([]byte, 0, 4*len(d.Data))
	for _, x := range d.Data {
		raw = le.AppendUint32(raw, math.Float32bits(x))
	}
	return g.bytes(name, tensor.F32, d.Shape, raw)
}

// Ints is a one-dimensional int64 initializer.
func (g *Graph) Ints(xs ...int64) Value {
	raw := make([]byte, 0, 8*len(xs))
	for _, x := range xs {
		raw = le.AppendUint64(raw, uint64(x))
	}
	return g.bytes("ints", tensor.I64, []int{len(xs)}, raw)
}

// Scalar is a float32 initializer of no dimensions.
func (g *Graph) Scalar(x float32) Value {
	return g.Const("scalar", tensor.Dense{Data: []float32{x}})
}

func (g *Graph) bytes(name string, dtype tensor.DType, shape []int, raw []byte) Value {
	key := fmt.Sprintf("bytes|%v|%v|%x", dtype, shape, sha256.Sum256(raw))
	return g.leaf(key, name, dtype, shape, &leaf{raw: raw})
}

func (g *Graph) leaf(key, name string, dtype tensor.DType, shape []int, l *leaf) Value {
	if ids, ok := g.seen[key]; ok {
		return Value{g, ids[0]}
	}
	unique := g.unique(name)
	g.names[unique] = true
	v := g.add(value{name: unique, dtype: dtype, shape: slices.Clone(shape), node: -1, leaf: l})
	g.seen[key] = []int32{v.id}
	return v
}

// unique is name, with a number if it is taken.
func (g *Graph) unique(name string) string {
	unique := name
	for i := 2; g.names[unique]; i++ {
		unique = fmt.Sprintf("%s.%d", name, i)
	}
	return unique
}

// makeWay renames the leaf or table of that name, if there is one.
func (g *Graph) makeWay(name string) {
	if !g.names[name] {
		return
	}
	table := slices.IndexFunc(g.tables, func(t Table) bool { return t.Name == name })
	i := slices.IndexFunc(g.values, func(v value) bool { return v.name == name && (v.leaf != nil || table >= 0) })
	if i < 0 {
		return // of an input or output: claim complains
	}
	g.values[i].name = g.unique(name)
	g.names[g.values[i].name] = true
	delete(g.names, name)
	if table >= 0 {
		g.tables[table].Name = g.values[i].name
	}
}

func (g *Graph) claim(name string) {
	if name == "" || g.names[name] {
		panic(fmt.Sprintf("onnx: name %q is taken or empty", name))
	}
	g.names[name] = true
}

func (g *Graph) add(v value) Value {
	g.values = append(g.values, v)
	return Value{g, int32(len(g.values) - 1)}
}

func (g *Graph) at(v Value) *value {
	if v.g != g || v.id <= 0 {
		panic("onnx: value of another graph, or absent")
	}
	return &g.values[v.id]
}

// Shape is the shape of v; negative entries are symbols. The caller must not change it.
func (v Value) Shape() []int { return v.g.values[v.id].shape }

// DType is the element type of v.
func (v Value) DType() tensor.DType { return v.g.values[v.id].dtype }

// Present reports whether v is a value and not the zero Value.
func (v Value) Present() bool { return v.g != nil }

// node adds an operator with one result, or returns the one already there.
func (g *Graph) node(op string, in []Value, dtype tensor.DType, shape []int, attrs ...attr) Value {
	return g.nodeIn("", op, in, dtype, shape, attrs...)
}

func (g *Graph) nodeIn(domain, op string, in []Value, dtype tensor.DType, shape []int, attrs ...attr) Value {
	slices.SortFunc(attrs, func(a, b attr) int { return strings.Compare(a.name, b.name) })
	n := node{op: op, domain: domain, attrs: attrs, in: make([]int32, len(in))}
	var key strings.Builder
	fmt.Fprintf(&key, "node|%s|%s|", domain, op)
	for i, v := range in {
		if v.Present() {
			g.at(v)
			n.in[i] = v.id
		}
		fmt.Fprintf(&key, "%d,", n.in[i])
	}
	for _, a := range attrs {
		fmt.Fprintf(&key, "|%s", a)
	}
	if ids, ok := g.seen[key.String()]; ok {
		return Value{g, ids[0]}
	}
	v := g.add(value{dtype: dtype, shape: slices.Clone(shape), node: int32(len(g.nodes))})
	n.out = []int32{v.id}
	g.nodes = append(g.nodes, n)
	g.seen[key.String()] = n.out
	return v
}

func (a attr) String() string {
	switch a.kind {
	case 'f':
		return fmt.Sprintf("%s=%v", a.name, a.f)
	case 'I':
		return fmt.Sprintf("%s=%v", a.name, a.ints)
	}
	return fmt.Sprintf("%s=%d", a.name, a.i)
}

func intAttr(name string, i int) attr       { return attr{name: name, kind: 'i', i: int64(i)} }
func floatAttr(name string, f float32) attr { return attr{name: name, kind: 'f', f: f} }

func intsAttr(name string, xs ...int) attr {
	a := attr{name: name, kind: 'I'}
	for _, x := range xs {
		a.ints = append(a.ints, int64(x))
	}
	return a
}

// live lists the nodes and leaves that the outputs need, in the order they were added.
func (g *Graph) live() (nodes []int32, leaves []int32) {
	need := make([]bool, len(g.values))
	for _, o := range g.outputs {
		need[o.id] = true
	}
	for i := len(g.nodes) - 1; i >= 0; i-- { // inputs come before their users
		if !need[g.nodes[i].out[0]] {
			continue
		}
		nodes = append(nodes, int32(i))
		for _, id := range g.nodes[i].in {
			need[id] = true
		}
	}
	slices.Reverse(nodes)
	for id := 1; id < len(need); id++ {
		if need[id] && g.values[id].leaf != nil {
			leaves = append(leaves, int32(id))
		}
	}
	return nodes, leaves
}

// Nodes is the number of operators that writing the graph would write.
func (g *Graph) Nodes() int {
	nodes, _ := g.written()
	return len(nodes)
}

// nodeNames names the results of nodes: the operator and a running number.
func (g *Graph) nodeNames(nodes []node) map[int32]string {
	names := map[int32]string{}
	count := map[string]int{}
	for _, n := range nodes {
		base := strings.ToLower(n.op)
		for _, id := range n.out {
			for id != 0 && names[id] == "" {
				count[base]++
				if name := fmt.Sprintf("%s_%d", base, count[base]); !g.names[name] {
					names[id] = name
				}
			}
		}
	}
	return names
}

// String prints the graph one node a line: result, shape, operator, inputs, attributes.
func (g *Graph) String() string {
	nodes, _ := g.written()
	names := g.nodeNames(nodes)
	name := func(id int32) string {
		if id == 0 {
			return "-"
		}
		if s, ok := names[id]; ok {
			return s
		}
		return g.values[id].name
	}
	var b strings.Builder
	for _, id := range g.inputs {
		v := &g.values[id]
		fmt.Fprintf(&b, "input %s %v%s\n", v.name, v.dtype, g.dims(v.shape))
	}
	for _, n := range nodes {
		ins := make([]string, len(n.in))
		for k, id := range n.in {
			ins[k] = name(id)
			if id != 0 && g.values[id].leaf != nil {
				ins[k] += g.dims(g.values[id].shape)
			}
		}
		outs := make([]string, len(n.out))
		for k, id := range n.out {
			outs[k] = name(id)
		}
		op := n.op
		if n.domain != "" {
			op = n.domain + "." + op
		}
		v := &g.values[n.out[0]]
		fmt.Fprintf(&b, "%s %v%s = %s(%s)", strings.Join(outs, ", "), v.dtype, g.dims(v.shape), op, strings.Join(ins, ", "))
		for _, a := range n.attrs {
			fmt.Fprintf(&b, " %s", a)
		}
		b.WriteByte('\n')
	}
	for _, o := range g.outputs {
		v := &g.values[o.id]
		fmt.Fprintf(&b, "output %s %v%s = %s\n", o.name, v.dtype, g.dims(v.shape), name(o.id))
	}
	return b.String()
}

func (g *Graph) dims(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		if d < 0 {
			parts[i] = g.symbols[-1-d]
		} else {
			parts[i] = fmt.Sprint(d)
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}
