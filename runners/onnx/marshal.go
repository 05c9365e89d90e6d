package onnx

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"ovbench/runners/tensor"
)

// The versions the graph is written for.
const (
	opset     = 20 // first with Gelu
	irVersion = 9
)

var elemType = map[tensor.DType]uint64{
	tensor.F32: 1, tensor.U8: 2, tensor.I8: 3, tensor.I16: 5, tensor.I32: 6, tensor.I64: 7,
	tensor.Bool: 9, tensor.F16: 10, tensor.F64: 11, tensor.BF16: 16,
}

// Model is the graph as an ONNX ModelProto whose weights are external data. Their locations are absolute
// paths, symbolic links resolved, without the leading slash: run it from memory with the external-data
// folder set to "/". Nothing is written to disk, and the same graph gives the same bytes.
func (g *Graph) Model() ([]byte, error) {
	real := map[string]string{}
	return g.model(func(b []byte, l *leaf) ([]byte, error) {
		path, ok := real[l.ref.Path]
		if !ok {
			abs, err := filepath.Abs(l.ref.Path)
			if err != nil {
				return nil, err
			}
			if path, err = filepath.EvalSymlinks(abs); err != nil {
				return nil, err
			}
			path = strings.TrimPrefix(filepath.ToSlash(path), "/")
			real[l.ref.Path] = path
		}
		return external(b, path, l.ref.Offset, l.ref.Length), nil
	})
}

// maxEmbedded is the size of weights up to which Export writes a single file. A ModelProto cannot exceed 2 GiB.
const maxEmbedded = 1 << 30

// Export writes a self-contained model to path. Weights of more than 1 GiB go to path + ".data" beside it,
// which must then stay there. It returns the files written.
func (g *Graph) Export(path string) (files []string, err error) {
	_, leaves := g.live()
	total := int64(0)
	for _, id := range leaves {
		total += g.values[id].leaf.ref.Length
	}
	put := func(b []byte, l *leaf) ([]byte, error) {
		b = protowire.AppendTag(b, 9, protowire.BytesType) // raw_data
		b = protowire.AppendVarint(b, uint64(l.ref.Length))
		return appendRange(b, l.ref)
	}
	if total > maxEmbedded {
		side, err := os.Create(path + ".data")
		if err != nil {
			return nil, err
		}
		defer side.Close()
		files = append(files, path+".data")
		at := int64(0)
		put = func(b []byte, l *leaf) ([]byte, error) {
			n, err := copyRange(side, l.ref)
			b = external(b, filepath.Base(path)+".data", at, n)
			at += n
			return b, err
		}
	}
	model, err := g.model(put)
	if err != nil {
		return nil, err
	}
	return append([]string{path}, files...), os.WriteFile(path, model, 0o666)
}

func appendRange(b []byte, r tensor.Ref) ([]byte, error) {
	f, err := os.Open(r.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := len(b)
	b = append(b, make([]byte, r.Length)...)
	_, err = io.ReadFull(io.NewSectionReader(f, r.Offset, r.Length), b[n:])
	return b, err
}

func copyRange(w io.Writer, r tensor.Ref) (int64, error) {
	f, err := os.Open(r.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := io.Copy(w, io.NewSectionReader(f, r.Offset, r.Length))
	if err == nil && n != r.Length {
		err = fmt.Errorf("%s: %w", r.Path, io.ErrUnexpectedEOF)
	}
	return n, err
}

// external appends the fields of a TensorProto that say where its bytes lie.
func external(b []byte, location string, offset, length int64) []byte {
	for _, kv := range [][2]string{{"location", location}, {"offset", strconv.FormatInt(offset, 10)},
		{"length", strconv.FormatInt(length, 10)}} {
		b = message(b, 13, str(str(nil, 1, kv[0]), 2, kv[1]))
	}
	return varint(b, 14, 1) // data_location = EXTERNAL
}

// model writes the ModelProto; put appends the data fields of a weight's TensorProto.
// Field numbers are those of onnx.proto3, given in comments by their names.
func (g *Graph) model(put func([]byte, *leaf) ([]byte, error)) ([]byte, error) {
	if len(g.outputs) == 0 {
		return nil, fmt.Errorf("onnx: the graph has no outputs")
	}
	nodes, leaves := g.written()
	names := g.nodeNames(nodes)
	name := func(id int32) string {
		if id == 0 {
			return ""
		}
		if s, ok := names[id]; ok {
			return s
		}
		return g.values[id].name
	}
	var graph []byte
	for i := range nodes {
		graph = message(graph, 1, nodes[i].marshal(name)) // node
	}
	for _, o := range g.outputs { // an output is a copy under its own name: one value may be several outputs
		n := node{op: "Identity", in: []int32{o.id}}
		graph = message(graph, 1, n.named([]string{o.name}, name))
	}
	graph = str(graph, 2, "ovbench") // name
	for _, id := range leaves {
		b, err := g.values[id].initializer(put)
		if err != nil {
			return nil, fmt.Errorf("weight %s: %w", g.values[id].name, err)
		}
		graph = message(graph, 5, b) // initializer
	}
	for _, id := range g.inputs {
		graph = message(graph, 11, g.valueInfo(g.values[id].name, &g.values[id]))
	}
	for _, o := range g.outputs {
		graph = message(graph, 12, g.valueInfo(o.name, &g.values[o.id]))
	}
	b := varint(nil, 1, irVersion)
	b = str(b, 2, "ovbench") // producer_name
	b = message(b, 7, graph)
	b = message(b, 8, varint(nil, 2, opset)) // opset_import
	if !g.standard {
		b = message(b, 8, varint(str(nil, 1, "com.microsoft"), 2, 1))
	}
	if len(b) >= 1<<31 {
		return nil, fmt.Errorf("onnx: a model of %d bytes exceeds the format's 2 GiB", len(b))
	}
	return b, nil
}

func (n *node) marshal(name func(int32) string) []byte {
	out := make([]string, len(n.out))
	for i, id := range n.out {
		out[i] = name(id)
	}
	return n.named(out, name)
}

func (n *node) named(out []string, name func(int32) string) []byte {
	var b []byte
	for _, id := range n.in {
		b = str(b, 1, name(id)) // input
	}
	for _, s := range out {
		b = str(b, 2, s) // output
	}
	b = str(b, 3, out[0]) // name
	b = str(b, 4, n.op)   // op_type
	for _, a := range n.attrs {
		b = message(b, 5, a.marshal())
	}
	if n.domain != "" {
		b = str(b, 7, n.domain)
	}
	return b
}

func (a attr) marshal() []byte {
	b := str(nil, 1, a.name)
	switch a.kind {
	case 'i':
		return varint(varint(b, 3, uint64(a.i)), 20, 2) // type INT
	case 'f':
		b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, math.Float32bits(a.f))
		return varint(b, 20, 1) // FLOAT
	}
	for _, i := range a.ints {
		b = varint(b, 8, uint64(i))
	}
	return varint(b, 20, 7) // INTS
}

func (v *value) initializer(put func([]byte, *leaf) ([]byte, error)) ([]byte, error) {
	var b []byte
	for _, d := range v.shape {
		b = varint(b, 1, uint64(d)) // dims
	}
	b = varint(b, 2, elemType[v.dtype]) // data_type
	b = str(b, 8, v.name)
	if v.leaf.raw != nil {
		b = protowire.AppendTag(b, 9, protowire.BytesType) // raw_data
		return protowire.AppendBytes(b, v.leaf.raw), nil
	}
	return put(b, v.leaf)
}

// valueInfo is a ValueInfoProto: name, element type and shape, symbols as dim_param.
func (g *Graph) valueInfo(name string, v *value) []byte {
	var shape []byte
	for _, d := range v.shape {
		dim := varint(nil, 1, uint64(d))
		if d < 0 {
			dim = str(nil, 2, g.symbols[-1-d])
		}
		shape = message(shape, 1, dim)
	}
	tensorType := message(varint(nil, 1, elemType[v.dtype]), 2, shape)
	return message(str(nil, 1, name), 2, message(nil, 1, tensorType))
}

func varint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func str(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}
