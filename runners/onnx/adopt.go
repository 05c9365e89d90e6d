package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Foreign is a model that another program exported.
type Foreign struct {
	Model []byte   // the ModelProto, to be run as those of [Graph.Model] are
	Files []string // the file, and those beside it that hold weights
	Ops   []string // the kinds of its operators, sorted
	// Patch is the side of the squares that its first convolution without overlap takes; 0 if there is none.
	Patch int
}

// maxForeign bounds the file, whose format ends at 2 GiB.
const maxForeign = 1<<31 - 1

// Adopt reads the model at path, keeps of its outputs those that keep wants and makes the places of weights in other
// files absolute. What only the other outputs need is not computed: ONNX Runtime drops it.
func Adopt(path string, keep func(output string) bool) (*Foreign, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxForeign {
		return nil, fmt.Errorf("%s: not a file of an ONNX model (at most 2 GiB)", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	real, err := filepath.Abs(path)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return nil, err
	}
	a := adoption{keep: keep, dir: filepath.Dir(real), files: []string{path}}
	model, err := rewrite(data, 7, a.graph) // graph
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !a.kept {
		return nil, fmt.Errorf("%s: its outputs are %s", path, strings.Join(a.outputs, ", "))
	}
	slices.Sort(a.ops)
	return &Foreign{model, a.files, slices.Compact(a.ops), a.patch}, nil
}

type adoption struct {
	keep    func(string) bool
	dir     string
	files   []string
	outputs []string
	kept    bool
	ops     []string
	patch   int
}

var errNotONNX = errors.New("not an ONNX model, or cut short")

// graph rewrites a GraphProto: initializers and outputs.
func (a *adoption) graph(b []byte) ([]byte, error) {
	out := make([]byte, 0, len(b)+1<<10)
	err := walk(b, func(num protowire.Number, field, content []byte) error {
		switch num {
		case 1: // node
			if err := a.node(content); err != nil {
				return err
			}
		case 5: // initializer
			weight, err := rewrite(content, 13, a.entry) // external_data
			if err != nil {
				return err
			}
			out = message(out, num, weight)
			return nil
		case 12: // output
			name, err := text(content, 1)
			if err != nil {
				return err
			}
			a.outputs = append(a.outputs, name)
			if !a.keep(name) {
				return nil
			}
			a.kept = true
		}
		out = append(out, field...)
		return nil
	})
	return out, err
}

// entry makes the path in an entry of external_data absolute, without the leading slash.
func (a *adoption) entry(b []byte) ([]byte, error) {
	key, err := text(b, 1)
	if err != nil || key != "location" {
		return b, err
	}
	value, err := text(b, 2)
	if err != nil {
		return nil, err
	}
	if !filepath.IsLocal(value) {
		return nil, fmt.Errorf("weights in %q, outside of the model's folder", value)
	}
	path := filepath.Join(a.dir, value)
	if !slices.Contains(a.files, path) {
		a.files = append(a.files, path)
	}
	return str(str(nil, 1, key), 2, strings.TrimPrefix(filepath.ToSlash(path), "/")), nil
}

// node notes what a NodeProto is, and the squares of the first convolution whose stride is its kernel.
func (a *adoption) node(b []byte) error {
	op, err := text(b, 4)
	if err != nil {
		return err
	}
	a.ops = append(a.ops, op)
	if op != "Conv" || a.patch != 0 {
		return nil
	}
	sizes := map[string][]uint64{}
	err = walk(b, func(num protowire.Number, _, content []byte) error {
		if num != 5 { // attribute
			return nil
		}
		name, err := text(content, 1)
		if err == nil {
			sizes[name], err = numbers(content, 8) // ints
		}
		return err
	})
	kernel := sizes["kernel_shape"]
	if len(kernel) == 2 && kernel[0] > 1 && kernel[0] < 1<<10 && kernel[0] == kernel[1] &&
		slices.Equal(kernel, sizes["strides"]) {
		a.patch = int(kernel[0])
	}
	return err
}

// walk calls do with every field of a message: its number, all its bytes, and the content if it is of variable length.
func walk(b []byte, do func(num protowire.Number, field, content []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errNotONNX
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return errNotONNX
		}
		field := b[:n+size]
		var content []byte
		if typ == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(field[n:])
		}
		if err := do(num, field, content); err != nil {
			return err
		}
		b = b[n+size:]
	}
	return nil
}

// rewrite is the message with every field of the number replaced.
func rewrite(b []byte, num protowire.Number, replace func([]byte) ([]byte, error)) ([]byte, error) {
	out := make([]byte, 0, len(b)+1<<10)
	err := walk(b, func(n protowire.Number, field, content []byte) error {
		if n != num {
			out = append(out, field...)
			return nil
		}
		with, err := replace(content)
		out = message(out, n, with)
		return err
	})
	return out, err
}

// text is the string in a field.
func text(b []byte, num protowire.Number) (s string, err error) {
	err = walk(b, func(n protowire.Number, _, content []byte) error {
		if n == num {
			s = string(content)
		}
		return nil
	})
	return s, err
}

// numbers are the integers in a repeated field, packed or not.
func numbers(b []byte, num protowire.Number) (out []uint64, err error) {
	err = walk(b, func(n protowire.Number, field, content []byte) error {
		if n != num {
			return nil
		}
		if content == nil { // one number, behind its tag
			_, _, skip := protowire.ConsumeTag(field)
			content = field[skip:]
		}
		for len(content) > 0 {
			v, n := protowire.ConsumeVarint(content)
			if n < 0 {
				return errNotONNX
			}
			out, content = append(out, v), content[n:]
		}
		return nil
	})
	return out, err
}
