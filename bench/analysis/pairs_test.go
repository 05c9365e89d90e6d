package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ovbench/bench/records"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// two is a run of two classes and the methods given.
func two(methods ...string) *results.Run {
	r := &results.Run{Datasets: []results.Dataset{{Name: "d", Classes: []string{"x", "y"}, Queries: [][]string{{"x"},
		{"y"}}}}, Protocol: results.Protocol{Fields: map[string]any{"scale": 100.0}}}
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

// Two methods on four images of 10 pixels each, worked by hand. m is right on 8, 10, 6 and 5 pixels of class x and
// truth has no other class; n on 7, 10, 2 and 5.
func TestPairedByHand(t *testing.T) {
	run := as(two("m", "n"), "segmentation")
	var recs []records.Record
	for i, right := range [][2]int64{{8, 7}, {10, 10}, {6, 2}, {5, 5}} {
		rec := records.Record{Dataset: "d", Index: i, ID: fmt.Sprint("i", i), Methods: map[string]records.Evidence{}}
		for k, m := range []string{"m", "n"} {
			c := metrics.Sparse{{Truth: 0, Pred: 0, Count: right[k]}}
			if right[k] < 10 {
				c = append(c, metrics.Cell{Pred: 1, Count: 10 - right[k]})
			}
			rec.Methods[m] = records.Evidence{Confusion: c}
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
	// Every image has 10 pixels, so that the pooled difference is the mean of the differences; one seed gives one set of
	// draws.
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
	b.Records = append(slices.Clone(recs[1:]), records.Record{Dataset: "d", Index: 9, ID: "z", Methods: recs[0].Methods})
	got, err = Paired(a, b, PairOptions{})
	if err != nil || got.Images != 3 || !slices.Equal(got.OnlyA, []string{"i3"}) ||
		!slices.Equal(got.OnlyB, []string{"z"}) || math.Abs(got.Difference-5.0/30) > 1e-12 {
		t.Errorf("on the images of both: %+v, %v", got, err)
	}
}

// Ten events in five images: both methods hit three, the first alone four, the second alone one, none two.
func TestPairedEvents(t *testing.T) {
	run := as(two("m", "n"), "explain")
	first, second := []int{1, 1, 1, 1, 1, 1, 1, -1, -1, -1}, []int{1, 1, 1, -1, -1, -1, -1, 1, -1, -1}
	var recs []records.Record
	for i := range 5 {
		rec := records.Record{Dataset: "d", Index: i, ID: fmt.Sprint("i", i), Methods: map[string]records.Evidence{}}
		for m, outcomes := range map[string][]int{"m": first, "n": second} {
			var points []metrics.PointRecord
			for class := range 2 {
				points = append(points, metrics.PointRecord{Image: i, Class: class, Outcome: metrics.Outcome(outcomes[2*i+class])})
			}
			rec.Methods[m] = records.Evidence{Points: points}
		}
		recs = append(recs, rec)
	}
	got, err := Paired(Side{run, recs, "d", "m", "pointing-micro"}, Side{run, recs, "d", "n", "pointing-micro"},
		PairOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// 2 P(X <= 1) for 5 fair coins = 2 * 6/32.
	if diff := cmp.Diff(&McNemarTest{P: 0.375, Both: 3, OnlyA: 4, OnlyB: 1, Neither: 2}, got.McNemar,
		cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if math.Abs(got.A-0.7) > 1e-12 || math.Abs(got.B-0.4) > 1e-12 || got.SignFlip == nil || got.SignFlip.Images != 5 {
		t.Errorf("%+v", got)
	}
}

func TestPairedFaults(t *testing.T) {
	run := as(two("m"), "segmentation")
	recs := []records.Record{{Dataset: "d", ID: "a",
		Methods: map[string]records.Evidence{"m": {Confusion: metrics.Sparse{{Truth: 0, Pred: 0, Count: 1}}}}}}
	good := Side{run, recs, "d", "m", "mIoU"}
	for _, c := range []struct {
		change func(*Side)
		want   string
	}{
		{func(s *Side) { s.Dataset = "e" }, "no image of e"},
		{func(s *Side) { s.Method = "n" }, `method "n" is not in the run; it has m`},
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
