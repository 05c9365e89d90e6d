package tasks

import (
	"cmp"
	"slices"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// recallSteps is the resolution of precision-recall curves.
const recallSteps = 100

// thresholdCurve is the curve behind fg-mIoU.
func thresholdCurve(e *metrics.Explainability) []results.Curve {
	y := e.Curve()
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

// faithfulnessCurves are the mean curves of deletion and insertion over the share of their steps.
func faithfulnessCurves(f *metrics.Faithfulness) []results.Curve {
	deletion, insertion := f.MeanCurves()
	return append(stepCurve("insertion", insertion), stepCurve("deletion", deletion)...)
}

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

// rankedClasses are the average precisions of a ranking by class.
func rankedClasses(names []string, scores []metrics.ClassScores) []results.ClassScore {
	var out []results.ClassScore
	for _, k := range scores {
		row := results.ClassScore{Class: names[k.Class], Images: k.Truth}
		for _, s := range k.Scores {
			if s.Name == "AP" {
				row.AP = &s.Value
			}
		}
		out = append(out, row)
	}
	return out
}

// How many confusions results keep: all of a few classes, so that they can be drawn as a matrix, else the largest.
const (
	matrixClasses   = 24
	matrixCells     = 600
	largeConfusions = 100
)

// confusions are the largest cells off the diagonal. Predictions outside of the classes are none of them.
func confusions(total *metrics.Confusion) [][3]int64 {
	var out [][3]int64
	for t := range total.Classes() {
		for p := range total.Classes() {
			if n := total.At(t, p); t != p && n > 0 {
				out = append(out, [3]int64{int64(t), int64(p), n})
			}
		}
	}
	slices.SortFunc(out, func(a, b [3]int64) int {
		return cmp.Or(cmp.Compare(b[2], a[2]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	limit := matrixCells
	if total.Classes() > matrixClasses {
		limit = largeConfusions
	}
	return out[:min(len(out), limit)]
}
