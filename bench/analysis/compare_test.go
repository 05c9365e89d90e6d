package analysis

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovbench/bench/records"
	"ovbench/metrics"
	"ovbench/reports"
	"ovbench/reports/results"
)

// writeRun writes a run folder of images of 10 pixels of class x: right[data set][method][image] of them are right.
func writeRun(t *testing.T, change func(*results.Run), right map[string]map[string][]int64) string {
	t.Helper()
	dir := t.TempDir()
	r := &results.Run{
		Complete: true, Fingerprint: "f", Suite: results.Suite{Name: "s"}, Model: results.Model{Name: "model",
			Architecture: "ViT-B/16", Files: []results.File{{SHA256: "w"}}},
		Protocol: results.Protocol{Name: "p", Fingerprint: "pf", Fields: map[string]any{"size": 512.0, "queries": "plain"}},
	}
	for _, m := range []string{"m", "n"} {
		r.Methods = append(r.Methods, results.Method{Name: m, Kind: "clip"})
	}
	for _, d := range []string{"d", "e"} {
		n := len(right[d]["m"])
		r.Datasets = append(r.Datasets, results.Dataset{Name: d, Split: "val", ListSHA256: "l", Images: n, Measured: n,
			Samples: fmt.Sprintf("0-%d", n-1), Classes: []string{"x", "y"}, Queries: [][]string{{"x"}, {"y"}}})
		for _, m := range []string{"m", "n"} {
			r.Cells = append(r.Cells, results.Cell{Dataset: d, Method: m, Task: "segmentation", Convention: "mmseg", Images: n,
				Scores: []results.Score{{Name: "aAcc", Value: 0.5}}})
		}
	}
	for i := range r.Datasets {
		r.Datasets[i].Protocol = results.Protocol{Fingerprint: "p" + r.Datasets[i].Name,
			Fields: map[string]any{"size": 512.0}}
	}
	if change != nil {
		change(r)
	}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	recs, err := records.Open(dir, records.Header{Fingerprint: r.Fingerprint}, false)
	if err != nil {
		t.Fatal(err)
	}
	for d, methods := range right {
		for i := range methods["m"] {
			rec := records.Record{Dataset: d, Index: i, ID: fmt.Sprint("i", i), Methods: map[string]records.Evidence{}}
			for m, list := range methods {
				c := metrics.Sparse{{Count: list[i]}}
				if list[i] < 10 {
					c = append(c, metrics.Cell{Pred: 1, Count: 10 - list[i]})
				}
				rec.Methods[m] = records.Evidence{Confusion: c}
			}
			if err := recs.Add(rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := recs.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	before = map[string]map[string][]int64{"d": {"m": {7, 10, 2, 5}, "n": {1, 1, 1, 1}}, "e": {"m": {1, 2, 3, 4, 5, 6},
		"n": {1, 2, 3, 4, 5, 6}}}
	after = map[string]map[string][]int64{"d": {"m": {8, 10, 6, 5}, "n": {1, 1, 1, 1}}, "e": {"m": {2, 4, 6, 8, 10, 9},
		"n": {1, 2, 3, 4, 5, 5}}}
)

// TestCompareByHand: worked by hand. On d the sums are 24 and 29 of 40; of the 16 sign patterns of 0.1, 0, 0.4, 0 half
// have a sum of 0.5 or -0.5. On e method m gains on all of 6 images, so that 2 of 64 patterns are as far out; method n
// loses one pixel on one image, as far out as it gets: p is 1. Holm over 0.5, 0 differences (p 1), 1/32 and 1: 4/32 for
// the smallest, then 3 x 0.5 and 1, capped at 1.
func TestCompareByHand(t *testing.T) {
	a, b := writeRun(t, nil, before), writeRun(t, nil, after)
	c, err := Compare(CompareRequest{A: a, B: b, Resamples: 200, Flips: 100, Moved: 2})
	if err != nil {
		t.Fatal(err)
	}
	p := func(x float64) *float64 { return &x }
	cell := func(d, m string, images int, a, b, diff float64, prob, adjusted float64, won, lost,
		tied int) reports.ComparedCell {
		return reports.ComparedCell{Dataset: d, Task: "segmentation", Convention: "mmseg", MethodA: m, MethodB: m,
			Score: "aAcc", NeedsA: "CLIP", NeedsB: "CLIP", Images: images, A: a, B: b, Difference: diff,
			Resamples: 200, Test: "sign-flip", Exact: true, P: p(prob), Adjusted: p(adjusted), Wins: won, Losses: lost,
			Ties: tied, MeanA: a, MeanB: b}
	}
	want := []reports.ComparedCell{
		cell("d", "m", 4, 0.6, 0.725, 0.125, 0.5, 1, 2, 0, 2),
		cell("d", "n", 4, 0.1, 0.1, 0, 1, 1, 0, 0, 4),
		cell("e", "m", 6, 0.35, 0.65, 0.3, 1.0/32, 0.125, 6, 0, 0),
		cell("e", "n", 6, 0.35, 20.0/60, -1.0/60, 1, 1, 0, 1, 5),
	}
	if diff := cmp.Diff(want, c.Cells, cmpopts.IgnoreFields(reports.ComparedCell{}, "Low", "High", "Moved", "Each"),
		cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	moved := []reports.MovedImage{{ID: "i2", A: 0.2, B: 0.6, Difference: 0.4}, {ID: "i0", A: 0.7, B: 0.8, Difference: 0.1}}
	if diff := cmp.Diff(moved, c.Cells[0].Moved, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	if len(c.Cells[1].Moved) != 0 || len(c.Cells[1].Each) != 4 {
		t.Errorf("nothing moved on d for n: %v", c.Cells[1].Moved)
	}
	if x := c.Cells[2]; *x.Low > x.Difference || *x.High < x.Difference || *x.Low < 0.1 || *x.High > 0.5 {
		t.Errorf("interval %v to %v of differences between 0.1 and 0.5", *x.Low, *x.High)
	}
	if len(c.Unlike) != 0 {
		t.Errorf("like runs differ in %v", c.Unlike)
	}
	// The other way around everything changes its sign, and nothing else.
	back, err := Compare(CompareRequest{A: b, B: a, Resamples: 200, Flips: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range back.Cells {
		y := c.Cells[i]
		if math.Abs(x.Difference+y.Difference) > 1e-12 || math.Abs(*x.Low+*y.High) > 1e-12 || *x.P != *y.P ||
			x.Wins != y.Losses {
			t.Errorf("back and forth: %+v and %+v", x, y)
		}
	}
}

func TestCompareMethodsOfOneRun(t *testing.T) {
	a := writeRun(t, nil, before)
	c, err := Compare(CompareRequest{A: a, B: a, Methods: []string{"m", "n"}, Resamples: 10, Flips: 10})
	if err != nil {
		t.Fatal(err)
	}
	if x := c.Cells[0]; len(c.Cells) != 2 || x.MethodA != "m" || x.MethodB != "n" ||
		math.Abs(x.Difference - -0.5) > 1e-12 || x.Losses != 4 {
		t.Errorf("%d cells, the first %+v", len(c.Cells), x)
	}
	for _, tt := range []struct {
		methods []string
		want    string
	}{
		{[]string{"m", "o"}, `method "o" is not in the run; it has m, n`},
		{[]string{"m"}, "name two"},
	} {
		if _, err := Compare(CompareRequest{A: a, B: a, Methods: tt.methods}); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: error %v", tt.methods, err)
		}
	}
}

// alike changes a run whose data sets have no protocol of their own.
func alike(change func(*results.Run)) func(*results.Run) {
	return func(r *results.Run) {
		for i := range r.Datasets {
			r.Datasets[i].Protocol = results.Protocol{}
		}
		change(r)
	}
}

// TestCompareRefuses: what makes a difference meaningless is named with both values, and let pass on demand; what a
// comparison may be about is noted.
func TestCompareRefuses(t *testing.T) {
	a := writeRun(t, nil, before)
	for _, tt := range []struct {
		name, want string
		refused    bool
		change     func(*results.Run)
	}{
		{"protocol", "protocol.size: 512 and 336", true,
			alike(func(r *results.Run) { r.Protocol.Fields["size"], r.Protocol.Fingerprint = 336.0, "other" })},
		{"new field", "protocol.window: none and 224", true,
			alike(func(r *results.Run) { r.Protocol.Fields["window"], r.Protocol.Fingerprint = 224.0, "other" })},
		{"fingerprint alone", "protocol.fingerprint: pf and other", true,
			alike(func(r *results.Run) { r.Protocol.Fingerprint = "other" })},
		{"data set's own", "e.protocol.size: 512 and 560", true, func(r *results.Run) {
			r.Protocol.Fingerprint = "same on d"
			r.Datasets[1].Protocol = results.Protocol{Fingerprint: "pe2", Fields: map[string]any{"size": 560.0}}
		}},
		{"list", "e.list_sha256: l and other", true, func(r *results.Run) { r.Datasets[1].ListSHA256 = "other" }},
		{"split", "d.split: val and train", true, func(r *results.Run) { r.Datasets[0].Split = "train" }},
		{"classes", `d.classes: ["x","y"] and ["x","z"]`, true, func(r *results.Run) { r.Datasets[0].Classes = []string{"x", "z"} }},
		{"queries", `d.queries: [["x"],["y"]] and [["x"],["why"]]`, true, func(r *results.Run) { r.Datasets[0].Queries = [][]string{{"x"}, {"why"}} }},
		{"templates", "d.templates: 0 and 80", true, func(r *results.Run) { r.Datasets[0].Templates = 80 }},
		{"model", "model.weights: w and v", false, func(r *results.Run) { r.Model.Files = []results.File{{SHA256: "v"}} }},
		{"backbone", "model.architecture: ViT-B/16 and ViT-L/14", false,
			func(r *results.Run) { r.Model.Architecture = "ViT-L/14" }},
		{"parameters", `m.params: null and {"depth":6}`, false, func(r *results.Run) { r.Methods[0].Params = map[string]any{"depth": 6.0} }},
		{"samples", "d.samples: 0-3 and 0-2", false, func(r *results.Run) { r.Datasets[0].Samples = "0-2" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := writeRun(t, tt.change, after)
			c, err := Compare(CompareRequest{A: a, B: b, Flips: 10})
			if tt.refused {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--across-protocols") {
					t.Fatalf("error %v, want %q", err, tt.want)
				}
				c, err = Compare(CompareRequest{A: a, B: b, Flips: 10, AcrossProtocols: true})
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Unlike) != 1 || c.Unlike[0].String() != tt.want {
				t.Errorf("noted %v, want %q", c.Unlike, tt.want)
			}
		})
	}
	three := writeRun(t, func(r *results.Run) {
		r.Datasets[0].Classes, r.Datasets[0].Queries = []string{"x", "y", "z"}, nil
	}, after)
	if _, err := Compare(CompareRequest{A: a, B: three, Flips: 10, AcrossProtocols: true}); err == nil ||
		!strings.Contains(err.Error(), "2 and 3 classes cannot be compared") {
		t.Errorf("unlike labels: %v", err)
	}
	if _, err := Compare(CompareRequest{A: a, B: filepath.Join(a, "none")}); err == nil {
		t.Error("compared with nothing")
	}
}

func TestApart(t *testing.T) {
	long := strings.Repeat("same ", 50)
	x, y := apart(long+"here one thing", long+"here another")
	if !strings.Contains(x, "one thing") || !strings.Contains(y, "another") || len([]rune(x)) > 90 {
		t.Errorf("%q and %q", x, y)
	}
	if x, y = apart(long, long+"tail"); x == y {
		t.Errorf("a longer text looks like its beginning: %q", x)
	}
}

func TestBelow(t *testing.T) {
	a, b := writeRun(t, nil, before), writeRun(t, nil, after)
	c, err := Compare(CompareRequest{A: a, B: b, Resamples: 200, Flips: 100})
	if err != nil {
		t.Fatal(err)
	}
	// The differences are 0.125, 0, 0.3 and -1/60.
	for _, tt := range []struct {
		limit     float64
		confident bool
		faults    int
	}{{-0.02, false, 0}, {-0.01, false, 1}, {0.01, false, 2}, {0.2, false, 3}, {-0.01, true, 1}, {0.01, true, 3},
		{-0.9, true, 0}} {
		got := 0
		if err := c.Below(tt.limit, tt.confident); err != nil {
			got = 1 + strings.Count(err.Error(), "\n")
		}
		if got != tt.faults {
			t.Errorf("below %v, confident %v: %d faults, want %d", tt.limit, tt.confident, got, tt.faults)
		}
	}
	c.Cells[0].Low = nil
	if err := c.Below(-0.9, true); err == nil || !strings.Contains(err.Error(), "there is no interval") {
		t.Errorf("no interval: %v", err)
	}
}

// TestLoadMethods: the records of some methods are those of all, less the others; a sample that failed and was measured
// later counts once, one that only failed not at all.
func TestLoadMethods(t *testing.T) {
	dir := writeRun(t, nil, before)
	_, all, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	again := all[slices.IndexFunc(all, func(r records.Record) bool { return r.Key() == records.Key{Dataset: "d", Index: 1} })]
	recs, err := records.Open(dir, records.Header{Fingerprint: "f"}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range []records.Record{{Dataset: "d", Index: 1, ID: "i1", Error: "x"}, again,
		{Dataset: "e", Index: 6, ID: "i6", Error: "x"}} {
		if err := recs.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := recs.Close(); err != nil {
		t.Fatal(err)
	}
	run, all, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]records.Record{}
	for _, r := range all {
		delete(r.Methods, "n")
		want[r.Dataset] = append(want[r.Dataset], r)
	}
	got, err := loadMethods(dir, run, []string{"m"})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range got {
		slices.SortFunc(list, records.ByIndex)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(records.Record{})); diff != "" || len(got["d"]) != 4 || len(got["e"]) != 6 {
		t.Errorf("records (-all +some):\n%s", diff)
	}
	run.Datasets[0].Samples = "0,2"
	if got, err = loadMethods(dir, run, []string{"m"}); err != nil || len(got["d"]) != 2 {
		t.Errorf("%d records of 2 planned samples, %v", len(got["d"]), err)
	}
	run.Fingerprint = "other"
	if _, err := loadMethods(dir, run, nil); err == nil || !strings.Contains(err.Error(), "belongs to another run") {
		t.Errorf("records of another run: %v", err)
	}
}
