package runners_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// vitB16 is a random ViT-B/16, made once a machine.
func vitB16(b testing.TB) *clip.Model {
	b.Helper()
	dir := filepath.Join(os.TempDir(), "ovbench-bench-vit-b-16")
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		temp, err := os.MkdirTemp(os.TempDir(), "ovbench-bench-*")
		if err != nil {
			b.Fatal(err)
		}
		if err := cliptest.Write(temp, cliptest.ViTB16, 1); err != nil {
			b.Fatal(err)
		}
		if err := os.Rename(temp, dir); err != nil {
			b.Fatal(err)
		}
	}
	m, err := clip.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func noise(n int) tensor.Dense {
	rng := rand.New(rand.NewPCG(1, 2))
	x := tensor.New(1, 3, n, n)
	for i := range x.Data {
		x.Data[i] = rng.Float32()*4 - 2
	}
	return x
}

func tower(b testing.TB, m *clip.Model, n int, standard bool, names ...string) *runners.Images {
	b.Helper()
	images, err := runners.NewImages(library(b), m, named(b, names...), runners.ImageOptions{Height: n, Width: n, StandardOps: standard})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { images.Close() })
	return images
}

// BenchmarkForward is one picture at 512 px through ViT-B/16: clip, clip and clip_surgery in one session, and clip
// written with the operators of the ONNX standard. The variants take turns, so that noise of the machine meets
// all alike; the metrics are ratios of their best times.
func BenchmarkForward(b *testing.B) {
	m, x := vitB16(b), noise(512)
	variants := []struct {
		name   string
		images *runners.Images
	}{
		{"clip", tower(b, m, 512, false, "clip")},
		{"both", tower(b, m, 512, false, "clip", "clip_surgery")},
		{"standard", tower(b, m, 512, true, "clip")},
	}
	best := map[string]float64{}
	for b.Loop() {
		for _, v := range variants {
			start := time.Now()
			if _, err := v.images.Tokens(b.Context(), x); err != nil {
				b.Fatal(err)
			}
			s := time.Since(start).Seconds()
			if old, ok := best[v.name]; !ok || s < old {
				best[v.name] = s
			}
		}
	}
	b.ReportMetric(best["clip"], "clip-sec")
	b.ReportMetric(best["both"]/best["clip"], "both/clip")
	b.ReportMetric(best["standard"]/best["clip"], "standard/clip")
}

// BenchmarkLoad is reading a ViT-B/16 checkpoint, building the graph of both methods and loading it.
func BenchmarkLoad(b *testing.B) {
	path := vitB16(b).Path
	lib := library(b)
	for _, mmap := range []bool{false, true} {
		b.Run(map[bool]string{false: "packed", true: "mapped"}[mmap], func(b *testing.B) {
			for b.Loop() {
				m, err := clip.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				images, err := runners.NewImages(lib, m, named(b, "clip", "clip_surgery"), runners.ImageOptions{
					Height: 512, Width: 512, Session: ort.Options{Mmap: mmap},
				})
				if err != nil {
					b.Fatal(err)
				}
				images.Close()
			}
		})
	}
}

// BenchmarkPyTorch compares with testdata/peer.py in the same run: plain CLIP and then CLIP Surgery in PyTorch, both in one
// session here, at the same number of threads. OVBENCH_PYTHON names a Python with torch, safetensors and numpy.
func BenchmarkPyTorch(b *testing.B) {
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" {
		b.Skip("set OVBENCH_PYTHON to a Python with torch, safetensors and numpy")
	}
	m, x := vitB16(b), noise(512)
	dir := b.TempDir()
	f, err := os.Create(filepath.Join(dir, "pixels.npy"))
	if err != nil {
		b.Fatal(err)
	}
	if err := tensor.WriteNPY(f, x); err != nil {
		b.Fatal(err)
	}
	f.Close()
	images := tower(b, m, 512, false, "clip", "clip_surgery")
	best, ours := 0.0, []tensor.Dense(nil)
	var theirs struct {
		Clip    float64 `json:"clip"`
		Surgery float64 `json:"clip_surgery"`
	}
	for b.Loop() {
		for range 5 {
			start := time.Now()
			if ours, err = images.Tokens(b.Context(), x); err != nil {
				b.Fatal(err)
			}
			if s := time.Since(start).Seconds(); best == 0 || s < best {
				best = s
			}
		}
		out, err := exec.CommandContext(b.Context(), python, "testdata/peer.py", m.Path, filepath.Join(dir, "pixels.npy"), strconv.Itoa(runtime.NumCPU()), "5", dir).Output()
		if err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(out, &theirs); err != nil {
			b.Fatal(err)
		}
	}
	for i, name := range images.Methods() {
		if d := distance(ours[i], load(b, filepath.Join(dir, name+".npy"))); !(d < tolerance) {
			b.Errorf("%s: distance %.2g from PyTorch", name, d)
		}
	}
	b.ReportMetric((theirs.Clip+theirs.Surgery)/best, "torch/ours")
	b.ReportMetric(best, "ours-sec")
}
