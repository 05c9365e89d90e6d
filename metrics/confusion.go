package metrics

import (
	"fmt"
	"math"
)

// Confusion is the confusion matrix of a data set: an accumulator of [Sparse] records. Make one
// with [NewConfusion]. It holds integers only, so any order and grouping of Add and Merge give
// equal scores. It may be used by one goroutine at a time.
//
// Note: a matrix per image would be simpler to add up, but 1449 images of VOC have a few dozen
// non-zero cells each out of 441.
type Confusion struct {
	classes int
	cells   []int64 // [classes][classes+1]; the last column is predictions out of range
	total   int64
}

// NewConfusion makes an empty matrix of 1..MaxClasses classes.
func NewConfusion(classes int) (*Confusion, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	return &Confusion{classes: classes, cells: make([]int64, classes*(classes+1))}, nil
}

// Classes is the number of classes.
func (c *Confusion) Classes() int { return c.classes }

// At is the number of pixels of class truth predicted as pred; pred = Classes() stands for all
// predictions out of range. It panics outside the matrix.
func (c *Confusion) At(truth, pred int) int64 {
	if pred < 0 || pred > c.classes {
		panic(fmt.Sprintf("metrics: prediction %d of %d classes", pred, c.classes))
	}
	return c.cells[truth*(c.classes+1)+pred]
}

// Add adds one image. It changes nothing if the record is not one that [Count] makes.
func (c *Confusion) Add(s Sparse) error {
	if err := s.check(c.classes); err != nil {
		return err
	}
	var sum int64
	for _, cell := range s {
		sum += cell.Count
	}
	if err := c.grow(sum); err != nil {
		return err
	}
	for _, cell := range s {
		c.cells[int(cell.Truth)*(c.classes+1)+int(cell.Pred)] += cell.Count
	}
	return nil
}

// Merge adds all images of another matrix.
func (c *Confusion) Merge(other *Confusion) error {
	if other.classes != c.classes {
		return fmt.Errorf("confusion matrices of %d and %d classes cannot be merged", c.classes, other.classes)
	}
	if err := c.grow(other.total); err != nil {
		return err
	}
	for i, n := range other.cells {
		c.cells[i] += n
	}
	return nil
}

// grow counts pixels and refuses those that could overflow a cell or a sum of cells.
func (c *Confusion) grow(pixels int64) error { return grow(&c.total, pixels) }

func grow(total *int64, pixels int64) error {
	if pixels > math.MaxInt64/4-*total {
		return fmt.Errorf("more than %d pixels", int64(math.MaxInt64/4))
	}
	*total += pixels
	return nil
}

// Areas are the pixels per class that all scores of a pooled matrix come from.
type Areas struct {
	Intersection []int64 // of class c predicted as c
	Truth        []int64 // of class c
	Pred         []int64 // predicted as c
}

// areas sums rows and columns.
func (c *Confusion) areas() Areas {
	a := newAreas(c.classes)
	for t := range c.classes {
		row := c.cells[t*(c.classes+1):][:c.classes+1]
		a.Intersection[t] = row[t]
		for p, n := range row {
			a.Truth[t] += n
			if p < c.classes {
				a.Pred[p] += n
			}
		}
	}
	return a
}

// add adds other's pixels to a's own slices.
func (a Areas) add(other Areas) {
	for c := range a.Truth {
		a.Intersection[c] += other.Intersection[c]
		a.Truth[c] += other.Truth[c]
		a.Pred[c] += other.Pred[c]
	}
}

func newAreas(classes int) Areas {
	all := make([]int64, 3*classes)
	return Areas{Intersection: all[:classes:classes], Truth: all[classes : 2*classes : 2*classes], Pred: all[2*classes:]}
}
