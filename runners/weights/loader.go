package weights

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ovbench/runners/checkpoint"
	"ovbench/runners/tensor"
)

// Loader takes tensors out of a checkpoint by name, checks their shapes and keeps the first fault: see [Loader.Err].
// After a fault everything it gives is empty. It is for one goroutine.
type Loader struct {
	family  string
	tensors map[string]tensor.Ref
	names   []string // of tensors, sorted
	used    map[string]bool
	notes   []string
	err     error
}

// NewLoader reads from c. Messages say that a model of this family, such as "CLIP", was looked for.
func NewLoader(c *checkpoint.Checkpoint, family string) *Loader {
	return &Loader{family: family, tensors: c.Tensors, names: c.Names(), used: map[string]bool{},
		notes: slices.Clone(c.Notes)}
}

// Err is the first fault.
func (l *Loader) Err() error { return l.err }

// Fail records a fault, unless there is one.
func (l *Loader) Fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// Notes say what was left out or chosen, in words for the user.
func (l *Loader) Notes() []string { return l.notes }

// Names lists the tensors, sorted. The caller may not change it.
func (l *Loader) Names() []string { return l.names }

// Has reports whether there is a tensor of that name.
func (l *Loader) Has(name string) bool {
	_, ok := l.tensors[name]
	return ok
}

// Shape is the shape of a tensor, nil if there is none.
func (l *Loader) Shape(name string) []int { return l.tensors[name].Shape }

// Rename gives every tensor another name. Two may not get the same.
func (l *Loader) Rename(f func(string) string) {
	out := make(map[string]tensor.Ref, len(l.tensors))
	for _, name := range l.names {
		to := f(name)
		if _, twice := out[to]; twice {
			l.Fail("tensor %s stands in the file twice, under different prefixes: save the model alone", to)
		}
		out[to] = l.tensors[name]
	}
	l.tensors, l.names = out, slices.Sorted(maps.Keys(out))
}

// Any takes a tensor of whatever shape with the given number of axes.
func (l *Loader) Any(name string, axes int) Tensor {
	if l.err != nil {
		return Tensor{}
	}
	r, ok := l.tensors[name]
	l.used[name] = true
	if !ok {
		l.Fail("tensor %s is missing: this is no %s checkpoint, or only a part of one", name, l.family)
		return Tensor{}
	}
	if len(r.Shape) != axes || slices.Contains(r.Shape, 0) {
		l.Fail("tensor %s has shape %v, want %d axes", name, r.Shape, axes)
		return Tensor{}
	}
	if r.DType != tensor.F32 && r.DType != tensor.F16 && r.DType != tensor.BF16 {
		l.Fail("tensor %s is of type %v; ovbench reads f32, f16 and bf16", name, r.DType)
		return Tensor{}
	}
	return l.settle(name, r)
}

// settle brings tensors that a graph cannot point at into memory.
func (l *Loader) settle(name string, r tensor.Ref) Tensor {
	t := Tensor{Name: name, Ref: r}
	if !r.Contiguous() {
		d, err := r.Read()
		if err != nil {
			l.Fail("tensor %s: %w", name, err)
		}
		t.Data = &d
	}
	return t
}

// Take takes a tensor of the given shape.
func (l *Loader) Take(name string, shape ...int) Tensor {
	t := l.Any(name, len(shape))
	if l.err == nil && !slices.Equal(t.Shape, shape) {
		l.Fail("tensor %s has shape %v, want %v", name, t.Shape, shape)
	}
	return t
}

// Read takes a tensor of the given shape and reads its numbers.
func (l *Loader) Read(name string, shape ...int) tensor.Dense {
	t := l.Take(name, shape...)
	if l.err != nil {
		return tensor.Dense{}
	}
	d, err := t.Ref.Read()
	if err != nil {
		l.Fail("tensor %s: %w", name, err)
	}
	return d
}

// Scalar takes a single number, whatever its axes.
func (l *Loader) Scalar(name string) float64 {
	if l.err != nil {
		return 0
	}
	r, ok := l.tensors[name]
	l.used[name] = true
	d, err := r.Read()
	if !ok || err != nil || len(d.Data) != 1 {
		l.Fail("tensor %s has shape %v, want a single number (%v)", name, r.Shape, err)
		return 0
	}
	return float64(d.Data[0])
}

// Norm takes name.weight and name.bias, both [width].
func (l *Loader) Norm(name string, width int) Norm {
	return Norm{l.Take(name+".weight", width), l.Take(name+".bias", width)}
}

// Linear takes name.weight [out, in] and name.bias [out].
func (l *Loader) Linear(name string, out, in int) Linear {
	return Linear{l.Take(name+".weight", out, in), l.Take(name+".bias", out)}
}

// Fused takes a projection that stacks several of width outputs, such as queries, keys and values: weight
// [len(parts)·width, in] and bias. The parts stay where they lie, under the names weight.part and bias.part.
func (l *Loader) Fused(weight, bias string, width, in int, parts ...string) []Linear {
	w, b := l.Take(weight, len(parts)*width, in), l.Take(bias, len(parts)*width)
	out := make([]Linear, len(parts))
	if l.err != nil {
		return out
	}
	rows := func(t Tensor, i int) Tensor { return l.settle(t.Name+"."+parts[i], t.Ref.Rows(i*width, (i+1)*width)) }
	for i := range out {
		out[i] = Linear{rows(w, i), rows(b, i)}
	}
	return out
}

// Table takes rows of the given width, behind axes of 1, and reads their numbers: [rows, width].
func (l *Loader) Table(name string, width int) tensor.Dense {
	t := l.Any(name, max(1, len(l.tensors[name].Shape)))
	if l.err != nil {
		return tensor.Dense{}
	}
	n := t.Elements()
	rows := 1
	if k := len(t.Shape); k > 1 {
		rows = t.Shape[k-2]
	}
	if t.Shape[len(t.Shape)-1] != width || rows*width != n {
		l.Fail("tensor %s has shape %v, want rows of %d", name, t.Shape, width)
		return tensor.Dense{}
	}
	d, err := t.Ref.Read()
	if err != nil {
		l.Fail("tensor %s: %w", name, err)
	}
	d.Shape = []int{rows, width}
	return d
}

// Projection takes a linear map without activation: name.weight [out, in], with name.bias if there is one, or name
// itself [in, out].
func (l *Loader) Projection(name string, out, in int) Projection {
	if !l.Has(name + ".weight") {
		return Projection{Weight: l.Take(name, in, out)}
	}
	p := Projection{Weight: l.Take(name+".weight", out, in), Transposed: true}
	if l.Has(name + ".bias") {
		p.Bias = l.Take(name+".bias", out)
	}
	return p
}

// Side is the side of a square grid of cells, for which tensor name has rows behind lead others; other numbers are a
// fault.
func (l *Loader) Side(name string, rows, lead int) int {
	n := rows - lead
	side := int(math.Sqrt(float64(max(n, 0))) + 0.5)
	if l.err == nil && (n < 1 || side*side != n) {
		l.Fail("tensor %s has %d rows, want %d + a square number", name, rows, lead)
	}
	return side
}

// Count is the number of consecutively numbered children of prefix: 2 where there are prefix.0.… and prefix.1.…
func (l *Loader) Count(prefix string) int {
	if l.err != nil {
		return 0
	}
	n, err := count(l.names, prefix)
	if err != nil {
		l.Fail("%w", err)
	} else if n == 0 {
		l.Fail("no tensors under %s: this is no %s checkpoint, or only a part of one", prefix, l.family)
	}
	return n
}

// Blocks loads every numbered child of prefix by its name, "prefix.0" and so on.
func Blocks[B any](l *Loader, prefix string, load func(prefix string) B) []B {
	out := make([]B, l.Count(prefix))
	for i := range out {
		out[i] = load(fmt.Sprintf("%s.%d", prefix, i))
	}
	return out
}

var childIndex = regexp.MustCompile(`^(\d+)\.`)

func count(names []string, prefix string) (int, error) {
	seen := map[int]bool{}
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, prefix+".")
		if m := childIndex.FindStringSubmatch(rest); ok && m != nil {
			i, err := strconv.Atoi(m[1])
			if err != nil || i > 999 {
				return 0, fmt.Errorf("tensor %s: block number out of range", name)
			}
			seen[i] = true
		}
	}
	for i := range len(seen) {
		if !seen[i] {
			return 0, fmt.Errorf("block %d of %s is missing", i, prefix)
		}
	}
	return len(seen), nil
}

// Left lists the tensors nobody took, sorted.
func (l *Loader) Left() []string {
	return slices.DeleteFunc(slices.Clone(l.names), func(name string) bool { return l.used[name] })
}
