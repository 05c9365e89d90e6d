package onnx

import (
	"slices"
	"testing"

	"ovbench/runners/tensor"
)

func TestPoolShapes(t *testing.T) {
	g := New()
	fixed := g.Input("fixed", tensor.F32, 2, 4, 7, 6)
	open := g.Input("open", tensor.F32, g.Symbol("batch"), 4, g.Symbol("height"), g.Symbol("width"))
	half := []int{g.Symbol("batch"), 4, g.Symbol("height/2"), g.Symbol("width/2")}
	c := g.Const("c", tensor.New(4))
	for _, s := range []struct {
		what string
		got  Value
		want []int
	}{
		{"a remainder is dropped", g.AvgPool(fixed, 2), []int{2, 4, 3, 3}},
		{"by one", g.AvgPool(fixed, 1), []int{2, 4, 7, 6}},
		{"open", g.AvgPool(open, 2), half},
		{"a shape kept", g.BatchNorm(open, c, c, c, c, 1e-5), open.Shape()},
		{"a shape kept", g.Relu(fixed), fixed.Shape()},
	} {
		if !slices.Equal(s.got.Shape(), s.want) {
			t.Errorf("%s: %v, want %v", s.what, s.got.Shape(), s.want)
		}
	}
	if g.AvgPool(fixed, 1) != fixed {
		t.Error("a pooling by one is a node")
	}
	if g.BatchNorm(fixed, c, c, c, c, 1e-5) == g.BatchNorm(fixed, c, c, c, c, 1e-3) {
		t.Error("eps does not count")
	}
	for what, build := range map[string]func(){
		"too small":      func() { g.AvgPool(fixed, 8) },
		"three axes":     func() { g.AvgPool(g.Input("x", tensor.F32, 2, 4, 7), 2) },
		"other channels": func() { g.BatchNorm(fixed, c, c, g.Const("d", tensor.New(5)), c, 1e-5) },
		"no channels":    func() { g.BatchNorm(c, c, c, c, c, 1e-5) },
	} {
		if !panics(build) {
			t.Errorf("%s is accepted", what)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}
