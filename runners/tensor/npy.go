package tensor

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// WriteNPY writes d in NumPy's .npy format, version 1.0, little-endian float32, C order.
func WriteNPY(w io.Writer, d Dense) error {
	return writeNPY(w, "<f4", d.Shape, len(d.Data), func(b []byte, i int) []byte {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(d.Data[i]))
	})
}

// WriteNPYInt32 is WriteNPY for integers such as token ids.
func WriteNPYInt32(w io.Writer, shape []int, data []int32) error {
	return writeNPY(w, "<i4", shape, len(data), func(b []byte, i int) []byte {
		return binary.LittleEndian.AppendUint32(b, uint32(data[i]))
	})
}

// WriteNPYRows is WriteNPY for an array that need not be in memory: row gives its parts along the first axis, in order.
func WriteNPYRows(w io.Writer, shape []int, row func(i int) ([]float32, error)) error {
	n, ok := Elements(shape)
	if !ok || len(shape) == 0 {
		return fmt.Errorf("npy: shape %v has no rows", shape)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(npyPreamble("<f4", shape))
	var b []byte
	for i := range shape[0] {
		data, err := row(i)
		if err != nil {
			return err
		}
		if int64(len(data)) != n/int64(shape[0]) {
			return fmt.Errorf("npy: row %d of shape %v has %d elements", i, shape, len(data))
		}
		for _, v := range data {
			b = binary.LittleEndian.AppendUint32(b[:0], math.Float32bits(v))
			out.Write(b)
		}
	}
	return out.Flush()
}

// WriteNPYBytes is WriteNPY for bytes such as pictures. fill hands them over portion by portion, so that they need not
// fit into memory.
func WriteNPYBytes(w io.Writer, shape []int, fill func(put func([]byte) error) error) error {
	left, ok := Elements(shape)
	if !ok {
		return fmt.Errorf("npy: shape %v is too large", shape)
	}
	if _, err := io.WriteString(w, npyPreamble("|u1", shape)); err != nil {
		return err
	}
	err := fill(func(b []byte) error {
		if left -= int64(len(b)); left < 0 {
			return fmt.Errorf("npy: more bytes than shape %v has", shape)
		}
		_, err := w.Write(b)
		return err
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("npy: %d of the bytes of shape %v are missing", left, shape)
	}
	return err
}

func writeNPY(w io.Writer, descr string, shape []int, n int, put func([]byte, int) []byte) error {
	if want, ok := Elements(shape); !ok || want != int64(n) {
		return fmt.Errorf("npy: shape %v has not %d elements", shape, n)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(npyPreamble(descr, shape))
	var b []byte
	for i := range n {
		b = put(b[:0], i)
		out.Write(b)
	}
	return out.Flush()
}

// npyPreamble is what stands before the elements.
func npyPreamble(descr string, shape []int) string {
	dims := make([]string, len(shape))
	for i, s := range shape {
		dims[i] = strconv.Itoa(s)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	pad := (64 - (10+len(header)+1)%64) % 64
	header += strings.Repeat(" ", pad) + "\n"
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(header)))) + header
}

var npyHeader = regexp.MustCompile(`'descr':\s*'([<|>=]?)([a-zA-Z])(\d+)'.*'fortran_order':\s*(True|False).*'shape':\s*\(([\d, L]*)\)`)

// maxNPY bounds what ReadNPY allocates, in elements.
const maxNPY = 1 << 30

// ReadNPY reads a .npy file of any real number type as float32, row-major whatever the file's order.
func ReadNPY(r io.Reader) (Dense, error) {
	var out Dense
	columns, err := readNPY(r, &out.Shape, maxNPY, func(v float64) { out.Data = append(out.Data, float32(v)) })
	if err != nil {
		return Dense{}, err
	}
	if columns {
		out.Data = rowMajor(out.Data, out.Shape)
	}
	return out, nil
}

// rowMajor reorders elements whose first index runs fastest, numpy's Fortran order.
func rowMajor[T any](data []T, shape []int) []T {
	out := make([]T, 0, len(data))
	at := make([]int, len(shape))
	for range data {
		from := 0
		for axis := len(shape) - 1; axis >= 0; axis-- {
			from = from*shape[axis] + at[axis]
		}
		out = append(out, data[from])
		for axis := len(shape) - 1; axis >= 0; axis-- {
			if at[axis]++; at[axis] < shape[axis] {
				break
			}
			at[axis] = 0
		}
	}
	return out
}

// ReadNPY64 is ReadNPY without loss, of at most so many elements: as float64, which holds every float and integers up to
// 2^53.
func ReadNPY64(r io.Reader, most int64) (shape []int, data []float64, err error) {
	columns, err := readNPY(r, &shape, min(most, maxNPY), func(v float64) { data = append(data, v) })
	if err != nil {
		return nil, nil, err
	}
	if columns {
		data = rowMajor(data, shape)
	}
	return shape, data, nil
}

// npyTypes are the elements of the types that are read, by numpy's kind and size, from bytes of their order.
var npyTypes = map[string]func([]byte, binary.ByteOrder) float64{
	"f2": func(b []byte, o binary.ByteOrder) float64 { return float64(HalfToFloat(o.Uint16(b))) },
	"f4": func(b []byte, o binary.ByteOrder) float64 { return float64(math.Float32frombits(o.Uint32(b))) },
	"f8": func(b []byte, o binary.ByteOrder) float64 { return math.Float64frombits(o.Uint64(b)) },
	"i1": func(b []byte, _ binary.ByteOrder) float64 { return float64(int8(b[0])) },
	"i2": func(b []byte, o binary.ByteOrder) float64 { return float64(int16(o.Uint16(b))) },
	"i4": func(b []byte, o binary.ByteOrder) float64 { return float64(int32(o.Uint32(b))) },
	"i8": func(b []byte, o binary.ByteOrder) float64 { return float64(int64(o.Uint64(b))) },
	"u1": func(b []byte, _ binary.ByteOrder) float64 { return float64(b[0]) },
	"u2": func(b []byte, o binary.ByteOrder) float64 { return float64(o.Uint16(b)) },
	"u4": func(b []byte, o binary.ByteOrder) float64 { return float64(o.Uint32(b)) },
	"u8": func(b []byte, o binary.ByteOrder) float64 { return float64(o.Uint64(b)) },
	"b1": func(b []byte, _ binary.ByteOrder) float64 { return float64(b[0]) },
}

// readNPY reads a header into shape and hands over the elements one by one. Memory grows with what is read, not with
// what the header claims. columns says that the first index runs fastest.
func readNPY(r io.Reader, shape *[]int, most int64, put func(float64)) (columns bool, err error) {
	header, err := npyHeaderText(r)
	if err != nil {
		return false, err
	}
	m := npyHeader.FindStringSubmatch(header)
	if m == nil {
		return false, fmt.Errorf("npy: header %q is not understood", strings.TrimSpace(header))
	}
	value, ok := npyTypes[m[2]+m[3]]
	if !ok {
		return false, fmt.Errorf("npy: type %s%s%s is not supported; want real numbers of at most 64 bits", m[1], m[2], m[3])
	}
	var order binary.ByteOrder = binary.LittleEndian
	if m[1] == ">" {
		order = binary.BigEndian
	}
	for s := range strings.SplitSeq(m[5], ",") {
		if s = strings.Trim(s, " L"); s != "" {
			d, err := strconv.Atoi(s)
			if err != nil {
				return false, fmt.Errorf("npy: shape (%s)", m[5])
			}
			*shape = append(*shape, d)
		}
	}
	count, ok := Elements(*shape)
	if !ok || count > most {
		return false, fmt.Errorf("npy: shape %v is too large: at most %d elements are read", *shape, most)
	}
	size := int(m[3][0] - '0')
	buf := make([]byte, 1<<16/size*size)
	for left := count; left > 0; {
		chunk := buf[:min(int64(len(buf)), left*int64(size))]
		if _, err := io.ReadFull(r, chunk); err != nil {
			return false, fmt.Errorf("npy: %d of %d elements are missing: %w", left, count, err)
		}
		for i := 0; i < len(chunk); i += size {
			put(value(chunk[i:], order))
		}
		left -= int64(len(chunk) / size)
	}
	return m[4] == "True", nil
}

func npyHeaderText(r io.Reader) (string, error) {
	var magic [8]byte
	switch _, err := io.ReadFull(r, magic[:]); {
	case err == io.EOF:
		return "", errors.New("npy: the file has zero bytes")
	case err != nil || string(magic[:6]) != "\x93NUMPY":
		return "", errors.New("npy: not a .npy file")
	}
	width := 2 // of the length
	switch magic[6] {
	case 1:
	case 2, 3:
		width = 4
	default:
		return "", fmt.Errorf("npy: version %d is not known", magic[6])
	}
	var l [4]byte
	if _, err := io.ReadFull(r, l[:width]); err != nil {
		return "", fmt.Errorf("npy: header: %w", err)
	}
	n := binary.LittleEndian.Uint32(l[:])
	if n > 1<<16 {
		return "", fmt.Errorf("npy: header of %d bytes", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", fmt.Errorf("npy: header: %w", err)
	}
	return string(header), nil
}
