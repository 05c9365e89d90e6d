package ort

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	onnxruntime "github.com/yalue/onnxruntime_go"
)

// A profile tells which operators ran: one that does nothing only where the graph is not rewritten.
func TestProfile(t *testing.T) {
	g := sum()
	g.nodes = append(g.nodes, node("Identity", []string{"c"}, []string{"d"}), node("Neg", []string{"d"}, []string{"e"}))
	g.outputs = []message{port("e", elemFloat, "batch", 3)}
	for level, idle := range map[Level]bool{OptimizeAll: false, OptimizeExtended: false, OptimizeBasic: false,
		OptimizeNone: true} {
		dir := t.TempDir()
		s := session(t, g, Options{Profile: filepath.Join(dir, "p"), Optimize: level})
		v := Float32([]int{1, 3}, make([]float32, 3))
		if err := s.Run(t.Context(), []Value{v, v}, []Value{Float32([]int{1, 3}, make([]float32, 3))}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		files := entries(dir, "p*.json")
		if len(files) != 1 {
			t.Fatalf("profiles: %v", files)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		var events []struct {
			Cat  string
			Args struct {
				Op string `json:"op_name"`
			}
		}
		if err := json.Unmarshal(b, &events); err != nil {
			t.Fatal(err)
		}
		ran := map[string]bool{}
		for _, e := range events {
			if e.Cat == "Node" {
				ran[e.Args.Op] = true
			}
		}
		if !ran["Neg"] || ran["Identity"] != idle {
			t.Errorf("level %d: ran %v", level, ran)
		}
	}
}

func TestOptions(t *testing.T) {
	l := library(t)
	for _, c := range []struct {
		o    Options
		want map[string]string
	}{
		{Options{}, map[string]string{"session.disable_prepacking": "0", "session.intra_op.allow_spinning": "0"}},
		{Options{Mmap: true, AllowSpinning: true}, map[string]string{"session.disable_prepacking": "1",
			"session.intra_op.allow_spinning": "1"}},
	} {
		opts, err := onnxruntime.NewSessionOptions()
		if err != nil {
			t.Fatal(err)
		}
		defer opts.Destroy()
		if err := l.apply(c.o, opts); err != nil {
			t.Fatal(err)
		}
		for key, want := range c.want {
			if got, err := opts.GetSessionConfigEntry(key); err != nil || got != want {
				t.Errorf("%+v: %s is %q, %v, want %q", c.o, key, got, err, want)
			}
		}
	}
}

// A session of n threads starts n-1: the one that calls Run is the other.
func TestThreads(t *testing.T) {
	tasks := func() int { return len(entries("/proc/self/task", "*")) }
	if tasks() == 0 {
		t.Skip("counts threads in /proc")
	}
	session(t, sum(), Options{Threads: 1})
	before := tasks()
	s := session(t, sum(), Options{Threads: 9})
	after := tasks()
	if after < before+8 {
		t.Errorf("%d threads before, %d after", before, after)
	}
	s.Close()
	// Threads of the Go runtime may have come meanwhile; the session's are gone.
	if now := tasks(); now > after-4 {
		t.Errorf("%d threads with the session, %d after it", after, now)
	}
}

// With Mmap a weight of a matrix product stays mapped from its file; without, it is repacked and unmapped.
func TestMmap(t *testing.T) {
	if !exists("/proc/self/maps") {
		t.Skip("reads the memory map in /proc")
	}
	const n = 256
	file := filepath.Join(t.TempDir(), "weights.bin")
	if err := os.WriteFile(file, make([]byte, 4*n*n), 0o644); err != nil {
		t.Fatal(err)
	}
	g := graph{
		nodes:        []message{node("MatMul", []string{"a", "w"}, []string{"b"})},
		initializers: []message{external("w", []int{n, n}, file[1:], 0, 4*n*n)},
		inputs:       []message{port("a", elemFloat, "rows", n)},
		outputs:      []message{port("b", elemFloat, "rows", n)},
	}
	for _, mmap := range []bool{true, false} {
		s := session(t, g, Options{Mmap: mmap})
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(maps), file); got != mmap {
			t.Errorf("Mmap %v: mapped is %v", mmap, got)
		}
		s.Close()
	}
}
