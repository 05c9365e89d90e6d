// Package mat answers: which numbers are in a matrix that MATLAB saved?
package mat

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// Read reads a matrix of whole numbers 0..65535 from a MATLAB file of version 5, which is what MATLAB saves as
// -v6 and -v7 and SciPy always: any numeric class and storage type, either byte order, plain or compressed. MATLAB
// stores columns one after the other; the label map is row-major as always. Nothing is mapped or ignored.
//
// The format: MathWorks, "MAT-File Format", chapter 1.
func Read(path, variable string) (labelmap.Map, error) {
	data, err := files.Read(path, files.MaxBytes)
	if err != nil {
		return labelmap.Map{}, err
	}
	l, err := decode(data, variable)
	if err != nil {
		return labelmap.Map{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Data types of elements (table 1-1 of the format).
const (
	matInt8       = 1
	matUint8      = 2
	matInt16      = 3
	matUint16     = 4
	matInt32      = 5
	matUint32     = 6
	matSingle     = 7
	matDouble     = 9
	matInt64      = 12
	matUint64     = 13
	matMatrix     = 14
	matCompressed = 15
)

// matWidths holds the bytes of one number of each numeric data type.
var matWidths = map[uint32]int64{matInt8: 1, matUint8: 1, matInt16: 2, matUint16: 2, matInt32: 4, matUint32: 4,
	matSingle: 4, matDouble: 8, matInt64: 8, matUint64: 8}

// Array classes 6..15 are the numeric ones (table 1-3); the others by name.
const (
	matFirstNumeric = 6
	matLastNumeric  = 15
)

var matClasses = map[uint32]string{1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}

const (
	matHeaderLen   = 128
	matComplexFlag = 1 << 11
	matChunk       = 1 << 14 // numbers converted at once
	deflateRatio   = 1032    // the most bytes that deflate makes of one
)

func decode(data []byte, variable string) (labelmap.Map, error) {
	order, err := matOrder(data)
	if err != nil {
		return labelmap.Map{}, err
	}
	var others []string
	for rest := data[matHeaderLen:]; len(rest) >= 8; {
		kind, size := order.Uint32(rest), int64(order.Uint32(rest[4:]))
		rest = rest[8:]
		if size > int64(len(rest)) {
			return labelmap.Map{}, errMatTruncated
		}
		if kind == matMatrix || kind == matCompressed {
			s, err := newMatStream(rest[:size], kind == matCompressed, order)
			if err != nil {
				return labelmap.Map{}, err
			}
			h, err := s.header()
			if err != nil {
				return labelmap.Map{}, err
			}
			if h.name == variable {
				return s.labels(h)
			}
			others = append(others, fmt.Sprintf("%.40q", h.name))
		}
		rest = rest[size:]
	}
	if len(others) == 0 {
		return labelmap.Map{}, fmt.Errorf("no variable %q, nor any other: the file ends after its header", variable)
	}
	return labelmap.Map{}, fmt.Errorf("no variable %q; variables there are: %s", variable,
		strings.Join(others[:min(len(others), 10)], ", "))
}

var errMatTruncated = errors.New("truncated: the file ends before its matrix does; download it again")

// matOrder reads the header of the file: its version and byte order.
func matOrder(data []byte) (binary.ByteOrder, error) {
	const hdf5 = "\x89HDF\r\n\x1a\n"
	if bytes.HasPrefix(data, []byte(hdf5)) || bytes.HasPrefix(data, []byte("MATLAB 7.3")) ||
		len(data) > 512 && bytes.HasPrefix(data[512:], []byte(hdf5)) {
		return nil, errors.New(`this is a MATLAB file of version 7.3 (HDF5), which is not read here; load it in MATLAB and save it again with save(file, "-v7"), or with h5py and scipy.io.savemat`)
	}
	if name := picture.Foreign(data[:min(len(data), 64)]); name != "" {
		return nil, errors.New("not a MATLAB file: this is " + name)
	}
	if len(data) >= matHeaderLen {
		switch string(data[124:128]) {
		case "\x00\x01IM":
			return binary.LittleEndian, nil
		case "\x01\x00MI":
			return binary.BigEndian, nil
		}
	} else if len(data) == 0 || bytes.HasPrefix(data, []byte("MATLAB 5.0")) {
		return nil, errMatTruncated
	}
	return nil, fmt.Errorf(`not a MATLAB file of version 5: it begins with % x; save files of version 4 again with save(file, "-v7")`, data[:min(8, len(data))])
}

// A matStream reads the parts of one matrix element in turn. left bounds what they may still claim.
type matStream struct {
	r     io.Reader
	order binary.ByteOrder
	left  int64
}

// newMatStream begins at the first part of a matrix; body is what follows the tag of the element.
func newMatStream(body []byte, compressed bool, order binary.ByteOrder) (*matStream, error) {
	if !compressed {
		return &matStream{bytes.NewReader(body), order, int64(len(body))}, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, matReadError(err)
	}
	s := &matStream{z, order, int64(len(body)) * deflateRatio}
	kind, size, _, err := s.tag()
	if err != nil {
		return nil, err
	}
	if kind != matMatrix {
		return nil, fmt.Errorf("compressed element of type %d, want a matrix", kind)
	}
	s.left = size
	return s, nil
}

// tag reads the tag of an element: its type, the bytes of its data, and the data itself if it is stored in the tag.
func (s *matStream) tag() (kind uint32, size int64, small []byte, err error) {
	var tag [8]byte
	if err := s.read(tag[:]); err != nil {
		return 0, 0, nil, err
	}
	kind = s.order.Uint32(tag[:])
	if n := kind >> 16; n != 0 {
		if n > 4 {
			return 0, 0, nil, fmt.Errorf("damaged: a small element of %d bytes", n)
		}
		return kind & 0xffff, int64(n), tag[4 : 4+n], nil
	}
	size = int64(s.order.Uint32(tag[4:]))
	if size > s.left {
		return 0, 0, nil, errMatTruncated
	}
	return kind, size, nil, nil
}

// part reads an element of at most limit bytes with its padding.
func (s *matStream) part(limit int64) (kind uint32, data []byte, err error) {
	kind, size, data, err := s.tag()
	if err != nil || data != nil {
		return kind, data, err
	}
	if size > limit {
		return 0, nil, fmt.Errorf("damaged: %d bytes where at most %d belong", size, limit)
	}
	data = make([]byte, (size+7)&^7)
	return kind, data[:size], s.read(data)
}

func (s *matStream) read(b []byte) error {
	if int64(len(b)) > s.left {
		return errMatTruncated
	}
	s.left -= int64(len(b))
	_, err := io.ReadFull(s.r, b)
	return matReadError(err)
}

func matReadError(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errMatTruncated
	case err != nil:
		return fmt.Errorf("damaged: %w; download it again", err)
	}
	return nil
}

// A matArray is what a matrix element says of itself before its numbers.
type matArray struct {
	name    string
	class   uint32
	complex bool
	dims    []int64
}

func (s *matStream) header() (matArray, error) {
	var a matArray
	_, flags, err := s.part(8)
	if err != nil {
		return a, err
	}
	if len(flags) != 8 {
		return a, fmt.Errorf("damaged: array flags of %d bytes, want 8", len(flags))
	}
	word := s.order.Uint32(flags)
	a.class, a.complex = word&0xff, word&matComplexFlag != 0
	const maxDims, maxName = 32, 4096
	_, dims, err := s.part(4 * maxDims)
	if err != nil {
		return a, err
	}
	for ; len(dims) >= 4; dims = dims[4:] {
		a.dims = append(a.dims, int64(int32(s.order.Uint32(dims))))
	}
	_, name, err := s.part(maxName)
	a.name = string(name)
	return a, err
}

// labels reads the numbers of a.
func (s *matStream) labels(a matArray) (labelmap.Map, error) {
	l, err := a.size()
	if err != nil {
		return labelmap.Map{}, fmt.Errorf("variable %q: %w", a.name, err)
	}
	kind, size, small, err := s.tag()
	if err != nil {
		return labelmap.Map{}, err
	}
	n := int64(l.W) * int64(l.H)
	width, ok := matWidths[kind]
	if !ok || size != n*width {
		return labelmap.Map{}, fmt.Errorf("damaged: variable %q of %dx%d numbers has %d bytes of type %d", a.name, l.W,
			l.H, size, kind)
	}
	if small != nil {
		s.r, s.left = bytes.NewReader(small), size
	}
	l.Pix = make([]uint16, n)
	if err := s.numbers(l, kind, width); err != nil {
		return labelmap.Map{}, fmt.Errorf("variable %q: %w", a.name, err)
	}
	return l, s.close()
}

// size is the map that a fills, yet without pixels.
func (a matArray) size() (labelmap.Map, error) {
	if a.class < matFirstNumeric || a.class > matLastNumeric {
		what, ok := matClasses[a.class]
		if !ok {
			what = fmt.Sprintf("an array of class %d", a.class)
		}
		return labelmap.Map{}, fmt.Errorf("%s, want a matrix of numbers", what)
	}
	if a.complex {
		return labelmap.Map{}, errors.New("complex numbers, want labels")
	}
	if len(a.dims) != 2 || a.dims[0] <= 0 || a.dims[1] <= 0 {
		return labelmap.Map{}, fmt.Errorf("dimensions %v, want rows and columns", a.dims)
	}
	if a.dims[0] > files.MaxPixels/a.dims[1] {
		return labelmap.Map{}, fmt.Errorf("%d rows and %d columns, more than the limit of %d numbers", a.dims[0],
			a.dims[1], files.MaxPixels)
	}
	return labelmap.Map{W: int(a.dims[1]), H: int(a.dims[0])}, nil
}

// numbers fills l from numbers of a type that lie column by column.
func (s *matStream) numbers(l labelmap.Map, kind uint32, width int64) error {
	n := len(l.Pix)
	values := make([]uint16, min(n, matChunk))
	raw := make([]byte, int64(len(values))*width)
	x, y := 0, 0
	for first := 0; first < n; first += len(values) {
		values = values[:min(len(values), n-first)]
		raw = raw[:int64(len(values))*width]
		if err := s.read(raw); err != nil {
			return err
		}
		if bad := s.convert(values, raw, kind, int(width)); bad >= 0 {
			at := first + bad
			return fmt.Errorf("%w: %v at x %d, y %d; labels are whole numbers 0..65535", labelmap.ErrValue,
				matNumber(raw[bad*int(width):], kind, s.order), at/l.H, at%l.H)
		}
		for left := values; len(left) > 0; { // down column x from row y on
			part := left[:min(len(left), l.H-y)]
			for p, v := range part {
				l.Pix[(y+p)*l.W+x] = v
			}
			if y += len(part); y == l.H {
				x, y = x+1, 0
			}
			left = left[len(part):]
		}
	}
	return nil
}

// convert turns raw numbers into values. It returns the index of the first that is not a label, else -1.
func (s *matStream) convert(values []uint16, raw []byte, kind uint32, width int) int {
	switch kind {
	case matUint8:
		for i, v := range raw {
			values[i] = uint16(v)
		}
		return -1
	case matUint16: // what PASCAL Context has
		big := s.order == binary.ByteOrder(binary.BigEndian)
		for i := range values {
			v := uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
			if big {
				v = v<<8 | v>>8
			}
			values[i] = v
		}
		return -1
	}
	for i := range values {
		v := matNumber(raw[i*width:], kind, s.order)
		values[i] = uint16(max(0, min(v, math.MaxUint16)))
		if float64(values[i]) != v {
			return i
		}
	}
	return -1
}

// matNumber is the number that b begins with. What float64 rounds is far from any label.
func matNumber(b []byte, kind uint32, order binary.ByteOrder) float64 {
	switch kind {
	case matInt8:
		return float64(int8(b[0]))
	case matUint8:
		return float64(b[0])
	case matInt16:
		return float64(int16(order.Uint16(b)))
	case matUint16:
		return float64(order.Uint16(b))
	case matInt32:
		return float64(int32(order.Uint32(b)))
	case matUint32:
		return float64(order.Uint32(b))
	case matSingle:
		return float64(math.Float32frombits(order.Uint32(b)))
	case matInt64:
		return float64(int64(order.Uint64(b)))
	case matUint64:
		return float64(order.Uint64(b))
	}
	return math.Float64frombits(order.Uint64(b))
}

// close reads to the end of a compressed element, where its checksum stands.
func (s *matStream) close() error {
	_, err := io.CopyN(io.Discard, s.r, 8) // padding
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return matReadError(err)
}
