package runners_test

import (
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Every method gives the same cosines with OpenVINO's kernels as with ONNX Runtime's, at a fixed size and an open one.
// A process has one library, so a second process has the one with OpenVINO.
func TestOpenVINO(t *testing.T) {
	if os.Getenv("OVBENCH_TEST_CHILD") == "" {
		c, err := ort.FindFor(ort.OpenVINO)
		if err != nil {
			t.Skip(err) // which is optional, also to OVBENCH_PARITY
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpenVINO$", "-test.v")
		cmd.Env = append(os.Environ(), "OVBENCH_TEST_CHILD=1", ort.EnvLibrary+"="+c.Path)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestOpenVINO") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	shape := cliptest.Shape{Image: 64, Patch: 16, Embed: 32, Vision: cliptest.Tower{Width: 64, Layers: 12, Heads: 2},
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}
	if err := cliptest.Write(dir, shape, 1); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := random(1, 5, 32) // any numbers will do
	texts = tensor.Dense{Shape: []int{15, 32}, Data: texts.Data}
	for _, size := range []int{0, 96} { // 0: open
		o := runners.ImageOptions{Height: size, Width: size, Positions: vit.Bilinear, Similarities: true}
		similarities := func(d ort.Device, p ort.Precision) []runners.Batch {
			o.Session = ort.Options{Device: d, Precision: p}
			sims, err := images(t, m, named(t, methods.Names()...), o).Similarities(t.Context(), random(2, 96, 96), texts)
			if err != nil {
				t.Fatal(err)
			}
			return sims
		}
		want := similarities(ort.Device{}, ort.F32)
		got := similarities(ort.Device{Provider: ort.OpenVINO}, ort.F32)
		for i, name := range methods.Names() {
			if d := difference(got[i].Values.Data, want[i].Values.Data); !(d <= tolerance) {
				t.Errorf("size %d: %s differs by %v", size, name, d)
			} else {
				t.Logf("size %d: %s differs by %.2g", size, name, d)
			}
		}
	}
}

// difference is the largest difference of two lists over the largest number.
func difference(got, want []float32) float64 {
	worst, top := 0.0, 0.0
	for i, w := range want {
		worst, top = max(worst, math.Abs(float64(got[i]-w))), max(top, math.Abs(float64(w)))
	}
	return worst / top
}

// What graphs are on a GPU, computed on the CPU: the same numbers without the operators that need cuDNN; and nearly the
// same where products are rounded to float16.
func TestGraphsForCUDA(t *testing.T) {
	dir := t.TempDir()
	shape := cliptest.Shape{Image: 64, Patch: 16, Embed: 32, Vision: cliptest.Tower{Width: 64, Layers: 12, Heads: 2},
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}
	if err := cliptest.Write(dir, shape, 1); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"clip", "clip_surgery", "maskclip", "sclip", "clearclip", "naclip", "gem", "sc_clip", "resclip"}
	texts := tensor.Dense{Shape: []int{15, 32}, Data: random(1, 5, 32).Data}
	for _, size := range []int{0, 100} { // 0: open, of whole patches
		o := runners.ImageOptions{Height: size, Width: size, Positions: vit.Bilinear, Similarities: true}
		pixels := random(2, 96, 96)
		if size > 0 {
			pixels = random(2, size, size)
		}
		similarities := func(operators ...onnx.Option) []runners.Batch {
			o.Operators = operators
			sims, err := images(t, m, named(t, list...), o).Similarities(t.Context(), pixels, texts)
			if err != nil {
				t.Fatal(err)
			}
			return sims
		}
		want := similarities()
		for _, c := range []struct {
			name        string
			least, most float64 // of the largest number
			operators   []onnx.Option
		}{
			{"without cuDNN", 0, 1e-5, []onnx.Option{onnx.WithoutCuDNN}},
			{"rounded", 1e-5, 2e-2, []onnx.Option{onnx.RoundedProducts}},
			{"half", 0, 2e-2, []onnx.Option{onnx.WithoutCuDNN, onnx.HalfProducts}}, // the CPU's library removes the casts
		} {
			for i, got := range similarities(c.operators...) {
				d := difference(got.Values.Data, want[i].Values.Data)
				if !(d >= c.least && d <= c.most) {
					t.Errorf("size %d, %s: %s differs by %v", size, c.name, list[i], d)
				}
				t.Logf("size %d, %s: %s differs by %.2g", size, c.name, list[i], d)
			}
		}
		single := named(t, list[:8]...)
		o.Operators = nil
		if g, err := runners.ImageGraph(m, single, o); err != nil || !strings.Contains(g.String(), "= Conv") {
			t.Fatalf("%v: a graph for the CPU has no Conv", err)
		}
		o.Operators = []onnx.Option{onnx.WithoutCuDNN}
		g, err := runners.ImageGraph(m, single, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range []string{"Conv", "ReduceL2", "ReduceMax", "ReduceMin", "AveragePool", "BatchNormalization"} {
			if strings.Contains(g.String(), "= "+op) {
				t.Errorf("size %d: %s needs cuDNN", size, op)
			}
		}
	}
}
