package metrics

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

const peerRounds = 5

// BenchmarkPeer compares with testdata/peer.py in the same run, best of five, on one thread each:
// the areas of one 2048x1024 image of 19 classes with mmsegmentation's way, and the mAP of 40,000
// images with scikit-learn's. OVBENCH_PYTHON names a Python with numpy, torch and scikit-learn.
func BenchmarkPeer(b *testing.B) {
	for _, run := range []int{40, 1} {
		b.Run(fmt.Sprintf("segmentation/run=%d", run), func(b *testing.B) {
			truth, pred := drawMaps(2048*1024, 19, run, 1)
			var got, want [3][]int64
			against(b, "segmentation", 19, map[string]any{"truth": truth, "pred": pred}, &want, func() {
				s, err := Count(truth, pred, 19, 65535)
				if err != nil {
					b.Fatal(err)
				}
				a := areas(b, 19, s)
				got = [3][]int64{a.Intersection, a.Truth, a.Pred}
			})
			if !slices.EqualFunc(want[:], got[:], slices.Equal) {
				b.Errorf("areas %v, want %v", got, want)
			}
		})
	}
	b.Run("multilabel", func(b *testing.B) {
		scores, truth := drawTable(40000, 81, 1)
		var got, want float64
		against(b, "multilabel", 81, map[string]any{"truth": truth, "scores": scores}, &want, func() {
			r, err := Rank(scores, truth, 81, DifficultSkip)
			if err != nil {
				b.Fatal(err)
			}
			got, _, _ = r.MAP(StepAP, nil)
		})
		if !(math.Abs(got-want) < 1e-12) {
			b.Errorf("mAP %v, want %v", got, want)
		}
	})
}

// against reports how many times our best time the script's is, and decodes its result.
func against(b *testing.B, task string, classes int, inputs map[string]any, result any, ours func()) {
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" {
		b.Skip("set OVBENCH_PYTHON to a Python with numpy, torch and scikit-learn")
	}
	dir := b.TempDir()
	for name, values := range inputs {
		var raw bytes.Buffer
		if err := binary.Write(&raw, binary.LittleEndian, values); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw.Bytes(), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	var theirs struct {
		Seconds float64
		Result  json.RawMessage
	}
	best := math.Inf(1)
	for b.Loop() {
		for range peerRounds {
			start := time.Now()
			ours()
			best = min(best, time.Since(start).Seconds())
		}
		cmd := exec.CommandContext(b.Context(), python, "testdata/peer.py", task, dir, strconv.Itoa(classes),
			strconv.Itoa(peerRounds))
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			if exit.ExitCode() == 3 {
				b.Skipf("OVBENCH_PYTHON: %s", exit.Stderr)
			}
			b.Fatalf("%v: %s", err, exit.Stderr)
		} else if err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(out, &theirs); err != nil {
			b.Fatal(err)
		}
	}
	if err := json.Unmarshal(theirs.Result, result); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(theirs.Seconds/best, "theirs/ours")
	b.ReportMetric(best*1000, "ours-ms")
}
