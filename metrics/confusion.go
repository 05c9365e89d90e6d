package metrics

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// maxCount bounds the pixels of one record and of a matrix: whole numbers up to 2^53 are exact as floats.
const maxCount = 1 << 53

// Confusion is the confusion matrix [classes, classes+1] of all images: truth in rows, predictions in columns, of which
// the last gathers those out of range. All are whole numbers.
func Confusion(records []Sparse, classes int) (*mat.Dense, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	sum := mat.NewDense(classes, classes+1, nil)
	total := int64(0)
	for i, r := range records {
		pixels, err := r.check(classes)
		if err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
		if total += pixels; total > maxCount {
			return nil, fmt.Errorf("image %d: more than %d pixels altogether", i, int64(maxCount))
		}
		for _, c := range r {
			sum.Set(int(c.Truth), int(c.Pred), sum.At(int(c.Truth), int(c.Pred))+float64(c.Count))
		}
	}
	return sum, nil
}

// AreasOf sums the rows and columns of a [Confusion].
func AreasOf(confusion *mat.Dense) Areas {
	classes, columns := confusion.Dims()
	a := newAreas(classes)
	pred := make([]float64, columns)
	for t := range classes {
		row := confusion.RawRowView(t)
		a.Intersection[t], a.Truth[t] = int64(row[t]), int64(floats.Sum(row))
		floats.Add(pred, row)
	}
	for p := range classes {
		a.Pred[p] = int64(pred[p])
	}
	return a
}
