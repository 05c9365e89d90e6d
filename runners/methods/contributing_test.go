package methods

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// withExample is All with the line that CONTRIBUTING.md adds.
var withExample = append(slices.Clone(All), []Entry{
	{"value_clip", "value-value attention in the last block", "Doe et al., arXiv 2601.00001",
		func() Method { return &ValueCLIP{} }},
}...)

// The method that CONTRIBUTING.md shows is the file that compiles here, and its line stands above.
func TestContributing(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for rest, found := string(text), true; ; {
		var block string
		if _, rest, found = strings.Cut(rest, "```go\n"); !found {
			break
		}
		block, rest, _ = strings.Cut(rest, "```\n")
		blocks = append(blocks, block)
	}
	files := []string{"example_test.go", "contributing_test.go", "scored_example_test.go", "grid_example_test.go",
		"explainer_example_test.go"}
	if len(blocks) < len(files) {
		t.Fatalf("CONTRIBUTING.md quotes %d pieces of Go, want four files and a line first", len(blocks))
	}
	for i, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i != 1 && string(source) != blocks[i] || i == 1 && !strings.Contains(string(source), "\t"+blocks[1]) {
			t.Errorf("CONTRIBUTING.md does not quote %s", file)
		}
	}
}

// It does what it says: on one graph it is the same Value as ClearCLIP with the same attention, which is compared with
// recordings.
func TestExampleMethod(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, clip.Demo()); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := onnx.New()
	s := &Scene{Graph: g, Models: Models{ImageText: m}, RGB: g.Input("pixels", tensor.F32, g.Symbol("batch"), 3, 48, 64),
		Positions: vit.Bicubic}
	example := withExample[len(withExample)-1].New()
	if err := example.Check(s.Models); err != nil {
		t.Fatal(err)
	}
	clear := &ClearCLIP{Attention: "vv", Layers: 1}
	if example.Read(s).Patches != clear.Read(s).Patches {
		t.Error("the example's tokens are not those of ClearCLIP with value-value attention")
	}
}
