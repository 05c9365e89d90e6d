package reports

import (
	"math"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// matrixClasses is how many classes a confusion matrix is drawn for; results hold all of its cells up to here.
const matrixClasses = 24

// newMatrix is nil where there are too many classes, or no numbers of pixels.
func newMatrix(d *results.Dataset, x *results.Cell) *draw.Matrix {
	n := len(d.Classes)
	if n < 2 || n > matrixClasses {
		return nil
	}
	m := &draw.Matrix{Names: d.Classes, Shares: make([][]float64, n)}
	pixels := classPixels(d, x)
	any := false
	for t := range n {
		m.Shares[t] = make([]float64, n)
		any = any || pixels[t] > 0
		for p := range m.Shares[t] {
			if pixels[t] == 0 {
				m.Shares[t][p] = math.NaN()
			}
		}
	}
	if !any {
		return nil
	}
	for _, k := range x.Confusions {
		if t, p := k[0], k[1]; pixels[t] > 0 {
			m.Shares[t][p] = float64(k[2]) / float64(pixels[t])
		}
	}
	for t, s := range byLabel(d, x) {
		if s != nil && s.Acc != nil {
			m.Shares[t][t] = *s.Acc
		}
	}
	return m
}
