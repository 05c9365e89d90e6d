package metrics

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// maxCount bounds the pixels of one record and of a matrix: whole numbers up to 2^53 are exact as floats.
const maxCount = 1 << 53

// Total is the confusion matrix of the images added to it.
type Total struct {
	// Matrix is [classes, classes+1]: truth in rows, predictions in columns, of which the last gathers those out of range.
	// All are whole numbers.
	Matrix *mat.Dense
	images int
	pixels int64
}

// NewTotal is that of no images.
func NewTotal(classes int) (*Total, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	return &Total{Matrix: mat.NewDense(classes, classes+1, nil)}, nil
}

// Add adds an image.
func (t *Total) Add(r Sparse) error {
	classes, _ := t.Matrix.Dims()
	pixels, err := r.check(classes)
	if err != nil {
		return fmt.Errorf("image %d: %w", t.images, err)
	}
	if t.pixels += pixels; t.pixels > maxCount {
		return fmt.Errorf("image %d: more than %d pixels altogether", t.images, int64(maxCount))
	}
	t.images++
	for _, c := range r {
		t.Matrix.Set(int(c.Truth), int(c.Pred), t.Matrix.At(int(c.Truth), int(c.Pred))+float64(c.Count))
	}
	return nil
}

// Shift says whether predictions are numbered one off: by is 1 if most pixels of two classes or more, and more than half
// of all, are predicted as the class after the true one, -1 if as the one before, else 0. share is that of all pixels.
func (t *Total) Shift() (by int, share float64) {
	classes, columns := t.Matrix.Dims()
	for _, by = range []int{1, -1} {
		shifted, most := 0.0, 0
		for c := range classes {
			if to := c + by; to >= 0 && to < columns {
				shifted += t.Matrix.At(c, to)
				if 2*t.Matrix.At(c, to) > floats.Sum(t.Matrix.RawRowView(c)) {
					most++
				}
			}
		}
		if most > 1 && 2*shifted > float64(t.pixels) {
			return by, shifted / float64(t.pixels)
		}
	}
	return 0, 0
}

// AreasOf sums the rows and columns of a [Total].
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
