package ort

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners/tensor"
)

// library loads ONNX Runtime, or skips the test where there is none.
func library(t testing.TB) *Library {
	t.Helper()
	l, err := Load("")
	if err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skip(err) // says what to run or to set
	}
	return l
}

func session(t testing.TB, g graph, o Options) *Session {
	t.Helper()
	s, err := library(t).NewSession("test", g.model(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// wantError checks that err has all the parts in its text.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error is\n\t%v\nand lacks %q", err, p)
		}
	}
}

func TestRun(t *testing.T) {
	for name, o := range map[string]Options{
		"zero":    {},
		"options": {Threads: 1, Mmap: true, AllowSpinning: true, Optimize: OptimizeNone},
	} {
		t.Run(name, func(t *testing.T) {
			s := session(t, sum(), o)
			for _, batch := range []int{1, 2, 0} { // one session, many sizes
				shape := []int{batch, 3}
				n := 3 * batch
				a, b, got, want := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
				for i := range n {
					a[i], b[i], want[i] = float32(i), float32(10*i), float32(11*i)
				}
				if err := s.Run(t.Context(), []Value{Float32(shape, a), Float32(shape, b)},
					[]Value{Float32(shape, got)}); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("batch %d (-want +got)\n%s", batch, d)
				}
			}
		})
	}
}

func TestRunInt64(t *testing.T) {
	s := session(t, graph{
		nodes:   []message{node("Mul", []string{"a", "a"}, []string{"b"})},
		inputs:  []message{port("a", elemInt64, "n")},
		outputs: []message{port("b", elemInt64, "n")},
	}, Options{})
	got := make([]int64, 3)
	if err := s.Run(context.Background(), []Value{Int64([]int{3}, []int64{-2, 3, 1 << 20})},
		[]Value{Int64([]int{3}, got)}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int64{4, 9, 1 << 40}, got); d != "" {
		t.Error(d)
	}
}

// The runtime keeps only the addresses of Go memory. Inputs that nothing else refers to must outlive the run
// all the same, while the collector runs and their memory is wanted by others.
func TestRunUnderGarbageCollection(t *testing.T) {
	const k, n = 192, 1024
	s := session(t, late(60), Options{Threads: 1})
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			runtime.GC()
			for range 2000 {
				junk(n)
			}
		}
	})
	defer others.Wait()
	defer close(stop)
	out := make([]float32, n)
	wrong := 0
	for i := range 20 {
		if err := s.Run(t.Context(), lateInputs(k, n, float32(i+1)), []Value{Float32([]int{n}, out)}); err != nil {
			t.Fatal(err)
		}
		for _, x := range out {
			if x != float32(i+1) {
				wrong++
				break
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of 20 runs read memory that was no longer theirs", wrong)
	}
}

//go:noinline
func junk(n int) []float32 {
	b := make([]float32, n)
	for i := range b {
		b[i] = -7
	}
	return b
}

//go:noinline
func lateInputs(k, n int, value float32) []Value {
	x := make([]float32, n)
	for i := range x {
		x[i] = value
	}
	return []Value{Float32([]int{n}, x), Float32([]int{k, k}, make([]float32, k*k))}
}

func TestRunRefuses(t *testing.T) {
	three := make([]float32, 3)
	ok := Float32([]int{1, 3}, three)
	s := session(t, sum(), Options{})
	for _, c := range []struct {
		name    string
		in, out []Value
		want    []string
	}{
		{"input missing", []Value{ok}, []Value{ok}, []string{"test: got 1 inputs, want 2", `"a" f32 [batch 3]`}},
		{"output missing", []Value{ok, ok}, nil, []string{"test: got 0 outputs, want 1", `"c" f32 [batch 3]`}},
		{"size", []Value{ok, Float32([]int{3, 1}, three)}, []Value{ok}, []string{`test: input "b": got shape [3 1], want [batch 3]`}},
		{"rank", []Value{Float32([]int{3}, three), ok}, []Value{ok}, []string{`test: input "a": got shape [3], want [batch 3]`}},
		{"symbol", []Value{ok, Float32([]int{2, 3}, make([]float32, 6))}, []Value{ok}, []string{`test: input "b": got shape [2 3], want [batch 3], where batch is 1 in "a"`}},
		{"type", []Value{Int64([]int{1, 3}, make([]int64, 3)), ok}, []Value{ok}, []string{`test: input "a": got elements of i64, want f32`}},
		{"too few", []Value{Float32([]int{1, 3}, three[:2]), ok}, []Value{ok}, []string{`test: input "a": got 2 elements for shape [1 3], which needs 3`}},
		{"nothing", []Value{{Shape: []int{1, 3}}, ok}, []Value{ok}, []string{`input "a": a value holds either`}},
		{"both", []Value{{Shape: []int{1, 3}, F32: three, I64: make([]int64, 3)}, ok}, []Value{ok}, []string{`input "a": a value holds either`}},
		{"overflow", []Value{Float32([]int{math.MaxInt, 3}, three), ok}, []Value{ok}, []string{`input "a": shape`, "is not one"}},
		{"negative", []Value{Float32([]int{-1, 3}, three), ok}, []Value{ok}, []string{`input "a": shape`, "is not one"}},
		{"scalar", []Value{Float32(nil, three[:1]), ok}, []Value{ok}, []string{`input "a": shape [] is not one`}},
		{"output size", []Value{ok, ok}, []Value{Float32([]int{3, 1}, three)}, []string{`test: output "c": got shape [3 1], want [batch 3]`}},
		{"output batch", []Value{ok, ok}, []Value{Float32([]int{2, 3}, make([]float32, 6))}, []string{`test: output "c": got shape [2 3], want [batch 3], where batch is 1 in "a"`}},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, s.Run(t.Context(), c.in, c.out), c.want...) })
	}
}

func TestRunCancelled(t *testing.T) {
	s := session(t, count(), Options{Threads: 1})
	run := func(ctx context.Context, n int64) (float32, error) {
		y := []float32{-1}
		err := s.Run(ctx, []Value{Int64([]int{1}, []int64{n}), Float32([]int{1}, []float32{0.5})},
			[]Value{Float32([]int{1}, y)})
		return y[0], err
	}
	const forever = 5_000_000 // turns: more than ten seconds, and still an end

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := run(ctx, forever)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	wantError(t, err, "test: ")

	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(done, forever); !errors.Is(err, context.Canceled) {
		t.Errorf("begun after the end: %v", err)
	}

	// The session is as good as before, with or without a context that can end.
	for _, ctx := range []context.Context{t.Context(), context.Background()} {
		if y, err := run(ctx, 1000); err != nil || y != 1000.5 {
			t.Errorf("afterwards: %v, %v", y, err)
		}
	}
}

func TestConcurrentRuns(t *testing.T) {
	s := session(t, sum(), Options{Threads: 2})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			shape := []int{1 + worker, 3}
			n := 3 * shape[0]
			a, b, c := make([]float32, n), make([]float32, n), make([]float32, n)
			for turn := range 200 {
				for i := range n {
					a[i], b[i], c[i] = float32(worker), float32(turn), -1
				}
				if err := s.Run(t.Context(), []Value{Float32(shape, a), Float32(shape, b)},
					[]Value{Float32(shape, c)}); err != nil {
					t.Error(err)
					return
				}
				for i, x := range c {
					if x != float32(worker+turn) {
						t.Errorf("worker %d, turn %d, element %d is %v", worker, turn, i, x)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestClose(t *testing.T) {
	s := session(t, count(), Options{Threads: 1})
	run := func() error {
		return s.Run(context.Background(), []Value{Int64([]int{1}, []int64{50_000}), Float32([]int{1}, []float32{0})},
			[]Value{Float32([]int{1}, []float32{0})})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if err := run(); err != nil { // each run either completes or is refused
					wantError(t, err, "test: the session is closed")
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	wantError(t, run(), "test: the session is closed")
}

// Weights lie in any folder, at any offset, behind symbolic links, whatever the current folder is.
func TestExternalWeights(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "weights.bin")
	raw := []byte("odd") // so that the weights are not aligned
	for _, x := range []float32{1, 2, 3} {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.bin")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	model := func(location string, offset int) []byte {
		g := sum()
		g.inputs = g.inputs[:1]
		g.initializers = []message{external("b", []int{1, 3}, location, offset, 12)}
		return g.model()
	}
	for _, path := range []string{file, link} {
		for _, mmap := range []bool{false, true} {
			s, err := library(t).NewSession("test", model(path[1:], 3), Options{Mmap: mmap})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got := make([]float32, 3)
			shape := []int{1, 3}
			if err := s.Run(t.Context(), []Value{Float32(shape, []float32{10, 20, 30})},
				[]Value{Float32(shape, got)}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]float32{11, 22, 33}, got); d != "" {
				t.Error(d)
			}
		}
	}
	_, err = library(t).NewSession("test", model(file[1:]+".gone", 3), Options{})
	wantError(t, err, "test: onnxruntime 1.", "weights.bin.gone")
	_, err = library(t).NewSession("test", model(file[1:], 7), Options{})
	wantError(t, err, "test: onnxruntime 1.", "bounds")
}

func TestNewSessionRefuses(t *testing.T) {
	l := library(t)
	double := sum()
	double.inputs = []message{port("a", 11, "batch", 3), port("b", elemFloat, "batch", 3)}
	scalar := sum()
	scalar.outputs = []message{port("c", elemFloat)}
	unknown := sum()
	unknown.nodes = []message{node("Adda", []string{"a", "b"}, []string{"c"})}
	closed := sum()
	closed.inputs = nil
	for _, c := range []struct {
		name  string
		model []byte
		o     Options
		want  []string
	}{
		{"empty", nil, Options{}, []string{"test: has no input", "has no output"}},
		{"text", []byte("<html>not found</html>"), Options{}, []string{"test: not an ONNX model"}},
		{"cut", sum().model()[:40], Options{}, []string{"test: not an ONNX model, or cut short"}},
		{"no inputs", closed.model(), Options{}, []string{"test: has no input"}},
		{"float64", double.model(), Options{}, []string{`test: input "a" f64 [batch 3]`, "Cast"}},
		{"scalar", scalar.model(), Options{}, []string{`test: output "c" f32 [] is a scalar`}},
		{"operator", unknown.model(), Options{}, []string{"test: onnxruntime 1.", "Adda"}},
		{"threads", sum().model(), Options{Threads: -1}, []string{"test: session options: -1 threads"}},
		{"level", sum().model(), Options{Optimize: 9}, []string{"optimization level 9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.NewSession("test", c.model, c.o)
			wantError(t, err, c.want...)
		})
	}
}

func TestPorts(t *testing.T) {
	g := sum()
	g.inputs = append(g.inputs, port("w", elemInt64, 2), port("free", 10, nil))
	g.initializers = []message{initializer("w", elemInt64, []int{2}), constant("v", []int{1}, 1)}
	in, out, err := ports(g.model())
	if err != nil {
		t.Fatal(err)
	}
	batch3 := []Dim{{Size: -1, Symbol: "batch"}, {Size: 3}}
	if d := cmp.Diff([]Port{{"a", tensor.F32, batch3}, {"b", tensor.F32, batch3}, {"free", tensor.F16, nil}},
		in); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Port{{"c", tensor.F32, batch3}}, out); d != "" {
		t.Error(d)
	}
	s := session(t, sum(), Options{})
	if got, want := fmt.Sprint(s.Inputs(), s.Outputs()), `["a" f32 [batch 3] "b" f32 [batch 3]] ["c" f32 [batch 3]]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever the bytes, ports returns, and what it returns is no larger than they are.
func FuzzPorts(f *testing.F) {
	f.Add(sum().model())
	f.Add(count().model())
	f.Fuzz(func(t *testing.T, model []byte) {
		in, out, err := ports(model)
		if err != nil && (in != nil || out != nil) {
			t.Error("results beside an error")
		}
		dims := 0
		for _, p := range append(in, out...) {
			dims += 1 + len(p.Dims)
		}
		if dims > len(model) {
			t.Errorf("%d ports and dimensions from %d bytes", dims, len(model))
		}
	})
}

// The shape of an output that the model leaves open is checked by the runtime, where it is computed.
func TestRunRefusesOpenOutput(t *testing.T) {
	wantError(t, runOpenOutput(t), "test: ", "{1,3}", "{2,3}")
}

func runOpenOutput(t *testing.T) error {
	g := sum()
	g.outputs = []message{port("c", elemFloat, nil)}
	v := Float32([]int{1, 3}, make([]float32, 3))
	return session(t, g, Options{}).Run(t.Context(), []Value{v, v}, []Value{Float32([]int{2, 3}, make([]float32, 6))})
}

// Errors are returned and not also printed by the library.
func TestErrorsAreNotPrinted(t *testing.T) {
	if os.Getenv("ORT_TEST_CHILD") == "1" {
		l := library(t)
		unknown := sum()
		unknown.nodes = []message{node("Adda", []string{"a", "b"}, []string{"c"})}
		if _, err := l.NewSession("test", unknown.model(), Options{}); err == nil {
			t.Error("no error")
		}
		if err := runOpenOutput(t); err == nil {
			t.Error("no error")
		}
		return
	}
	library(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestErrorsAreNotPrinted$")
	cmd.Env = append(os.Environ(), "ORT_TEST_CHILD=1")
	var printed strings.Builder
	cmd.Stderr = &printed
	out, err := cmd.Output()
	if err != nil || printed.Len() > 0 {
		t.Errorf("%v\n%s\nprinted: %q", err, out, printed.String())
	}
}

// BenchmarkRun is the price of a run that computes next to nothing.
func BenchmarkRun(b *testing.B) {
	s := session(b, sum(), Options{Threads: 1})
	shape := []int{1, 3}
	in := []Value{Float32(shape, make([]float32, 3)), Float32(shape, make([]float32, 3))}
	out := []Value{Float32(shape, make([]float32, 3))}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for b.Loop() {
		if err := s.Run(ctx, in, out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRunLarge is a run with outputs of the size of 150 class maps of 336 x 336.
func BenchmarkRunLarge(b *testing.B) {
	s := session(b, sum(), Options{})
	const n = 150 * 336 * 336
	shape := []int{n / 3, 3}
	in := []Value{Float32(shape, make([]float32, n)), Float32(shape, make([]float32, n))}
	out := []Value{Float32(shape, make([]float32, n))}
	b.SetBytes(4 * n)
	for b.Loop() {
		if err := s.Run(context.Background(), in, out); err != nil {
			b.Fatal(err)
		}
	}
}
