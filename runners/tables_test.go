package runners

import (
	"testing"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Tables are made once a size, and forgotten, the least recently used first, when they grow beyond their bound.
func TestTablesAreBounded(t *testing.T) {
	made := 0
	big := onnx.Table{Name: "big", Make: func(h, w int) tensor.Dense {
		made++
		return tensor.New(h, w)
	}}
	c := tables{list: []onnx.Table{big}}
	at := func(h, w, want int) {
		t.Helper()
		if d := c.at(h, w)[0]; d.Shape[0] != h || d.Shape[1] != w {
			t.Fatalf("table of %dx%d for %dx%d", d.Shape[0], d.Shape[1], h, w)
		}
		if made != want {
			t.Errorf("%d tables made by %dx%d, want %d", made, h, w, want)
		}
	}
	const third = tableBytes / 4 / 3 / 1024
	at(1024, third, 1)
	at(1024, third, 1)
	at(third, 1024, 2)
	at(1024, third-1, 3)
	at(1024, third, 3) // used last
	at(1024, third+1, 4)
	at(1024, third, 4)
	at(third, 1024, 5) // had to go
	if c.bytes > tableBytes {
		t.Errorf("%d bytes are kept, want at most %d", c.bytes, tableBytes)
	}
	at(1024, 4*third, 6) // more than the bound alone: kept while it is the newest
	if len(c.kept) != 1 {
		t.Errorf("%d sizes are kept beside one beyond the bound", len(c.kept)-1)
	}
}
