package clip

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"ovbench/runners/tensor"
)

// loader looks tensors up, checks their shapes and keeps the first fault.
type loader struct {
	tensors map[string]tensor.Ref
	names   []string
	used    map[string]bool
	err     error
}

// unwrap drops prefixes under which wrappers of CLIP keep the model, and gives open_clip's CustomTextCLIP
// the names of CLIP.
func (l *loader) unwrap() {
	rename := func(f func(string) string) {
		out := make(map[string]tensor.Ref, len(l.tensors))
		for name, r := range l.tensors {
			out[f(name)] = r
		}
		l.tensors, l.names = out, nil
		for name := range out {
			l.names = append(l.names, name)
		}
		slices.Sort(l.names)
	}
	for _, prefix := range []string{"model.", "clip.", "clip_model."} {
		_, openai := l.tensors[prefix+"visual.conv1.weight"]
		_, hf := l.tensors[prefix+"vision_model.embeddings.class_embedding"]
		if openai || hf {
			rename(func(s string) string { return strings.TrimPrefix(s, prefix) })
		}
	}
	if _, ok := l.tensors["text.token_embedding.weight"]; ok {
		rename(func(s string) string { return strings.TrimPrefix(s, "text.") })
	}
}

func (l *loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// any is a tensor of whatever shape with the given number of axes.
func (l *loader) any(name string, axes int) Tensor {
	if l.err != nil {
		return Tensor{}
	}
	r, ok := l.tensors[name]
	l.used[name] = true
	if !ok {
		l.fail("tensor %s is missing: this is no CLIP checkpoint, or only a part of one", name)
		return Tensor{}
	}
	if len(r.Shape) != axes || slices.Contains(r.Shape, 0) {
		l.fail("tensor %s has shape %v, want %d axes", name, r.Shape, axes)
		return Tensor{}
	}
	if r.DType != tensor.F32 && r.DType != tensor.F16 && r.DType != tensor.BF16 {
		l.fail("tensor %s is of type %v; ovbench reads f32, f16 and bf16", name, r.DType)
		return Tensor{}
	}
	return l.settle(name, r)
}

func (l *loader) settle(name string, r tensor.Ref) Tensor {
	t := Tensor{Name: name, Ref: r}
	if !r.Contiguous() {
		d, err := r.Read()
		if err != nil {
			l.fail("tensor %s: %w", name, err)
		}
		t.Data = &d
	}
	return t
}

func (l *loader) get(name string, shape ...int) Tensor {
	t := l.any(name, len(shape))
	if l.err == nil && !slices.Equal(t.Shape, shape) {
		l.fail("tensor %s has shape %v, want %v", name, t.Shape, shape)
	}
	return t
}

func (l *loader) read(name string, shape ...int) tensor.Dense {
	t := l.get(name, shape...)
	if l.err != nil {
		return tensor.Dense{}
	}
	d, err := t.Read()
	if err != nil {
		l.fail("tensor %s: %w", name, err)
	}
	return d
}

func (l *loader) norm(name string, width int) Norm {
	return Norm{l.get(name+".weight", width), l.get(name+".bias", width)}
}

func (l *loader) linear(name string, out, in int) Linear {
	return Linear{l.get(name+".weight", out, in), l.get(name+".bias", out)}
}

// rows is a part of a fused projection.
func (l *loader) rows(t Tensor, part string, from, to int) Tensor {
	if l.err != nil {
		return Tensor{}
	}
	return l.settle(t.Name+part, t.Rows(from, to))
}

func (l *loader) logitScale(m *Model) {
	m.LogitScale = 100
	if r, ok := l.tensors["logit_scale"]; ok && l.err == nil {
		d, err := r.Read()
		if err != nil || len(d.Data) != 1 {
			l.fail("tensor logit_scale has shape %v, want a single number (%v)", r.Shape, err)
			return
		}
		m.LogitScale = math.Exp(float64(d.Data[0]))
	}
}

// square is the side of a square grid of n cells; it fails for other numbers.
func (l *loader) square(name string, n int) int {
	side := int(math.Sqrt(float64(n)) + 0.5)
	if l.err == nil && (n < 1 || side*side != n) {
		l.fail("tensor %s has %d rows, want 1 + a square number", name, n+1)
	}
	return side
}

func (l *loader) blocks(prefix string, load func(prefix string) Block) []Block {
	if l.err != nil {
		return nil
	}
	n, err := countBlocks(l.names, prefix)
	if err != nil {
		l.fail("%w", err)
	} else if n == 0 {
		l.fail("no tensors under %s: this is no CLIP checkpoint, or only a part of one", prefix)
	}
	out := make([]Block, n)
	for i := range out {
		out[i] = load(fmt.Sprintf("%s.%d", prefix, i))
	}
	return out
}
