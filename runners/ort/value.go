package ort

import (
	"fmt"
	"runtime"
	"strings"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"ovbench/runners/tensor"
)

// Value is an input to a run or the place of an output: a shape of at least one dimension, and its
// elements in row-major order in Go memory, in F32 or in I64. It shares memory with whoever made it.
type Value struct {
	Shape []int
	F32   []float32
	I64   []int64
}

// Float32 is a Value of float32 elements. It copies nothing.
func Float32(shape []int, data []float32) Value { return Value{Shape: shape, F32: data} }

// Int64 is a Value of int64 elements. It copies nothing.
func Int64(shape []int, data []int64) Value { return Value{Shape: shape, I64: data} }

// elements is the type and number of the elements; no type if there are none or two kinds.
func (v Value) elements() (tensor.DType, int) {
	n, ok := tensor.Elements(v.Shape)
	empty := ok && n == 0
	switch {
	case v.F32 != nil && v.I64 == nil:
		return tensor.F32, len(v.F32)
	case v.I64 != nil && v.F32 == nil:
		return tensor.I64, len(v.I64)
	case empty && v.F32 == nil && v.I64 == nil:
		return tensor.F32, 0
	}
	return 0, 0
}

// tensor makes the runtime's view of v, which has been checked. The memory is pinned: the runtime keeps its
// address, and Go must neither free nor reuse it before the run is over. Destroy the view before unpinning.
func (v Value) tensor(pin *runtime.Pinner) (onnxruntime.Value, error) {
	shape := make(onnxruntime.Shape, len(v.Shape))
	for i, d := range v.Shape {
		shape[i] = int64(d)
	}
	if v.I64 != nil {
		return view(shape, v.I64, pin)
	}
	return view(shape, v.F32, pin)
}

func view[T float32 | int64](shape onnxruntime.Shape, data []T, pin *runtime.Pinner) (onnxruntime.Value, error) {
	if len(data) > 0 {
		pin.Pin(&data[0])
	}
	t, err := onnxruntime.NewTensor(shape, data)
	if err != nil {
		return nil, cause(err) // not t, which as an interface would not be nil
	}
	return t, nil
}

// checkPorts says whether a session can be made for the ports: this package fills and reads only
// float32 and int64, of at least one dimension.
func checkPorts(kind string, ports []Port) error {
	if len(ports) == 0 {
		return fmt.Errorf("has no %s", kind)
	}
	for _, p := range ports {
		if p.DType != tensor.F32 && p.DType != tensor.I64 {
			return fmt.Errorf("%s %v has another type than f32 and i64; put a Cast there", kind, p)
		}
		if p.Dims != nil && len(p.Dims) == 0 {
			return fmt.Errorf("%s %v is a scalar; give it one dimension of size 1", kind, p)
		}
	}
	return nil
}

// checkValues compares values with the declared ports. symbols are the sizes of symbolic dimensions
// seen so far; what values adds to them stays.
func checkValues(kind string, ports []Port, values []Value, symbols map[string]seen) error {
	if len(values) != len(ports) {
		return fmt.Errorf("got %d %ss, want %d: %s", len(values), kind, len(ports), list(ports))
	}
	for i, v := range values {
		p := ports[i]
		n, ok := tensor.Elements(v.Shape)
		dtype, have := v.elements()
		switch {
		case !ok || len(v.Shape) == 0:
			return fmt.Errorf("%s %q: shape %v is not one", kind, p.Name, v.Shape)
		case dtype == 0:
			return fmt.Errorf("%s %q: a value holds either F32 or I64 elements", kind, p.Name)
		case dtype != p.DType:
			return fmt.Errorf("%s %q: got elements of %v, want %v", kind, p.Name, dtype, p.DType)
		case int64(have) != n:
			return fmt.Errorf("%s %q: got %d elements for shape %v, which needs %d", kind, p.Name, have, v.Shape, n)
		}
		if why, ok := p.fits(v.Shape, symbols); !ok {
			return fmt.Errorf("%s %q: got shape %v, want %s%s", kind, p.Name, v.Shape, p.Shape(), why)
		}
	}
	return nil
}

// seen is a symbolic dimension's size and the value that gave it.
type seen struct {
	size int
	by   string
}

// fits reports whether a shape is one the port allows, and if it is not, what there is to add to its
// declared shape.
func (p Port) fits(shape []int, symbols map[string]seen) (why string, ok bool) {
	if p.Dims == nil {
		return "", true
	}
	if len(shape) != len(p.Dims) {
		return "", false
	}
	for i, d := range p.Dims {
		if d.Size >= 0 && d.Size != shape[i] {
			return "", false
		}
		if d.Size >= 0 || d.Symbol == "" {
			continue
		}
		s, ok := symbols[d.Symbol]
		if !ok {
			s = seen{shape[i], p.Name}
			symbols[d.Symbol] = s
		}
		if s.size != shape[i] {
			return fmt.Sprintf(", where %s is %d in %q", d.Symbol, s.size, s.by), false
		}
	}
	return "", true
}

func list(ports []Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}
