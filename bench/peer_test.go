package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ovbench/datasets"
	"ovbench/reports/results"
)

// python runs one of the scripts under testdata/peer, or skips where OVBENCH_PYTHON names no Python, or one that lacks
// a module (exit status 3).
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	py := os.Getenv("OVBENCH_PYTHON")
	if py == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, Pillow, onnx and onnxruntime")
	}
	cmd := exec.CommandContext(t.Context(), py, append([]string{filepath.Join("testdata", "peer", script)}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
		t.Skipf("%s: %s", script, strings.TrimSpace(stderr.String()))
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// command runs ovbench in this process and wants it to succeed.
func command(t *testing.T, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), &stdout, &stderr, args); code != exitDone {
		t.Fatalf("ovbench %s: exit code %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
}

// Exported models pass onnx.checker and give the recorded tokens in Python's onnxruntime.
func TestExportInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, onnx and onnxruntime")
	}
	micro := filepath.Join("..", "runners", "clip", "testdata", "micro")
	rivals := []string{"maskclip_tokens_48x64", "sclip_tokens_48x64", "clearclip_tokens_48x64", "naclip_tokens_48x64",
		"../../../testdata/rivals/resclip_naclip_rcs_pixels_48x64"}
	residual := "resclip:from=3:to=6:sfr=false"
	for _, c := range []struct {
		name, pixels string
		tokens       []string
		flags        []string
	}{
		{"fused", "pixels_32", []string{"clip_tokens_32", "surgery_tokens_32"}, []string{"--method", "clip,clip_surgery",
			"--size", "32"}},
		{"standard", "pixels_72", []string{"surgery_tokens_72"}, []string{"--method", "clip_surgery", "--size", "72",
			"--standard-ops"}},
		{"oblong", "pixels_48x64", []string{"clip_tokens_48x64"}, []string{"--method", "clip", "--size", "48x64",
			"--positions", "bicubic"}},
		{"rivals", "pixels_48x64", rivals, []string{"--method", "maskclip:residual=false,sclip,clearclip,naclip," + residual,
			"--size", "48x64"}},
		{"standard rivals", "pixels_48x64", rivals,
			[]string{"--method", "maskclip:residual=false,sclip,clearclip,naclip," + residual, "--size", "48x64",
				"--standard-ops"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			model := filepath.Join(t.TempDir(), "model.onnx")
			command(t, append([]string{"export", "--model", filepath.Join(micro, "hf"), "--out", model}, c.flags...)...)
			args := []string{model, filepath.Join(micro, c.pixels+".npy")}
			for _, name := range c.tokens {
				args = append(args, filepath.Join(micro, name+".npy"))
			}
			worst, err := strconv.ParseFloat(python(t, "export.py", args...), 64)
			if err != nil || !(worst < 1e-4) {
				t.Errorf("tokens are %v apart (%v)", worst, err)
			}
		})
	}
}

// Scores of a run equal those that numpy computes from the maps it kept, on the built-in pictures or, with
// OVBENCH_VOC naming a VOC2012 folder, on those of its val list.
func TestScoresInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy and Pillow")
	}
	voc := os.Getenv("OVBENCH_VOC")
	if voc == "" {
		data := t.TempDir()
		if err := os.CopyFS(data, datasets.Demo()); err != nil {
			t.Fatal(err)
		}
		voc = filepath.Join(data, "VOCdevkit", "VOC2012")
	}
	for suite, reduce := range map[string][]string{"voc21": nil, "voc20": {"reduce_zero_label"}} {
		dir := filepath.Join(t.TempDir(), suite)
		command(t, "run", suite, "--model", "micro", "--data", voc, "--set", "protocol.size=72", "--out", dir, "--save",
			"maps,labels")
		var theirs map[string]map[string]float64
		if err := json.Unmarshal([]byte(python(t, "scores.py", append([]string{dir, voc}, reduce...)...)),
			&theirs); err != nil {
			t.Fatal(err)
		}
		r, err := results.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Methods {
			for _, name := range []string{"mIoU", "mAcc", "aAcc"} {
				ours, want := r.Cell(suite, m.Name).Score(name), theirs[m.Name][name]
				// Our maps are upsampled in float32, theirs in float64: ties at the last bit may fall otherwise.
				if ours == nil || math.Abs(ours.Value-want) > 1e-4 {
					t.Errorf("%s %s %s: %v, numpy has %v", suite, m.Name, name, ours, want)
				}
			}
			if d := theirs[m.Name]["differ"]; d > 1e-4 {
				t.Errorf("%s %s: %.2g of the labels differ from numpy's", suite, m.Name, d)
			}
		}
	}
}

// Scores of the tasks explain and multilabel equal numpy's and scikit-learn's, computed from what the runs kept.
func TestTasksInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, Pillow and scikit-learn")
	}
	data := t.TempDir()
	if err := os.CopyFS(data, datasets.Demo()); err != nil {
		t.Fatal(err)
	}
	voc := filepath.Join(data, "VOCdevkit", "VOC2012")
	for _, task := range []string{"explain", "multilabel"} {
		dir := filepath.Join(t.TempDir(), task)
		command(t, "run", "voc21", "--model", "micro", "--data", voc, "--set", "protocol.size=72", "--set", "task="+task,
			"--out", dir, "--save", "maps")
		var theirs map[string]map[string]map[string]float64 // by method, convention, score
		if err := json.Unmarshal([]byte(python(t, "explain.py", dir, voc)), &theirs); err != nil {
			t.Fatal(err)
		}
		r, err := results.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for _, c := range r.Cells {
			for name, w := range theirs[c.Method][c.Convention] {
				// Maps are made in float32 here and in float64 there: a pixel near a threshold may fall otherwise.
				if got := c.Score(name); got == nil || math.Abs(got.Value-w) > 2e-4 {
					t.Errorf("%s %s %s %s: %v, numpy has %v", task, c.Method, c.Convention, name, got, w)
				}
				compared++
			}
		}
		if compared < 16 {
			t.Errorf("%s: only %d scores were compared", task, compared)
		}
	}
}

// pandas reads records in both forms, and pools the flat one to the scores of the run.
func TestRecordsInPandas(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with pandas")
	}
	dir := filepath.Join(t.TempDir(), "run")
	command(t, "run", "micro", "--out", dir)
	flat := filepath.Join(t.TempDir(), "records.csv")
	command(t, "records", dir, "--out", flat)
	var theirs map[string]float64
	format := filepath.Join("..", "reports", "results", "FORMAT.md")
	if err := json.Unmarshal([]byte(python(t, "records.py", flat, dir, format)), &theirs); err != nil {
		t.Fatal(err)
	}
	r, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Methods {
		if ours := r.Cell("voc21", m.Name).Score("mIoU"); math.Abs(ours.Value-theirs[m.Name]) > 1e-12 {
			t.Errorf("%s: mIoU %v, pandas has %v", m.Name, ours.Value, theirs[m.Name])
		}
	}
}

// What ovbench score prints is what the reference tools say, on random and adversarial inputs.
func TestScoreInPython(t *testing.T) {
	for _, seed := range []string{"1", "2"} {
		dir := t.TempDir()
		var cases []struct {
			Name, Error string
			Args        []string
			Want        map[string]*float64
			Classes     []map[string]*float64
		}
		if err := json.Unmarshal([]byte(python(t, "score.py", dir, seed)), &cases); err != nil {
			t.Fatal(err)
		}
		if len(cases) < 30 {
			t.Fatalf("only %d cases", len(cases))
		}
		for _, c := range cases {
			t.Run(c.Name+"/"+seed, func(t *testing.T) {
				var stdout, stderr bytes.Buffer
				code := run(t.Context(), &stdout, &stderr, append([]string{"score", "--json"}, c.Args...))
				if c.Error != "" {
					if code != exitFailed || !strings.Contains(stderr.String(), c.Error) {
						t.Errorf("exit code %d\n%s\nwant %q", code, stderr.String(), c.Error)
					}
					return
				}
				if code != exitDone {
					t.Fatalf("exit code %d\n%s", code, stderr.String())
				}
				var got map[string]any
				if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
					t.Fatal(err)
				}
				compareScores(t, "", c.Want, got)
				rows, _ := got["per_class"].([]any)
				for i, want := range c.Classes {
					compareScores(t, "class "+strconv.Itoa(i)+": ", want, rows[i].(map[string]any))
				}
			})
		}
	}
}

// compareScores wants equal values to 1e-9, and undefined ones to be absent.
func compareScores(t *testing.T, at string, want map[string]*float64, got map[string]any) {
	t.Helper()
	for name, w := range want {
		value, there := got[name].(float64)
		switch {
		case (w != nil) != there:
			t.Errorf("%s%s: %v, want %v", at, name, got[name], w)
		case there && math.Abs(value-*w) > 1e-9*math.Max(1, math.Abs(*w)):
			t.Errorf("%s%s: %.17g, want %.17g", at, name, value, *w)
		}
	}
}

// Curves of a run have the areas that onnxruntime and torch give in Python, from the pictures and the maps that the run
// kept.
func TestFaithfulnessInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy, scipy, torch, Pillow and onnxruntime")
	}
	data := t.TempDir()
	if err := os.CopyFS(data, datasets.Demo()); err != nil {
		t.Fatal(err)
	}
	voc := filepath.Join(data, "VOCdevkit", "VOC2012")
	work := t.TempDir()
	dir, model, texts := filepath.Join(work, "run"), filepath.Join(work, "model.onnx"), filepath.Join(work, "texts.npy")
	command(t, "run", "voc21", "--model", "micro", "--data", voc, "--set", "protocol.size=64", "--set",
		"task=faithfulness",
		"--set", "protocol.templates=openai80", "--set", "protocol.queries=plain", "--set", "panels=8", "--out", dir,
		"--save", "maps")
	r, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	command(t, "export", "--model", "micro", "--method", "clip", "--similarities", "--size", "64", "--positions",
		r.Protocol.Fields["positions"].(string), "--out", model)
	args := []string{"encode", "text", "--model", "micro", "--templates", "openai80", "--out", texts}
	for _, q := range r.Datasets[0].Queries {
		args = append(args, q...)
	}
	command(t, args...)
	var theirs map[string]map[string]float64
	if err := json.Unmarshal([]byte(python(t, "faithfulness.py", dir, model, texts)), &theirs); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range r.Cells {
		for name, want := range theirs[c.Method] {
			convention, score := "rise", name
			if of, s, ok := strings.Cut(name, " "); ok {
				convention, score = of, s
			}
			if c.Convention != convention {
				continue
			}
			// Maps are made in float32 here and in float64 there: pixels of nearly equal values may change places.
			if got := c.Score(score); got == nil || math.Abs(got.Value-want) > 5e-4 {
				t.Errorf("%s %s %s: %v, Python has %v", c.Method, convention, score, got, want)
			}
			compared++
		}
	}
	if compared != 3*len(r.Methods) {
		t.Errorf("%d scores were compared", compared)
	}
}
