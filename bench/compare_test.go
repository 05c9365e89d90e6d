package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"ovbench/datasets"
	"ovbench/reports"
)

// Differences, intervals, tests and their adjustment equal those that numpy and scipy compute from the same records.
func TestCompareInPython(t *testing.T) {
	if os.Getenv("OVBENCH_PYTHON") == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with numpy and scipy")
	}
	data := t.TempDir()
	if err := os.CopyFS(data, datasets.Demo()); err != nil {
		t.Fatal(err)
	}
	voc := filepath.Join(data, "VOCdevkit", "VOC2012")
	for _, task := range []string{"segmentation", "explain"} {
		dir := filepath.Join(t.TempDir(), task)
		command(t, "run", "voc21", "--model", "micro", "--data", voc, "--set", "protocol.size=72", "--set",
			"datasets=[voc21, voc20]", "--set", "task="+task, "--out", dir)
		args := []string{"compare", dir, "--methods", "clip,clip_surgery", "--resamples", "20000", "--json"}
		if task == "explain" {
			args = append(args, "--score", "pointing-seen")
		}
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), &stdout, &stderr, args); code != exitDone {
			t.Fatalf("exit code %d\n%s", code, stderr.String())
		}
		var ours reports.Comparison
		if err := json.Unmarshal(stdout.Bytes(), &ours); err != nil {
			t.Fatal(err)
		}
		var theirs []struct {
			Dataset                  string
			ValueA                   float64 `json:"value_a"`
			ValueB                   float64 `json:"value_b"`
			Difference, Low, High, P float64
			Adjusted                 float64 `json:"p_adjusted"`
			Wins, Losses, Ties       int
			OnlyA                    int `json:"only_a"`
			OnlyB                    int `json:"only_b"`
		}
		if err := json.Unmarshal([]byte(python(t, "compare.py", dir, "clip", "clip_surgery")), &theirs); err != nil {
			t.Fatal(err)
		}
		if len(ours.Cells) != 2 || len(theirs) != 2 {
			t.Fatalf("%s: %d cells here, %d there", task, len(ours.Cells), len(theirs))
		}
		for i, got := range ours.Cells {
			want := theirs[i]
			for name, x := range map[string][2]float64{
				"A": {got.A, want.ValueA}, "B": {got.B, want.ValueB}, "difference": {got.Difference, want.Difference},
				"p": {*got.P, want.P}, "adjusted p": {*got.Adjusted, want.Adjusted},
			} {
				if math.Abs(x[0]-x[1]) > 1e-9 {
					t.Errorf("%s, %s: %s is %v, %v in Python", task, got.Dataset, name, x[0], x[1])
				}
			}
			if task == "explain" {
				if e := got.Events; e == nil || e.OnlyA != want.OnlyA || e.OnlyB != want.OnlyB {
					t.Errorf("%s: events %+v, in Python %d and %d", got.Dataset, e, want.OnlyA, want.OnlyB)
				}
				continue
			}
			if got.Wins != want.Wins || got.Losses != want.Losses || got.Ties != want.Ties {
				t.Errorf("%s: %d, %d, %d images; in Python %d, %d, %d", got.Dataset, got.Wins, got.Losses, got.Ties, want.Wins,
					want.Losses, want.Ties)
			}
			// Other draws: bounds of 20,000 resamples of 8 images are a few percent of the width apart.
			if slack := 0.05 * (want.High - want.Low); math.Abs(*got.Low-want.Low) > slack ||
				math.Abs(*got.High-want.High) > slack {
				t.Errorf("%s: interval %v to %v, in Python %v to %v", got.Dataset, *got.Low, *got.High, want.Low, want.High)
			}
		}
	}
}
