package ort

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"ovbench/runners/tensor"
)

// Port is an input or an output as a model declares it.
type Port struct {
	Name  string
	DType tensor.DType // zero for a type that package tensor lacks
	Dims  []Dim        // nil if the model leaves the number of dimensions open
}

// Dim is one dimension of a Port: a size, or if that is negative a symbol, which is empty for "any".
// The same symbol stands for the same size throughout a model.
type Dim struct {
	Size   int
	Symbol string
}

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return strconv.Itoa(d.Size)
	case d.Symbol != "":
		return d.Symbol
	}
	return "?"
}

// Shape is the declared shape in the way fmt prints a []int.
func (p Port) Shape() string {
	if p.Dims == nil {
		return "of any shape"
	}
	return fmt.Sprint(p.Dims)
}

func (p Port) String() string { return fmt.Sprintf("%q %v %s", p.Name, p.DType, p.Shape()) }

// onnxTypes translates TensorProto.DataType (onnx.proto).
var onnxTypes = map[uint64]tensor.DType{
	1: tensor.F32, 2: tensor.U8, 3: tensor.I8, 5: tensor.I16, 6: tensor.I32, 7: tensor.I64,
	9: tensor.Bool, 10: tensor.F16, 11: tensor.F64, 16: tensor.BF16,
}

var errTruncated = errors.New("not an ONNX model, or cut short")

// ports reads the declared inputs and outputs of a serialized ModelProto, in their order, and passes over
// all else. Initializers that are also listed as inputs, as old models do, are left out.
//
// Note: the wrapper tells them only by loading the model once more, without the session's options, so
// that weights in other files are not found.
func ports(model []byte) (in, out []Port, err error) {
	initializers := map[string]bool{}
	collect := func(list *[]Port) func([]byte) error {
		return func(b []byte) error {
			p, err := valueInfo(b)
			*list = append(*list, p)
			return err
		}
	}
	err = fields(model, handlers{
		7: func(graph []byte) error { // ModelProto.graph
			return fields(graph, handlers{
				5: func(b []byte) error { // GraphProto.initializer
					return fields(b, handlers{8: func(name []byte) error { // TensorProto.name
						initializers[string(name)] = true
						return nil
					}}, nil)
				},
				11: collect(&in),  // GraphProto.input
				12: collect(&out), // GraphProto.output
			}, nil)
		},
	}, nil)
	if err != nil {
		return nil, nil, err
	}
	inputs := in[:0]
	for _, p := range in {
		if !initializers[p.Name] {
			inputs = append(inputs, p)
		}
	}
	return inputs, out, nil
}

// valueInfo reads a ValueInfoProto.
func valueInfo(b []byte) (Port, error) {
	var p Port
	dim := func(b []byte) error { // TensorShapeProto.Dimension
		d := Dim{Size: -1}
		err := fields(b, handlers{2: func(s []byte) error { // dim_param
			d.Symbol = string(s)
			return nil
		}}, func(n protowire.Number, v uint64) {
			if n == 1 && v <= 1<<40 { // dim_value; others, negative ones too, are open
				d.Size = int(v)
			}
		})
		p.Dims = append(p.Dims, d)
		return err
	}
	tensorType := func(b []byte) error { // TypeProto.Tensor
		return fields(b, handlers{2: func(shape []byte) error {
			p.Dims = []Dim{}
			return fields(shape, handlers{1: dim}, nil)
		}}, func(n protowire.Number, v uint64) {
			if n == 1 { // elem_type
				p.DType = onnxTypes[v]
			}
		})
	}
	err := fields(b, handlers{
		1: func(name []byte) error { p.Name = string(name); return nil },
		2: func(typ []byte) error { return fields(typ, handlers{1: tensorType}, nil) },
	}, nil)
	if err == nil && strings.ContainsRune(p.Name, 0) {
		err = fmt.Errorf("name %q", p.Name)
	}
	return p, err
}

// handlers are called with the bytes of a message's field of their number.
type handlers map[protowire.Number]func([]byte) error

// fields walks over a message. Fields of variable length go to h, numbers to number if it is not nil.
func fields(b []byte, h handlers, number func(protowire.Number, uint64)) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		switch typ {
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return errTruncated
			}
			b = b[n:]
			if handle := h[num]; handle != nil {
				if err := handle(v); err != nil {
					return err
				}
			}
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return errTruncated
			}
			b = b[n:]
			if number != nil {
				number(num, v)
			}
		default:
			n := protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return errTruncated
			}
			b = b[n:]
		}
	}
	return nil
}
