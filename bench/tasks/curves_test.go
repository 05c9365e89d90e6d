package tasks

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/mat"

	"ovbench/metrics"
)

// The largest first, equal ones by label; the diagonal and predictions out of range are left out.
func TestConfusions(t *testing.T) {
	of := func(classes int, image metrics.Sparse) *mat.Dense {
		total, err := metrics.NewTotal(classes)
		if err == nil {
			err = total.Add(image)
		}
		if err != nil {
			t.Fatal(err)
		}
		return total.Matrix
	}
	total := of(3, metrics.Sparse{{Truth: 0, Pred: 0, Count: 90}, {Truth: 0, Pred: 2, Count: 5},
		{Truth: 1, Pred: 0, Count: 7}, {Truth: 1, Pred: 3, Count: 80}, {Truth: 2, Pred: 1, Count: 5}})
	if diff := cmp.Diff([][3]int64{{1, 0, 7}, {0, 2, 5}, {2, 1, 5}}, confusions(total)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var all metrics.Sparse
	for i := range 30 {
		for j := range 30 {
			all = append(all, metrics.Cell{Truth: uint16(i), Pred: uint16(j), Count: int64(1 + i*30 + j)})
		}
	}
	if got := confusions(of(30, all)); len(got) != largeConfusions || got[0] != [3]int64{29, 28, 899} {
		t.Errorf("%d confusions, the first %v", len(got), got[0])
	}
}

// Long curves are thinned, with both ends; short ones stay whole.
func TestStepCurve(t *testing.T) {
	long := make([]float64, 785)
	for i := range long {
		long[i] = float64(i) / 784
	}
	got := stepCurve("insertion", long)[0]
	if len(got.X) != drawnSteps+1 || got.X[0] != 0 || got.X[drawnSteps] != 1 {
		t.Fatalf("%d points from %v to %v", len(got.X), got.X[0], got.X[len(got.X)-1])
	}
	if diff := cmp.Diff(got.X, got.Y, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("a straight line is bent (-x +y):\n%s", diff)
	}
	short := stepCurve("deletion", []float64{0.5, 0.25, 0.125})[0]
	if diff := cmp.Diff([][]float64{{0, 0.5, 1}, {0.5, 0.25, 0.125}}, [][]float64{short.X, short.Y}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if stepCurve("none", nil) != nil || stepCurve("one", []float64{1}) != nil {
		t.Error("a curve of less than two points")
	}
}
