package runners_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/methods"
	"ovbench/runners/vit"
)

// Whatever methods are on one graph, in whatever order: what they share is there once, and a method that is there
// already adds nothing.
func TestSharing(t *testing.T) {
	dir := t.TempDir()
	shape := cliptest.Shape{Image: 32, Patch: 16, Embed: 8, Vision: cliptest.Tower{Width: 16, Layers: 12, Heads: 2},
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}
	if err := cliptest.Write(dir, shape, 1); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []runners.Named
	for _, name := range methods.Names() {
		params := map[string]any{}
		if name == "resclip" {
			params["sfr"] = false
		}
		method, err := methods.New(name, params)
		if err != nil {
			t.Fatal(err)
		}
		if method.Traits().Texts {
			continue // those share in TestExplainersShare
		}
		all = append(all, runners.Named{Name: name, Method: method})
	}
	lent := backbones(t)
	nodes := func(ms ...runners.Named) int {
		g, err := runners.ImageGraph(m, ms, runners.ImageOptions{Height: 32, Width: 32, Positions: vit.Bilinear,
			Backbones: lent})
		if err != nil {
			t.Fatal(err)
		}
		return g.Nodes()
	}
	alone := map[string]int{}
	trunk := nodes(all[0]) * 11 / 12 // of plain CLIP, which all others share up to their first change
	sum := 0
	var table strings.Builder
	for i, n := range all {
		alone[n.Name] = nodes(n)
		sum += alone[n.Name]
		fmt.Fprintf(&table, "\n%2d methods, with %-12s %4d nodes; alone %4d, sum of all alone %5d", i+1, n.Name,
			nodes(all[:i+1]...), alone[n.Name], sum)
	}
	t.Log(table.String())
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Permutation(all).Draw(t, "methods")[:rapid.IntRange(1, len(all)).Draw(t, "count")]
		together, separate := nodes(ms...), 0
		for _, n := range ms {
			separate += alone[n.Name]
		}
		// Half of the trunk is before the first block that any method changes.
		if shared := (len(ms) - 1) * trunk / 2; together > separate-shared {
			t.Fatalf("%d methods take %d nodes together and %d apart: fewer than %d are shared", len(ms), together, separate,
				shared)
		}
		twin := ms[0]
		twin.Name = "twin"
		if again := nodes(append(ms[:len(ms):len(ms)], twin)...); again != together {
			t.Fatalf("the same method under another name takes %d nodes more", again-together)
		}
		backwards := make([]runners.Named, len(ms))
		for i, n := range ms {
			backwards[len(ms)-1-i] = n
		}
		if n := nodes(backwards...); n != together {
			t.Fatalf("%d nodes in one order, %d in the other", together, n)
		}
	})
	for _, n := range all[2:] { // those that read the last block only differ in it
		extra := map[string]int{"maskclip": 8, "sclip": 12, "clearclip": 5, "naclip": 5}[n.Name]
		if extra == 0 {
			continue
		}
		if got := nodes(all[0], n) - nodes(all[0]); got > extra {
			t.Errorf("%s adds %d nodes to clip, want at most %d", n.Name, got, extra)
		}
	}
}
