package checkpoint

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"ovbench/runners/tensor"
)

// maxHeader is the largest header the safetensors format allows, in bytes.
const maxHeader = 100_000_000

// safetensorsTypes are the format's names of the element types Ref knows.
var safetensorsTypes = map[string]tensor.DType{
	"F64": tensor.F64, "F32": tensor.F32, "F16": tensor.F16, "BF16": tensor.BF16,
	"I64": tensor.I64, "I32": tensor.I32, "I16": tensor.I16, "I8": tensor.I8, "U8": tensor.U8, "BOOL": tensor.Bool,
}

// readSafetensors reads the header of a safetensors file: eight bytes of little-endian length, then
// that much JSON, then the numbers without gaps
// (https://huggingface.co/docs/safetensors/index#format).
func readSafetensors(path string, f io.ReaderAt, size int64) (contents, error) {
	var length [8]byte
	if _, err := f.ReadAt(length[:], 0); err != nil {
		return contents{}, fmt.Errorf("safetensors header: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return contents{}, fmt.Errorf("safetensors header claims %d bytes; the format allows %d", n, maxHeader)
	}
	if int64(n) > size-8 {
		return contents{}, fmt.Errorf("safetensors header claims %d bytes, but the file has %d; download it again", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(f, 8, int64(n)), header); err != nil {
		return contents{}, fmt.Errorf("safetensors header: %w", err)
	}
	c, err := parseSafetensors(header)
	if err != nil {
		return contents{}, fmt.Errorf("safetensors header: %w", err)
	}
	if err := checkRanges(c.tensors, size-8-int64(n)); err != nil {
		return contents{}, err
	}
	for name, r := range c.tensors {
		r.Path, r.Offset = path, r.Offset+8+int64(n)
		c.tensors[name] = r
	}
	return c, nil
}

// parseSafetensors reads the JSON of a header. Offsets count from the end of the header.
func parseSafetensors(header []byte) (contents, error) {
	c := contents{format: Safetensors, tensors: map[string]tensor.Ref{}}
	j, err := newJSON(header)
	if err != nil {
		return c, err
	}
	err = j.object(func(key string) error {
		if key == "__metadata__" {
			c.metadata = map[string]string{}
			return j.object(func(key string) (err error) {
				c.metadata[key], err = j.text()
				return err
			})
		}
		if err := checkName(key); err != nil {
			return err
		}
		r, err := parseEntry(j)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		c.tensors[key] = r
		return nil
	})
	if err != nil {
		return c, err
	}
	return c, j.end()
}

// parseEntry reads {"dtype": …, "shape": […], "data_offsets": [begin, end]}.
func parseEntry(j jsonReader) (tensor.Ref, error) {
	var dtype string
	r := tensor.Ref{Shape: []int{}}
	var offsets []int
	integers := func(limit int, to *[]int) error {
		return j.array(limit, func() error {
			i, err := j.integer()
			*to = append(*to, i)
			return err
		})
	}
	fields := 0
	err := j.object(func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			dtype, err = j.text()
		case "shape":
			err = integers(maxRank, &r.Shape)
		case "data_offsets":
			err = integers(2, &offsets)
		default:
			return fmt.Errorf("key %q is not known", key)
		}
		return err
	})
	switch {
	case err != nil:
		return r, err
	case fields != 3 || len(offsets) != 2:
		return r, errors.New("needs dtype, shape and two data_offsets")
	}
	var ok bool
	if r.DType, ok = safetensorsTypes[dtype]; !ok {
		return r, fmt.Errorf("dtype %q is not read; convert it to F32, F16 or BF16", dtype)
	}
	n, err := checkShape(r.Shape)
	if err != nil {
		return r, err
	}
	begin, end := int64(offsets[0]), int64(offsets[1])
	size := int64(r.DType.Size())
	if end < begin || (end-begin)%size != 0 || (end-begin)/size != n {
		return r, fmt.Errorf("data_offsets [%d, %d] do not hold %s of shape %v; re-export the model", begin, end, dtype,
			r.Shape)
	}
	r.Offset, r.Length = begin, end-begin
	return r, nil
}

// checkRanges makes sure that the tensors fill size bytes without overlap or gap, as the format demands.
func checkRanges(tensors map[string]tensor.Ref, size int64) error {
	names := make([]string, 0, len(tensors))
	for name := range tensors {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		ra, rb := tensors[a], tensors[b]
		return cmp.Or(cmp.Compare(ra.Offset, rb.Offset), cmp.Compare(ra.Length, rb.Length), cmp.Compare(a, b))
	})
	at, before := int64(0), ""
	for _, name := range names {
		r := tensors[name]
		switch {
		case r.Offset < at:
			return fmt.Errorf("tensor %q overlaps tensor %q; re-export the model", name, before)
		case r.Offset > at:
			return fmt.Errorf("%d bytes before tensor %q belong to no tensor; re-export the model", r.Offset-at, name)
		case r.Length > size-r.Offset:
			return fmt.Errorf("tensor %q ends at byte %d of %d; the file is cut short, download it again", name,
				r.Offset+r.Length, size)
		}
		at, before = r.Offset+r.Length, name
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor belong to no tensor; download the file again", size-at)
	}
	return nil
}
