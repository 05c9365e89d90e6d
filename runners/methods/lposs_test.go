package methods

import (
	"math/rand/v2"
	"testing"

	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// BenchmarkLPOSS spreads scores of 171 texts over 3000 patches, as of a picture of 597x448 pixels in 15 windows.
func BenchmarkLPOSS(b *testing.B) {
	lib, err := ort.Load("")
	if err != nil {
		b.Skip("ONNX Runtime is not here (make setup): " + err.Error())
	}
	const n, width, texts = 3000, 768, 171
	g := onnx.New()
	nodes := g.Symbol("nodes")
	p := Patches{
		Keep: g.Input("keep", tensor.F32, nodes, width), Values: g.Input("values", tensor.F32, nodes, texts),
		Centres: g.Input("centres", tensor.F32, nodes, 2), Index: g.Input("index", tensor.F32, nodes, 1),
	}
	g.Output("result", (&LPOSS{Neighbours: 400, Gamma: 3, Sigma: 0.01, Alpha: 0.95, Steps: 10}).spread(g, p))
	model, err := g.Model()
	if err != nil {
		b.Fatal(err)
	}
	s, err := lib.NewSession("lposs", model, ort.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	in := []tensor.Dense{tensor.New(n, width), tensor.New(n, texts), tensor.New(n, 2), tensor.New(n, 1)}
	for i := range in[0].Data {
		in[0].Data[i] = (rng.Float32() - 0.3) / 14
	}
	for i := range in[1].Data {
		in[1].Data[i] = rng.Float32()
	}
	for i := range n {
		in[2].Data[2*i], in[2].Data[2*i+1], in[3].Data[i] = float32(i/60*8), float32(i%60*8), float32(i)
	}
	var values []ort.Value
	for _, d := range in {
		values = append(values, ort.Float32(d.Shape, d.Data))
	}
	out := tensor.New(n, texts)
	for b.Loop() {
		if err := s.Run(b.Context(), values, []ort.Value{ort.Float32(out.Shape, out.Data)}); err != nil {
			b.Fatal(err)
		}
	}
}
