package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"ovbench/datasets"
	"ovbench/reports/results"
	"ovbench/runners/dino/dinotest"
	"ovbench/runners/ort"
	"ovbench/runners/sam/samtest"
	"ovbench/runners/tensor"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ovbench": main})
}

// TestScripts runs the command as users do: testdata/script holds command lines and what must come of them.
func TestScripts(t *testing.T) {
	lib, err := ort.Find()
	if err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skipf("ONNX Runtime is not here (make setup): %v", err)
	}
	picture, err := filepath.Abs("../runners/clip/testdata/micro")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("ONNXRUNTIME_SHARED_LIBRARY_PATH", lib.Path)
			e.Setenv("OVBENCH_CACHE", filepath.Join(e.WorkDir, ".cache"))
			e.Setenv("MICRO", picture)
			e.Setenv("COLUMNS", "400") // lines to look for in one piece
			e.Setenv("ESC", "\x1b[2J") // clears a screen
			for name, s := range map[string]dinotest.Shape{"dino": dinotest.Tiny, "other": dinotest.V2} {
				if err := dinotest.Write(filepath.Join(e.WorkDir, name+".safetensors"), s, 1); err != nil {
					return err
				}
			}
			if err := samtest.Write(filepath.Join(e.WorkDir, "sam.safetensors"), samtest.Tiny, 1); err != nil {
				return err
			}
			return os.CopyFS(filepath.Join(e.WorkDir, "data"), datasets.Demo())
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "samescores": sameScores, "samevalue": sameValue, "samecell": sameCell, "shape": shape,
			"truncate": truncate,
		},
	})
}

// code N COMMAND... runs a command and wants exit code N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: code N COMMAND...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// samescores RUN RUN wants equal scores, and with ! unlike ones.
func sameScores(ts *testscript.TestScript, neg bool, args []string) {
	var cells [2][]results.Cell
	for i := range cells {
		r, err := results.Read(ts.MkAbs(args[i]))
		ts.Check(err)
		cells[i] = r.Cells
		if len(r.Cells) == 0 {
			ts.Fatalf("%s has no scores", args[i])
		}
	}
	if diff := cmp.Diff(cells[0], cells[1]); (diff != "") != neg {
		ts.Fatalf("%s and %s: %s", args[0], args[1], diff)
	}
}

// samecell RUN/METHOD RUN/METHOD wants equal scores of two methods on every data set, and with ! unlike ones.
func sameCell(ts *testscript.TestScript, neg bool, args []string) {
	var cells [2][]results.Cell
	for i := range cells {
		dir, method, _ := strings.Cut(args[i], "/")
		r, err := results.Read(ts.MkAbs(dir))
		ts.Check(err)
		for _, c := range r.Cells {
			if c.Method == method {
				c.Method = ""
				cells[i] = append(cells[i], c)
			}
		}
		if len(cells[i]) == 0 {
			ts.Fatalf("%s has no scores of %s", dir, method)
		}
	}
	if diff := cmp.Diff(cells[0], cells[1]); (diff != "") != neg {
		ts.Fatalf("%s and %s: %s", args[0], args[1], diff)
	}
}

// shape FILE.npy [1,2,3] wants a shape.
func shape(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	d, err := tensor.ReadNPY(f)
	ts.Check(err)
	got, err := json.Marshal(d.Shape)
	ts.Check(err)
	if (string(got) == args[1]) == neg {
		ts.Fatalf("%s has shape %s, want %s", args[0], got, args[1])
	}
}

// truncate FILE LINES keeps the first lines of a file and half of the next, as a kill may.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	if neg || n >= len(lines)-1 {
		ts.Fatalf("%s has %d lines", args[0], len(lines)-1)
	}
	keep := strings.Join(lines[:n], "") + lines[n][:len(lines[n])/2]
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(keep), 0o666))
}

// samevalue RUN DATASET METHOD SCORE FILE.json wants the run's score in what ovbench score printed.
func sameValue(ts *testscript.TestScript, neg bool, args []string) {
	r, err := results.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	var printed map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[4])), &printed))
	got := r.Cell(args[1], args[2]).Score(args[3])
	if got == nil {
		ts.Fatalf("%s has no %s", args[0], args[3])
	}
	if (printed[args[3]] == got.Value) == neg {
		ts.Fatalf("%s is %v in the run, %v in %s", args[3], got.Value, printed[args[3]], args[4])
	}
}
