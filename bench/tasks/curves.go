package tasks

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/mat"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// recallSteps is the resolution of precision-recall curves.
const recallSteps = 100

// thresholdCurve is the curve behind fg-mIoU.
func thresholdCurve(y []float64) []results.Curve {
	if y == nil {
		return nil
	}
	c := results.Curve{Name: "fg-mIoU over threshold", XLabel: "threshold", YLabel: "fg-mIoU", Y: y}
	for k := range y {
		c.X = append(c.X, float64(k)/metrics.Thresholds)
	}
	return []results.Curve{c}
}

// rankingCurve is the mean precision-recall curve of a ranking.
func rankingCurve(r *metrics.Ranking) []results.Curve {
	y := r.PrecisionRecall(recallSteps)
	if y == nil {
		return nil
	}
	c := results.Curve{Name: "precision over recall", XLabel: "recall", YLabel: "precision, mean over classes", Y: y}
	for k := range y {
		c.X = append(c.X, float64(k)/recallSteps)
	}
	return []results.Curve{c}
}

// drawnSteps is how many steps of a curve are kept: a figure shows no more.
const drawnSteps = 100

// stepCurve is a mean curve of deletion or insertion over the share of its steps.
func stepCurve(name string, y []float64) []results.Curve {
	last := len(y) - 1
	if last < 1 {
		return nil
	}
	c := results.Curve{Name: name, XLabel: "share of the steps", YLabel: "score, mean over images"}
	n := min(last, drawnSteps)
	for k := range n + 1 {
		at := k * last / n
		c.X, c.Y = append(c.X, float64(at)/float64(last)), append(c.Y, y[at])
	}
	return []results.Curve{c}
}

// How many confusions results keep: all of a few classes, so that they can be drawn as a matrix, else the largest.
const (
	matrixClasses   = 24
	matrixCells     = 600
	largeConfusions = 100
)

// confusions are the largest cells off the diagonal. Predictions outside of the classes are none of them.
func confusions(total *mat.Dense) [][3]int64 {
	var out [][3]int64
	classes, _ := total.Dims()
	for t := range classes {
		for p := range classes {
			if n := total.At(t, p); t != p && n > 0 {
				out = append(out, [3]int64{int64(t), int64(p), int64(n)})
			}
		}
	}
	slices.SortFunc(out, func(a, b [3]int64) int {
		return cmp.Or(cmp.Compare(b[2], a[2]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	limit := matrixCells
	if classes > matrixClasses {
		limit = largeConfusions
	}
	return out[:min(len(out), limit)]
}
