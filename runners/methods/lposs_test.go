package methods

import (
	"math/rand/v2"
	"testing"

	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// BenchmarkLPOSS spreads scores of 171 texts over 3000 patches, as of a picture of 597x448 pixels in 15 windows: the
// cosines of all pairs, their weights, and the propagation.
func BenchmarkLPOSS(b *testing.B) {
	lib, err := ort.Load("")
	if err != nil {
		b.Skip("ONNX Runtime is not here (make setup): " + err.Error())
	}
	const windows, rows, cols, width, texts = 15, 10, 20, 768, 171
	const n = windows * rows * cols
	open := func(name string, build func(g *onnx.Graph) onnx.Value) *ort.Session {
		g := onnx.New()
		g.Output("result", build(g))
		model, err := g.Model()
		if err != nil {
			b.Fatal(err)
		}
		s, err := lib.NewSession(name, model, ort.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		return s
	}
	l := &LPOSS{Neighbours: 400, Gamma: 3, Sigma: 0.01, Alpha: 0.95, Steps: 10}
	first := open("pairs", func(g *onnx.Graph) onnx.Value {
		return pairs(g, g.Input("keep", tensor.F32, g.Symbol("windows"), g.Symbol("patches"), width))
	})
	second := open("spread", func(g *onnx.Graph) onnx.Value {
		return l.spread(&Scene{Graph: g}, Patches{Values: g.Input("values", tensor.F32, g.Symbol("nodes"), texts)})
	})
	rng := rand.New(rand.NewPCG(1, 2))
	keep, scores := tensor.New(windows, rows*cols, width), tensor.New(n, texts)
	for i := range keep.Data {
		keep.Data[i] = (rng.Float32() - 0.3) / 14
	}
	for i := range scores.Data {
		scores.Data[i] = rng.Float32()
	}
	at := Layout{Height: 448, Width: 597, Rows: rows, Cols: cols, Pairs: tensor.New(n, n)}
	for range windows {
		at.Windows = append(at.Windows, Place{Height: 160, Width: 320})
	}
	run := func(s *ort.Session, out tensor.Dense, in ...tensor.Dense) {
		var values []ort.Value
		for _, d := range in {
			values = append(values, ort.Float32(d.Shape, d.Data))
		}
		if err := s.Run(b.Context(), values, []ort.Value{ort.Float32(out.Shape, out.Data)}); err != nil {
			b.Fatal(err)
		}
	}
	out := tensor.New(n, texts)
	for b.Loop() {
		run(first, at.Pairs, keep)
		run(second, out, append([]tensor.Dense{scores}, l.weights(at)...)...)
	}
}
