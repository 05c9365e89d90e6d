package methods

import (
	"math"
	"os"
	"testing"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// run computes the outputs of a graph, of known shapes.
func run(t *testing.T, g *onnx.Graph, in []ort.Value, shapes ...[]int) (out []tensor.Dense) {
	t.Helper()
	lib, err := ort.Load("")
	if err != nil {
		t.Skip("ONNX Runtime is not here (make setup): " + err.Error())
	}
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := lib.NewSession("example", model, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var to []ort.Value
	for _, shape := range shapes {
		d := tensor.New(shape...)
		out, to = append(out, d), append(to, ort.Float32(d.Shape, d.Data))
	}
	if err := s.Run(t.Context(), in, to); err != nil {
		t.Fatal(err)
	}
	return out
}

// The explainer that CONTRIBUTING.md shows does what it says: what it gives a patch is how the cosine changes as what
// its token is grows behind the LayerNorm.
func TestExampleExplainer(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, clip.Demo()); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts, pixels := tensor.New(2, m.Embed), tensor.New(1, 3, 32, 40)
	for i := range texts.Data {
		texts.Data[i] = float32(math.Sin(float64(i * i)))
	}
	for i := range pixels.Data {
		pixels.Data[i] = float32(i * i % 251)
	}
	scene := func() *Scene {
		g := onnx.New()
		s := &Scene{Graph: g, Models: Models{ImageText: m}, Positions: vit.Bilinear, Texts: g.Input("texts", tensor.F32, 2,
			m.Embed)}
		s.Asked, s.Explained = g.Ints(0, 1), g.Ints(0, 1)
		return s
	}
	method := &TokenGradient{}
	s := scene()
	if err := method.Check(s.Models); err != nil {
		t.Fatal(err)
	}
	s.RGB = s.Input("pixels", tensor.F32, 1, 3, 32, 40)
	s.Output("values", method.Read(s).Patches)
	last := s.Tower().Depth() - 1
	x := s.Before(last)
	s.Output("tokens", x)
	s.Output("norm", s.Tower().Norm(s.Graph, last, x))
	n, width := x.Shape()[1], x.Shape()[2]
	text := ort.Float32(texts.Shape, texts.Data)
	out := run(t, s.Graph, []ort.Value{text, ort.Float32(pixels.Shape, pixels.Data)}, []int{1, n - 1, 2},
		[]int{1, n, width}, []int{1, n, width})

	s = scene()
	row := s.blockRow(s.Input("tokens", tensor.F32, 1, n, width), s.Input("norm", tensor.F32, 1, n, width), false)
	s.Output("cosines", s.Linear(row.embedding, s.Texts, onnx.Value{}))
	cosines := func(token int, by float32) []float32 {
		grown := tensor.New(1, n, width)
		copy(grown.Data, out[2].Data)
		for i := range width {
			grown.Data[token*width+i] *= by
		}
		return run(t, s.Graph, []ort.Value{text, ort.Float32(out[1].Shape, out[1].Data),
			ort.Float32(grown.Shape, grown.Data)}, []int{1, 1, 2})[0].Data
	}
	top := 0.0
	for _, v := range out[0].Data {
		top = max(top, math.Abs(float64(v)))
	}
	const h = 1.0 / 64
	for token := 1; token < n; token++ {
		more, less := cosines(token, 1+h), cosines(token, 1-h)
		for k := range 2 {
			want, got := float64(more[k]-less[k])/(2*h), float64(out[0].Data[(token-1)*2+k])
			if math.Abs(got-want) > 0.01*top {
				t.Errorf("patch %d, text %d: %v, want %v by differences", token-1, k, got, want)
			}
		}
	}
}
