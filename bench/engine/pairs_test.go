package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// two is a run of two classes and the methods given.
func two(methods ...string) *results.Run {
	r := &results.Run{Datasets: []results.Dataset{{Name: "d", Classes: []string{"x", "y"}, Queries: [][]string{{"x"}, {"y"}}}}, Protocol: results.Protocol{Fields: map[string]any{"scale": 100.0}}}
	for _, m := range methods {
		r.Methods = append(r.Methods, results.Method{Name: m})
	}
	return r
}

// as says what task a run of two classes did.
func as(r *results.Run, task string) *results.Run {
	for _, m := range r.Methods {
		r.Cells = append(r.Cells, results.Cell{Dataset: "d", Method: m.Name, Task: task})
	}
	return r
}

// Two methods on four images of 10 pixels each, worked by hand. m is right on 8, 10, 6 and 5 pixels of class x and truth has no
// other class; n on 7, 10, 2 and 5.
func TestPairedByHand(t *testing.T) {
	run := as(two("m", "n"), "segmentation")
	var recs []Record
	for i, right := range [][2]int64{{8, 7}, {10, 10}, {6, 2}, {5, 5}} {
		rec := Record{Dataset: "d", Index: i, ID: fmt.Sprint("i", i), Methods: map[string]Evidence{}}
		for k, m := range []string{"m", "n"} {
			c := Confusion{{0, 0, right[k]}}
			if right[k] < 10 {
				c = append(c, [3]int64{0, 1, 10 - right[k]})
			}
			rec.Methods[m] = Evidence{Confusion: c}
		}
		recs = append(recs, rec)
	}
	slices.Reverse(recs) // the order is that of indices, not that of records
	a, b := Side{run, recs, "d", "m", "aAcc"}, Side{run, recs, "d", "n", "aAcc"}
	got, err := Paired(a, b, PairOptions{Resamples: 500, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	// Of the 16 sign patterns of 0.1, 0, 0.4, 0 four have sum 0.5, four -0.5: 8 of 16.
	want := &Pair{
		Convention: "mmseg", Score: "aAcc", Images: 4, A: 29.0 / 40, B: 24.0 / 40, Difference: 5.0 / 40,
		Low: got.Low, High: got.High, Level: 0.95, Resamples: 500,
		SignFlip: &SignFlipTest{P: 0.5, Exact: true, Images: 4, MeanA: 29.0 / 40, MeanB: 24.0 / 40, Wins: 2, Ties: 2},
		Each:     []PairedImage{{"i0", 0.8, 0.7}, {"i1", 1, 1}, {"i2", 0.6, 0.2}, {"i3", 0.5, 0.5}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Every image has 10 pixels, so that the pooled difference is the mean of the differences; one seed gives one set of draws.
	iv, err := metrics.Resample(4, 500, 3, 0.95, metrics.MeanStatistic([]float64{0.1, 0, 0.4, 0}))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(iv.Low-got.Low) > 1e-12 || math.Abs(iv.High-got.High) > 1e-12 || got.High == got.Low {
		t.Errorf("interval %v to %v, want %v to %v", got.Low, got.High, iv.Low, iv.High)
	}
	// IoU of x is the share that is right; y is predicted and absent: IoU 0, on the images where it is.
	a.Score, b.Score = "mIoU", "mIoU"
	got, err = Paired(a, b, PairOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var values []float64
	for _, image := range got.Each {
		values = append(values, image.A)
	}
	if diff := cmp.Diff([]float64{0.4, 1, 0.3, 0.25}, values); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	a.Score, b.Score = "aAcc", "aAcc"
	b.Records = append(slices.Clone(recs[1:]), Record{Dataset: "d", Index: 9, ID: "z", Methods: recs[0].Methods})
	got, err = Paired(a, b, PairOptions{})
	if err != nil || got.Images != 3 || !slices.Equal(got.OnlyA, []string{"i3"}) || !slices.Equal(got.OnlyB, []string{"z"}) || math.Abs(got.Difference-5.0/30) > 1e-12 {
		t.Errorf("on the images of both: %+v, %v", got, err)
	}
}

// Ten events in five images: both methods hit three, the first alone four, the second alone one, none two.
func TestPairedEvents(t *testing.T) {
	run := as(two("m", "n"), "explain")
	first, second := []int{1, 1, 1, 1, 1, 1, 1, -1, -1, -1}, []int{1, 1, 1, -1, -1, -1, -1, 1, -1, -1}
	var recs []Record
	for i := range 5 {
		rec := Record{Dataset: "d", Index: i, ID: fmt.Sprint("i", i), Methods: map[string]Evidence{}}
		for m, outcomes := range map[string][]int{"m": first, "n": second} {
			var points []metrics.PointRecord
			for class := range 2 {
				points = append(points, metrics.PointRecord{Image: i, Class: class, Outcome: metrics.Outcome(outcomes[2*i+class])})
			}
			rec.Methods[m] = Evidence{Points: points}
		}
		recs = append(recs, rec)
	}
	got, err := Paired(Side{run, recs, "d", "m", "pointing-micro"}, Side{run, recs, "d", "n", "pointing-micro"}, PairOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// 2 P(X <= 1) for 5 fair coins = 2 * 6/32.
	if diff := cmp.Diff(&McNemarTest{P: 0.375, Both: 3, OnlyA: 4, OnlyB: 1, Neither: 2}, got.McNemar, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if math.Abs(got.A-0.7) > 1e-12 || math.Abs(got.B-0.4) > 1e-12 || got.SignFlip == nil || got.SignFlip.Images != 5 {
		t.Errorf("%+v", got)
	}
}

func TestPairedFaults(t *testing.T) {
	run := as(two("m"), "segmentation")
	recs := []Record{{Dataset: "d", ID: "a", Methods: map[string]Evidence{"m": {Confusion: Confusion{{0, 0, 1}}}}}}
	good := Side{run, recs, "d", "m", "mIoU"}
	for _, c := range []struct {
		change func(*Side)
		want   string
	}{
		{func(s *Side) { s.Dataset = "e" }, "no image of e"},
		{func(s *Side) { s.Method = "n" }, `method "n" is not in the run`},
		{func(s *Side) { s.Score = "mIuO" }, `score "mIuO" has no statistics; known are mmseg:mIoU, `},
		{func(s *Side) { s.Score = "ade20k:mIoU" }, `score "mIoU" has no statistics under "ade20k"`},
		{func(s *Side) { s.Records = nil }, "no image of d was measured by both"},
	} {
		s := good
		c.change(&s)
		if _, err := Paired(s, good, PairOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// The statistics are the scores of the cells: on the images as they are, each gives the value in the cell. On the whole list of
// tasks, so that a new score without a statistic is at least known here.
func TestStatisticsAreTheScores(t *testing.T) {
	// Scores of which no interval and no comparison is made.
	without := []string{"fg-mIoU-image", "CP@", "CR@", "OP@", "OR@", "mAP-difficult"}
	for name, task := range tasks {
		r := demo(t)
		r.Suite.Task = name
		run, err := measure(t, t.Context(), r, quiet{})
		if err != nil {
			t.Fatal(err)
		}
		_, recs, err := Load(r.Out)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range run.Cells {
			ms, err := task.(statistical).statistics(cellContext{run: run, dataset: run.Datasets[0], method: c.Method}, recs)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.Scores {
				m, err := findStatistic(ms, c.Convention, s.Name)
				if err != nil {
					if !slices.ContainsFunc(without, func(w string) bool { return strings.HasPrefix(s.Name, w) }) {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				stat, err := m.pooled()
				if err != nil {
					t.Errorf("%s, %s: %v", name, s.Name, err)
					continue
				}
				if v, ok := stat(once(len(recs))); !ok || math.Abs(v-s.Value) > 1e-12 {
					t.Errorf("%s, %s %s: the statistic is %v, %v, the score %v", name, c.Convention, s.Name, v, ok, s.Value)
				}
				if s.Low == nil && !m.noInterval {
					t.Errorf("%s, %s %s has no interval", name, c.Convention, s.Name)
				}
				if m.each == nil {
					continue
				}
				if each, err := m.each(); err != nil || len(each) != len(recs) {
					t.Errorf("%s, %s: %d values of single images, %v", name, s.Name, len(each), err)
				}
			}
		}
	}
}

// Load gives the records behind the scores: neither failed samples nor those of a longer plan that the folder saw before.
func TestLoad(t *testing.T) {
	r := demo(t)
	r.Limit = 4
	if _, err := measure(t, t.Context(), r, quiet{}); err != nil {
		t.Fatal(err)
	}
	r.Limit, r.Resume = 2, true
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	_, recs, err := Load(r.Out)
	if err != nil || len(recs) != 2 || run.Cells[0].Images != 2 || recs[0].Index != 0 || recs[1].Index != 1 {
		t.Errorf("%d records, %d images scored, %v", len(recs), run.Cells[0].Images, err)
	}
	if c := run.Cells[0].Counts; c["skipped"] != 6 || c["missing"] != 0 || c["failed"] != 0 {
		t.Errorf("counts %v", c)
	}
}
