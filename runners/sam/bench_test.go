package sam

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ovbench/runners/ort"
	"ovbench/runners/sam/samtest"
	"ovbench/runners/tensor"
)

// usage is the wall and CPU seconds of a piece of work.
type usage struct{ Wall, CPU float64 }

func measure(run func()) usage {
	cpu := func() float64 {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	start, before := time.Now(), cpu()
	run()
	return usage{time.Since(start).Seconds(), cpu() - before}
}

func (u *usage) keep(v usage) {
	if u.CPU == 0 || v.Wall < u.Wall {
		u.Wall = v.Wall
	}
	if u.CPU == 0 || v.CPU < u.CPU {
		u.CPU = v.CPU
	}
}

// peakMemory is the most resident memory that this process has had, in bytes.
func peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb * 1024
		}
	}
	b.Skip("no VmHWM in /proc/self/status")
	return 0
}

// BenchmarkPyTorch compares an image encoder of ViT-B's size and 20 prompts of 20 points with testdata/peer.py in the
// same run, at the same number of threads. Both sides take turns; ratios are of least times, of the clock and of the
// CPU, which other work on the machine disturbs less. OVBENCH_PYTHON names a Python with torch, torchvision,
// safetensors, segment_anything and numpy.
func BenchmarkPyTorch(b *testing.B) {
	const texts = 20
	lib, dir := library(b), b.TempDir()
	path := filepath.Join(dir, "sam.safetensors")
	if err := samtest.Write(path, samtest.ViTB, 1); err != nil {
		b.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	s, err := Load(lib, path, ort.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := s.network.(*native)
	pixels, rng := tensor.New(1, 3, m.Image, m.Image), rand.New(rand.NewPCG(1, 1))
	for i := range pixels.Data {
		pixels.Data[i] = rng.Float32()*4 - 2
	}
	e := &Embedding{Frame: Frame{1024, 1024, 1024, 1024, 1024}, Values: tensor.New(1, m.Embed, m.Grid, m.Grid)}
	var points []Point
	for i := range 20 {
		points = append(points, Point{rng.Float64() * 1024, rng.Float64() * 1024, i%2 == 0})
	}
	encode := func() {
		if err := n.encoder.run(b.Context(), []tensor.Dense{pixels}, e.Values); err != nil {
			b.Fatal(err)
		}
	}
	decode := func() {
		for range texts {
			if _, err := s.Segment(b.Context(), e, Prompt{Points: points}); err != nil {
				b.Fatal(err)
			}
		}
	}
	encode() // loads
	decode()
	var encoder, decoder usage
	var peer struct {
		Encoder, Decoder usage
		Memory           float64
	}
	for b.Loop() {
		for range 3 {
			encoder.keep(measure(encode))
			decoder.keep(measure(decode))
		}
		if python := os.Getenv("OVBENCH_PYTHON"); python != "" {
			runPeer(b, python, path, dir, pixels, texts, &peer)
			compareEmbedding(b, filepath.Join(dir, "embedding.npy"), e.Values)
		}
	}
	b.ReportMetric(encoder.Wall, "encoder-s")
	b.ReportMetric(encoder.CPU, "encoder-cpu-s")
	b.ReportMetric(decoder.CPU/encoder.CPU, "20-prompts/encoder")
	b.ReportMetric(peakMemory(b)/1e9, "GB")
	if peer.Memory > 0 {
		b.ReportMetric(peer.Encoder.Wall/encoder.Wall, "torch/ours")
		b.ReportMetric(peer.Encoder.CPU/encoder.CPU, "torch/ours-cpu")
		b.ReportMetric(peer.Decoder.CPU/decoder.CPU, "torch/ours-decoder-cpu")
		b.ReportMetric(peer.Memory/1e9, "torch-GB")
	}
}

func runPeer(b *testing.B, python, weights, dir string, pixels tensor.Dense, texts int, into any) {
	f, err := os.Create(filepath.Join(dir, "pixels.npy"))
	if err == nil {
		err = tensor.WriteNPY(f, pixels)
	}
	if err != nil {
		b.Fatal(err)
	}
	f.Close()
	c := exec.CommandContext(b.Context(), python, "testdata/peer.py", weights, f.Name(),
		strconv.Itoa(runtime.GOMAXPROCS(0)), "3", strconv.Itoa(texts), dir)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func compareEmbedding(b *testing.B, path string, got tensor.Dense) {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	want, err := tensor.ReadNPY(f)
	if err != nil {
		b.Fatal(err)
	}
	compare(b, "embedding", got, want)
}
