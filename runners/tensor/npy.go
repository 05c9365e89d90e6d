package tensor

import (
	"bufio"
	"bytes"
	"encoding/binary"
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

func writeNPY(w io.Writer, descr string, shape []int, n int, put func([]byte, int) []byte) error {
	if want, ok := Elements(shape); !ok || want != int64(n) {
		return fmt.Errorf("npy: shape %v has not %d elements", shape, n)
	}
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
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString("\x93NUMPY\x01\x00")
	out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	out.WriteString(header)
	var b []byte
	for i := range n {
		b = put(b[:0], i)
		out.Write(b)
	}
	return out.Flush()
}

var npyHeader = regexp.MustCompile(`'descr':\s*'([<|>=]?)([a-z])(\d)'.*'fortran_order':\s*(True|False).*'shape':\s*\(([\d, L]*)\)`)

// maxNPY bounds what ReadNPY allocates, in elements.
const maxNPY = 1 << 30

// ReadNPY reads a .npy file of any little-endian number type in C order as float32.
func ReadNPY(r io.Reader) (Dense, error) {
	var magic [8]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil || string(magic[:6]) != "\x93NUMPY" {
		return Dense{}, fmt.Errorf("npy: not a .npy file")
	}
	var n int
	switch magic[6] {
	case 1:
		var l [2]byte
		if _, err := io.ReadFull(r, l[:]); err != nil {
			return Dense{}, fmt.Errorf("npy: header: %w", err)
		}
		n = int(binary.LittleEndian.Uint16(l[:]))
	case 2, 3:
		var l [4]byte
		if _, err := io.ReadFull(r, l[:]); err != nil {
			return Dense{}, fmt.Errorf("npy: header: %w", err)
		}
		n = int(binary.LittleEndian.Uint32(l[:]))
	default:
		return Dense{}, fmt.Errorf("npy: version %d is not known", magic[6])
	}
	if n > 1<<16 {
		return Dense{}, fmt.Errorf("npy: header of %d bytes", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return Dense{}, fmt.Errorf("npy: header: %w", err)
	}
	m := npyHeader.FindStringSubmatch(string(header))
	if m == nil {
		return Dense{}, fmt.Errorf("npy: header %q is not understood", bytes.TrimSpace(header))
	}
	kind := m[2] + m[3]
	dtype, ok := map[string]DType{"f4": F32, "f2": F16, "f8": F64, "i8": I64, "i4": I32, "i2": I16, "i1": I8, "u1": U8, "b1": Bool}[kind]
	if !ok || m[1] == ">" {
		return Dense{}, fmt.Errorf("npy: type %s%s is not supported", m[1], kind)
	}
	if m[4] == "True" {
		return Dense{}, fmt.Errorf("npy: Fortran order is not supported; save numpy.ascontiguousarray(x)")
	}
	var shape []int
	for s := range strings.SplitSeq(m[5], ",") {
		if s = strings.Trim(s, " L"); s != "" {
			d, err := strconv.Atoi(s)
			if err != nil {
				return Dense{}, fmt.Errorf("npy: shape (%s)", m[5])
			}
			shape = append(shape, d)
		}
	}
	count, ok := Elements(shape)
	if !ok || count > maxNPY {
		return Dense{}, fmt.Errorf("npy: shape %v is too large", shape)
	}
	out := Dense{Shape: shape}
	size := dtype.Size()
	buf := make([]byte, 1<<16/size*size)
	for left := count; left > 0; {
		chunk := buf[:min(int64(len(buf)), left*int64(size))]
		if _, err := io.ReadFull(r, chunk); err != nil {
			return Dense{}, fmt.Errorf("npy: %d of %d elements are missing: %w", left, count, err)
		}
		for i := 0; i < len(chunk); i += size {
			out.Data = append(out.Data, element(chunk[i:], dtype))
		}
		left -= int64(len(chunk) / size)
	}
	return out, nil
}
