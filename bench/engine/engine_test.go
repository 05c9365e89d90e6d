package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/analysis"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports/results"
	"ovbench/runners/ort"
)

// demo is a request for the built-in suite of the random model, or a skip.
func demo(t *testing.T) Request {
	t.Helper()
	lib, err := ort.Find()
	if err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skipf("ONNX Runtime is not here (make setup): %v", err)
	}
	t.Setenv(ort.EnvLibrary, lib.Path)
	t.Setenv(ort.EnvCache, t.TempDir())
	s, err := configs.Load("micro", tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	return Request{Suite: s, Out: t.TempDir(), Jobs: 2}
}

// quiet is a Progress that calls back.
type quiet struct{ at func(done int) }

func (quiet) Start(string, int) {}
func (q quiet) At(done int) {
	if q.at != nil {
		q.at(done)
	}
}

func measure(t *testing.T, ctx context.Context, r Request, p tasks.Progress) (*results.Run, error) {
	t.Helper()
	plan, err := NewPlan(r)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Run(ctx, p)
}

// interrupt runs r, and stops it once so many samples are measured.
func interrupt(t *testing.T, r Request, after int) *results.Run {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	measuring := false
	part, err := measure(t, ctx, r, stages{func(stage string) { measuring = strings.HasPrefix(stage, "measuring ") },
		func(done int) {
			if measuring && done == after {
				stop()
			}
		}})
	if !errors.Is(err, context.Canceled) || part == nil || part.Complete {
		t.Fatalf("an interrupted run gives %v, %v", part, err)
	}
	return part
}

// resumes wants a run that was stopped to go on to the scores of the whole one.
func resumes(t *testing.T, r Request, whole *results.Run) {
	t.Helper()
	r.Resume = true
	resumed, err := measure(t, t.Context(), r, quiet{})
	if err != nil || !resumed.Complete {
		t.Fatal(resumed, err)
	}
	if d := cmp.Diff(whole.Cells, resumed.Cells); d != "" {
		t.Errorf("cells differ (-whole +resumed)\n%s", d)
	}
}

// merges wants r in so many shards, merged, to have the scores of the whole run.
func merges(t *testing.T, r Request, whole *results.Run, shards int) {
	t.Helper()
	var dirs []string
	for i := range shards {
		r.Out, r.Shard = t.TempDir(), Shard{i + 1, shards}
		if _, err := measure(t, t.Context(), r, quiet{}); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, r.Out)
	}
	merged, _, err := analysis.Merge(dirs, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(whole.Cells, merged.Cells); d != "" {
		t.Errorf("cells differ (-whole +merged)\n%s", d)
	}
}

// totals notes how much there was to do of each stage.
type totals map[string]int

func (s totals) Start(stage string, total int) { s[stage] += total }
func (totals) At(int)                          {}

// A second run encodes nothing, and its scores are those of the first. Another vocabulary is another key.
func TestPromptsAreEncodedOnce(t *testing.T) {
	r := demo(t)
	first, second := totals{}, totals{}
	a, err := measure(t, t.Context(), r, first)
	if err != nil {
		t.Fatal(err)
	}
	r.Out = t.TempDir()
	b, err := measure(t, t.Context(), r, second)
	if err != nil {
		t.Fatal(err)
	}
	distinct := map[string]bool{}
	for _, d := range a.Datasets {
		for _, q := range slices.Concat(d.Queries...) {
			distinct[q] = true
		}
	}
	if want := len(distinct) * a.Datasets[0].Templates; first["encoding prompts"] != want ||
		second["encoding prompts"] != 0 {
		t.Errorf("%d prompts were encoded, want %d, then %d", first["encoding prompts"], want, second["encoding prompts"])
	}
	if d := cmp.Diff(a.Cells, b.Cells); d != "" {
		t.Errorf("scores differ: %s", d)
	}
}

// An audit of what does not differ says so; a label that does is counted.
func TestAudit(t *testing.T) {
	r := demo(t)
	if _, err := Audit(t.Context(), r, quiet{}); err == nil ||
		!strings.Contains(err.Error(), "name another --device or --precision") {
		t.Errorf("f32 against f32: %v", err)
	}
	r.Device = ort.Device{Provider: ort.CUDA}
	if _, err := Audit(t.Context(), r, quiet{}); err == nil ||
		!strings.Contains(err.Error(), "no provider for device cuda") {
		t.Errorf("without a library: %v", err)
	}
	flips := labelFlips{known: map[labelled][]uint16{}, differ: map[[2]string]share{}}
	run, err := measureInto(t.Context(), demo(t), t.TempDir(), flips.remember, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	for _, labels := range flips.known { // one label of each map is another one the second time
		labels[0]++
	}
	again, err := measureInto(t.Context(), demo(t), t.TempDir(), flips.compare, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Join(flips.lines(again, run), "\n")
	for _, s := range flips.differ {
		if s.some != run.Datasets[0].Measured || s.all < 1000*s.some {
			t.Errorf("%d of %d labels differ", s.some, s.all)
		}
	}
	if len(flips.known) != 0 || !strings.Contains(lines, "labels differ; mIoU ") || !strings.Contains(lines, ": +0.000") {
		t.Errorf("%d left; %s", len(flips.known), lines)
	}
}

// An interrupted run keeps what was finished, says it is incomplete, and goes on to equal scores.
func TestInterruptAndResume(t *testing.T) {
	r := demo(t)
	whole, err := measure(t, t.Context(), r, quiet{})
	if err != nil || !whole.Complete {
		t.Fatalf("complete %v, %v", whole.Complete, err)
	}
	if v := whole.Model.Vocabulary; len(v.SHA256) != 64 || v.Bytes != 8413+1088 { // vocab.json and merges.txt
		t.Errorf("the vocabulary is recorded as %+v", v)
	}
	// A folder with records is refused before the texts are encoded, which takes long.
	_, err = measure(t, t.Context(), r,
		stages{func(stage string) { t.Errorf("%s was begun in a folder that is taken", stage) }, func(int) {}})
	if err == nil || !strings.Contains(err.Error(), "add --resume") {
		t.Errorf("error %v", err)
	}
	r.Out = t.TempDir()
	part := interrupt(t, r, 3)
	if n := part.Datasets[0].Measured; n < 3 || n == 8 {
		t.Errorf("%d of 8 samples were kept, want at least the 3 that were finished", n)
	}
	r.Resume = true
	resumed, err := measure(t, t.Context(), r, quiet{})
	if err != nil || !resumed.Complete {
		t.Fatalf("resumed: complete %v, %v", resumed.Complete, err)
	}
	if diff := cmp.Diff(whole.Cells, resumed.Cells); diff != "" {
		t.Errorf("scores differ (-whole +resumed)\n%s", diff)
	}
	if diff := cmp.Diff(whole.Panels, resumed.Panels); diff != "" {
		t.Errorf("panels differ (-whole +resumed)\n%s", diff)
	}
}

type stages struct {
	start func(string)
	at    func(int)
}

func (s stages) Start(stage string, _ int) { s.start(stage) }
func (s stages) At(done int)               { s.at(done) }

// Where nothing can be read, a run gives up with the reason instead of failing sample by sample.
func TestHopelessRun(t *testing.T) {
	r := demo(t)
	root := t.TempDir()
	voc := filepath.Join(root, "VOC2012")
	var list strings.Builder
	for i := range 40 {
		list.WriteString("x" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "\n")
	}
	for path, text := range map[string]string{"ImageSets/Segmentation/val.txt": list.String(), "JPEGImages/x": "",
		"SegmentationClass/x": ""} {
		full := filepath.Join(voc, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r.Suite.Datasets[0].Root = ""
	r.Data = root
	_, err := measure(t, t.Context(), r, quiet{})
	if err == nil || !strings.Contains(err.Error(), "the first 20 samples all failed") {
		t.Errorf("error %v", err)
	}
}

// Every fault of a plan comes at once, with the suite's line where there is one.
func TestPlanFaults(t *testing.T) {
	r := demo(t)
	s, err := configs.Parse("s.yaml",
		[]byte("model: nobody/nothing\ndatasets:\n  - voc20\n  - {name: voc21, root: /nowhere}\nmethods: [clip, "+
			"{clip_surgery: {depth: 99}}]\nprotocol: {base: clip-surgery, templates: ./missing.txt}\n"), tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	r.Suite = s
	_, err = NewPlan(r)
	for _, want := range []string{"s.yaml:1: ", "s.yaml:3: ", "s.yaml:4: ", "/nowhere", "s.yaml:6: ", "missing.txt"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	s.Model.Path = "micro"
	if _, err = NewPlan(r); err == nil ||
		!strings.Contains(err.Error(), "s.yaml:5: clip_surgery: depth 99 is out of range") {
		t.Errorf("error %v", err)
	}
}
