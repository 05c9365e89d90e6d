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
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Every method gives the same cosines with OpenVINO's kernels as with ONNX Runtime's, at a fixed size and an open one. A
// process has one library, so a second process has the one with OpenVINO.
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
	shape := cliptest.Shape{Image: 64, Patch: 16, Embed: 32, Vision: cliptest.Tower{Width: 64, Layers: 12, Heads: 2}, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}
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
