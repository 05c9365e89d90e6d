package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/reports/results"
)

// TestPythonMethod runs the example of a method in Python. Without its smoothing it is plain CLIP, so its imported
// scores are those of a run of clip; with it they are others.
func TestPythonMethod(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, Pillow and onnxruntime")
	}
	script, err := filepath.Abs("testdata/example/method.py")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	do := func(args ...string) { t.Helper(); command(t, args...) }
	do("shapes", "--out", "pictures", "--images", "12")
	suite := `model: demo
datasets: [{name: folder, root: pictures, images: JPEGImages, labels: SegmentationClass, classes: classes.txt}]
methods: [clip]
protocol: {base: clip-surgery, size: 96, positions: bicubic}
resamples: 0
`
	if err := os.WriteFile("mine.yaml", []byte(suite), 0o666); err != nil {
		t.Fatal(err)
	}
	words, err := os.ReadFile("pictures/classes.txt")
	if err != nil {
		t.Fatal(err)
	}
	do("run", "mine.yaml", "--out", "run")
	do("export", "--model", "demo", "--method", "clip", "--positions", "bicubic", "--similarities", "--size", "96",
		"--standard-ops", "--out", "clip.onnx")
	do(append([]string{"encode", "text", "--model", "demo", "--templates", "surgery85", "--out", "texts.npy"},
		strings.Split(strings.TrimSpace(string(words)), "\n")...)...)
	score := func(smooth string) float64 {
		t.Helper()
		c := exec.CommandContext(t.Context(), os.Getenv("OVBENCH_PYTHON"), script, "clip.onnx", "texts.npy",
			"pictures/JPEGImages", "96", "pred"+smooth, "--smooth", smooth)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		do("import", "mine.yaml", "--pred", "pred"+smooth, "--as", "own", "--out", "own"+smooth)
		return mIoU(t, "own"+smooth, "own")
	}
	want := mIoU(t, "run", "clip")
	if got := score("0"); math.Abs(got-want) > 1e-3 {
		t.Errorf("clip in Python has mIoU %v, in a run %v", got, want)
	}
	if got := score("1"); math.Abs(got-want) < 1e-3 {
		t.Errorf("the method has mIoU %v, that of clip", got)
	}
}

func mIoU(t *testing.T, dir, method string) float64 {
	t.Helper()
	r, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Cell("folder", method).Score("mIoU")
	if s == nil {
		t.Fatalf("%s has no mIoU of %s", dir, method)
	}
	return s.Value
}
