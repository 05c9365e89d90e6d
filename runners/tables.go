package runners

import (
	"fmt"
	"slices"
	"sync"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// tableBytes bounds the tables that are kept for sizes seen before. Positions of a ViT-L/14 at 2048x1024 take 43 MB,
// and a data set of photographs has some dozens of sizes, of 3 MB each.
const tableBytes = 256 << 20

// mostTableBytes bounds the tables of one size: those over pairs of patches grow with the fourth power of an image's
// side.
const mostTableBytes = 2 << 30

// check says why methods cannot take pictures where the graph's symbols are of known sizes: what the tables and pairs
// more over all pairs of tokens would need.
func (t *tables) check(pairs, rows, cols int, known map[string]int) error {
	tokens := float64(1 + rows*cols)
	total := 4 * float64(pairs) * tokens * tokens
	for _, table := range t.list {
		shape, err := t.symbols.Resolve(table.Shape, known)
		if err != nil {
			return fmt.Errorf("table %s: %w", table.Name, err)
		}
		size := 4.0
		for _, d := range shape {
			size *= float64(d)
		}
		total += size
	}
	if total > mostTableBytes {
		return fmt.Errorf("%dx%d patches are too many for these methods: tables over pairs of patches take %.1f GB; use a "+
			"smaller size, or windows", rows, cols, total/1e9)
	}
	return nil
}

// tables keeps what a graph of open size takes besides pixels: values that depend on nothing but the size. The zero
// value is ready, any goroutine may use it.
type tables struct {
	list    []onnx.Table
	symbols onnx.Symbols // in their shapes

	mu    sync.Mutex
	kept  []sized // least recently used first
	bytes int
}

// sized are the tables of one size.
type sized struct {
	height, width int
	values        []tensor.Dense
}

// at computes the tables for images of height x width pixels, or finds them again. Callers must not write to them.
func (t *tables) at(height, width int) []tensor.Dense {
	if len(t.list) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.kept, func(s sized) bool { return s.height == height && s.width == width }); i >= 0 {
		found := t.kept[i]
		t.kept = append(slices.Delete(t.kept, i, i+1), found)
		return found.values
	}
	s := sized{height: height, width: width}
	for _, table := range t.list {
		s.values = append(s.values, table.Make(height, width))
	}
	t.kept = append(t.kept, s)
	t.bytes += s.bytes()
	for len(t.kept) > 1 && t.bytes > tableBytes {
		t.bytes -= t.kept[0].bytes()
		t.kept = slices.Delete(t.kept, 0, 1)
	}
	return s.values
}

func (s sized) bytes() (n int) {
	for _, d := range s.values {
		n += 4 * len(d.Data)
	}
	return n
}
