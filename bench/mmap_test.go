package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovbench/bench/cluster"
	"ovbench/bench/records"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/ort"
)

// sharedMemory is the memory of processes in bytes, in which what several map counts once.
func sharedMemory(t *testing.T, processes []*exec.Cmd) (sum int) {
	t.Helper()
	for _, p := range processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		var kB int
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		if _, err := fmt.Sscan(rest, &kB); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		sum += kB << 10
	}
	return sum
}

// Eight processes that read a ViT-B/16 by two methods with --mmap take at most 1.5 times the memory of two: they share
// its weights.
func TestMmapIsShared(t *testing.T) {
	lib, err := ort.Find()
	if err != nil {
		t.Skipf("ONNX Runtime is not here (make setup): %v", err)
	}
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skipf("the system does not tell what processes share: %v", err)
	}
	if testing.Short() {
		t.Skip("eight processes of a large model take a while")
	}
	program, err := exec.LookPath("ovbench") // this program, by the name that has it run the command
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	model := cliptest.ViTB16
	model.Text, model.Vocab = cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, 647
	if err := cliptest.Write(dir, model, 1); err != nil {
		t.Fatal(err)
	}
	vocabulary, err := filepath.Abs("../runners/clip/testdata/micro/hf")
	if err != nil {
		t.Fatal(err)
	}
	// memory is that of some processes while each measures: their mean over a few moments, as garbage comes and goes.
	memory := func(n int) int {
		out := filepath.Join(dir, fmt.Sprint("out", n))
		processes, said := make([]*exec.Cmd, n), make([]bytes.Buffer, n)
		for i := range n {
			c := exec.CommandContext(t.Context(), program, "run", "demo", "--model", dir, "--vocab", vocabulary, "--mmap",
				"--method", "clip,clip_surgery", "--threads", "1", "--shard", fmt.Sprint("auto/", n), "--out", out)
			c.Env = append(os.Environ(), "ONNXRUNTIME_SHARED_LIBRARY_PATH="+lib.Path, "OVBENCH_CACHE="+filepath.Join(dir,
				"cache"), fmt.Sprint("OVBENCH_SHARD=", i+1))
			c.Stdout, c.Stderr = io.Discard, &said[i]
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer c.Wait()
			defer c.Process.Kill()
			processes[i] = c
		}
		for i := range n {
			for limit := time.Now().Add(hang); ; time.Sleep(50 * time.Millisecond) {
				text, _ := os.ReadFile(filepath.Join(cluster.Folder(out, i+1, n), records.FileName))
				if bytes.Count(text, []byte("\n")) > 3 {
					break
				}
				if time.Now().After(limit) {
					t.Fatalf("process %d of %d measures nothing:\n%s", i+1, n, said[i].String())
				}
			}
		}
		const moments = 5
		sum := 0
		for range moments {
			sum += sharedMemory(t, processes)
			time.Sleep(200 * time.Millisecond)
		}
		return sum / moments
	}
	two, eight := memory(2), memory(8)
	t.Logf("two processes take %d MB, eight %d MB", two>>20, eight>>20)
	if ratio := float64(eight) / float64(two); ratio > 1.5 {
		t.Errorf("eight processes take %.2f times the memory of two, want 1.5 at most", ratio)
	}
}
