package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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
	s, err := configs.Load("micro", Known())
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

func measure(t *testing.T, ctx context.Context, r Request, p Progress) (*results.Run, error) {
	t.Helper()
	plan, err := NewPlan(r)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Run(ctx, p)
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
	_, err = measure(t, t.Context(), r, stages{func(stage string) { t.Errorf("%s was begun in a folder that is taken", stage) }, func(int) {}})
	if err == nil || !strings.Contains(err.Error(), "add --resume") {
		t.Errorf("error %v", err)
	}
	r.Out = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	measuring := false
	part, err := measure(t, ctx, r, stages{func(stage string) { measuring = stage == "measuring" }, func(done int) {
		if measuring && done == 3 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || part == nil || part.Complete {
		t.Fatalf("an interrupted run gives %v, %v", part, err)
	}
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
	for path, text := range map[string]string{"ImageSets/Segmentation/val.txt": list.String(), "JPEGImages/x": "", "SegmentationClass/x": ""} {
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
	s, err := configs.Parse("s.yaml", []byte("model: nobody/nothing\ndatasets:\n  - voc20\n  - {name: voc21, root: /nowhere}\nmethods: [clip, {clip_surgery: {depth: 99}}]\nprotocol: {base: clip-surgery, templates: ./missing.txt}\n"), Known())
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
	s.Model = "micro"
	if _, err = NewPlan(r); err == nil || !strings.Contains(err.Error(), "s.yaml:5: clip_surgery: depth 99 is out of range") {
		t.Errorf("error %v", err)
	}
}

func TestRecordsFile(t *testing.T) {
	dir := t.TempDir()
	begun, err := openRecords(dir, "of another run", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := begun.close(); err != nil {
		t.Fatal(err)
	}
	recs, err := openRecords(dir, "f", false) // nothing was measured under the other one
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{
		{Dataset: "d", Index: 0, ID: "a", Methods: map[string]Evidence{"clip": {Confusion: Confusion{{0, 1, 5}, {1, 1, 1 << 40}}}}},
		{Dataset: "d", Index: 1, ID: "b", Stage: "decode", Error: "no"},
	}
	for _, r := range want {
		if err := recs.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openRecords(dir, "f", true); err == nil {
		t.Error("two runs may write one folder at the same time")
	}
	if err := recs.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, RecordsFile)
	got, _, err := readRecords(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.records); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty or cut in its first line"},
		{"other schema", `{"schema":"x"}` + "\n", `schema "x", want "ovbench.records/1"`},
		{"broken line", string(text) + "{\n", "records.jsonl:4: "},
		{"another run", string(text), "holds records of another run"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := openRecords(dir, "other", true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestScoreRefusesForeignRecords(t *testing.T) {
	run := &results.Run{Datasets: []results.Dataset{{Name: "d", Classes: []string{"x", "y"}}}, Methods: []results.Method{{Name: "m"}}}
	for _, c := range []struct {
		want string
		rec  Record
	}{
		{`lacks method "m"`, Record{Dataset: "d", ID: "a"}},
		{"out of range", Record{Dataset: "d", Methods: map[string]Evidence{"m": {Confusion: Confusion{{70000, 0, 1}}}}}},
		{"", Record{Dataset: "d", Methods: map[string]Evidence{"m": {Confusion: Confusion{{2, 0, 1}}}}}},
		{"", Record{Dataset: "d", Methods: map[string]Evidence{"m": {Confusion: Confusion{{0, 0, -1}}}}}},
	} {
		if _, err := Score(run, "segmentation", []Record{c.rec}, 10, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.rec, err, c.want)
		}
	}
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOfDistinct(rapid.IntRange(0, 50), func(i int) int { return i }).Draw(t, "set")
		in := map[int]bool{}
		for _, i := range set {
			in[i] = true
		}
		var want []int
		for i := range 51 {
			if in[i] {
				want = append(want, i)
			}
		}
		got, err := parseRanges(ranges(want))
		if err != nil || !cmp.Equal(want, got) {
			t.Fatalf("%v became %q, %v (%v)", want, ranges(want), got, err)
		}
	})
	for _, s := range []string{"x", "3-1", "-1", "0-99999999999", "1,,2", "0-9999999,0-9999999"} {
		if _, err := parseRanges(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func FuzzReadRecords(f *testing.F) {
	f.Add([]byte(`{"schema":"ovbench.records/1","fingerprint":"f"}` + "\n" + `{"dataset":"d","methods":{"m":{"confusion":[[0,1,2]]}}}` + "\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, RecordsFile)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, end, err := readRecords(path)
		if err == nil && (end < 0 || end > int64(len(data)) || end > 0 && data[end-1] != '\n') {
			t.Fatalf("whole lines end at %d of %d", end, len(data))
		}
	})
}
