// Package tensor answers: what is a block of numbers, in memory or in a file?
//
// [Dense] is numbers in memory. [Ref] is numbers in a file: a named range that is
// never read merely to be passed on. Both are row-major unless a Ref says otherwise.
package tensor

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// DType is the element type of a tensor. The zero value is no type.
type DType uint8

// The element types CLIP checkpoints use.
const (
	F32 DType = iota + 1
	F16
	BF16
	F64
	I64
	I32
	I16
	I8
	U8
	Bool
)

var dtypes = [...]struct {
	name string
	size int
}{
	F32: {"f32", 4}, F16: {"f16", 2}, BF16: {"bf16", 2}, F64: {"f64", 8},
	I64: {"i64", 8}, I32: {"i32", 4}, I16: {"i16", 2}, I8: {"i8", 1}, U8: {"u8", 1}, Bool: {"bool", 1},
}

// Size is the number of bytes of one element, 0 for no type.
func (d DType) Size() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].size
}

func (d DType) String() string {
	if d == 0 || int(d) >= len(dtypes) {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Elements is the product of shape, or false if it is negative or overflows an int64.
// The product of no dimensions is 1: a scalar.
func Elements(shape []int) (int64, bool) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d != 0 && n > math.MaxInt64/int64(d) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// Ref is a tensor that lies in a file. It is a value: copy it freely.
//
// The bytes are little-endian. Offset is where element [0,0,…] lies.
// Strides, in elements, are nil for the contiguous row-major order.
type Ref struct {
	Path           string
	Offset, Length int64 // bytes; Length spans first to last element
	DType          DType
	Shape, Strides []int
}

// Elements is the number of elements. The shape of a Ref from a checkpoint has been checked not to overflow.
func (r Ref) Elements() int {
	n, _ := Elements(r.Shape)
	return int(n)
}

// Contiguous reports whether the elements lie in row-major order without gaps.
func (r Ref) Contiguous() bool {
	if r.Strides == nil {
		return true
	}
	want := 1
	for i := len(r.Shape) - 1; i >= 0; i-- {
		if r.Shape[i] != 1 && r.Strides[i] != want {
			return false
		}
		want *= r.Shape[i]
	}
	return true
}

// Rows is the part [from, to) of r along its first axis. It panics if the range lies outside.
func (r Ref) Rows(from, to int) Ref {
	if len(r.Shape) == 0 || from < 0 || to < from || to > r.Shape[0] {
		panic(fmt.Sprintf("tensor: rows %d:%d of shape %v", from, to, r.Shape))
	}
	step := 1
	for _, d := range r.Shape[1:] {
		step *= d
	}
	if r.Strides != nil {
		step = r.Strides[0]
	}
	size := int64(r.DType.Size())
	out := r
	out.Shape = slices.Clone(r.Shape)
	out.Shape[0] = to - from
	out.Offset += int64(from) * int64(step) * size
	out.Length = 0
	if out.Elements() > 0 {
		out.Length = out.extent() * size
	}
	return out
}

// Read brings the elements into memory as float32, row-major. F64 and integers are rounded.
// Use it for what must be computed with (positional tables, scalars); weights stay in their file.
func (r Ref) Read() (Dense, error) {
	f, err := os.Open(r.Path)
	if err != nil {
		return Dense{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Dense{}, err
	}
	if r.Offset < 0 || r.Length < 0 || r.Offset > info.Size()-r.Length {
		return Dense{}, fmt.Errorf("%s: bytes %d+%d lie outside the file of %d bytes; it has changed since it was opened",
			r.Path, r.Offset, r.Length, info.Size())
	}
	raw := make([]byte, r.Length)
	if _, err := io.ReadFull(io.NewSectionReader(f, r.Offset, r.Length), raw); err != nil {
		return Dense{}, fmt.Errorf("%s: read %d bytes at %d: %w", r.Path, r.Length, r.Offset, err)
	}
	n := r.Elements()
	out := Dense{Shape: slices.Clone(r.Shape), Data: make([]float32, n)}
	size := r.DType.Size()
	if n > 0 && r.extent()*int64(size) > r.Length {
		return Dense{}, fmt.Errorf("%s: %d bytes are too few for shape %v of %v", r.Path, r.Length, r.Shape, r.DType)
	}
	if r.Contiguous() {
		for i := range out.Data {
			out.Data[i] = element(raw[i*size:], r.DType)
		}
		return out, nil
	}
	index := make([]int, len(r.Shape))
	at := 0
	for i := range out.Data {
		out.Data[i] = element(raw[at*size:], r.DType)
		for k := len(index) - 1; k >= 0; k-- {
			index[k]++
			at += r.Strides[k]
			if index[k] < r.Shape[k] {
				break
			}
			at -= index[k] * r.Strides[k]
			index[k] = 0
		}
	}
	return out, nil
}

// extent is the number of elements from the first to the last, inclusive.
func (r Ref) extent() int64 {
	if r.Strides == nil {
		return int64(r.Elements())
	}
	last := int64(0)
	for i, d := range r.Shape {
		last += int64(d-1) * int64(r.Strides[i])
	}
	return last + 1
}

func element(b []byte, d DType) float32 {
	switch d {
	case F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	case F16:
		return HalfToFloat(binary.LittleEndian.Uint16(b))
	case BF16:
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
	case F64:
		return float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case I64:
		return float32(int64(binary.LittleEndian.Uint64(b)))
	case I32:
		return float32(int32(binary.LittleEndian.Uint32(b)))
	case I16:
		return float32(int16(binary.LittleEndian.Uint16(b)))
	case I8:
		return float32(int8(b[0]))
	case U8, Bool:
		return float32(b[0])
	}
	return 0
}

// HalfToFloat is the value of an IEEE 754 binary16 number.
func HalfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp := uint32(h >> 10 & 0x1f)
	frac := uint32(h & 0x3ff)
	switch {
	case exp == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
	f := float32(frac) / (1 << 24) // subnormal, exact
	if sign != 0 {
		return -f
	}
	return f
}

// Dense is a float32 tensor in memory, row-major. The zero value is empty.
type Dense struct {
	Shape []int
	Data  []float32
}

// New is a Dense of zeros. It panics on a negative or overflowing shape.
func New(shape ...int) Dense {
	n, ok := Elements(shape)
	if !ok {
		panic(fmt.Sprintf("tensor: shape %v", shape))
	}
	return Dense{Shape: slices.Clone(shape), Data: make([]float32, n)}
}

// Rows are items from..to-1 along the first axis, sharing memory with d.
func (d Dense) Rows(from, to int) Dense {
	n := len(d.Data) / max(d.Shape[0], 1)
	return Dense{Shape: append([]int{to - from}, d.Shape[1:]...), Data: d.Data[from*n : to*n]}
}

// At is item i along the first axis, sharing memory with d.
func (d Dense) At(i int) Dense {
	n := 1
	for _, s := range d.Shape[1:] {
		n *= s
	}
	return Dense{Shape: d.Shape[1:], Data: d.Data[i*n : (i+1)*n]}
}
