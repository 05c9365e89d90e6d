package metrics

import (
	"fmt"
	"math"
)

// DilationRatio is the width of a boundary as a share of the image diagonal in Boundary IoU's
// evaluation of COCO; ImageNet-S takes [ImageNetSDilationRatio].
const DilationRatio = 0.02

// BoundaryRecord is what one image contributes to Boundary IoU: a [Sparse] of halved classes.
// Label 2c is the inside of class c and 2c+1 its boundary, for truth and prediction alike, and
// 2*classes gathers the predictions out of range. It holds the plain record too; see
// [BoundaryRecord.Plain].
type BoundaryRecord Sparse

// CountBoundary compares two label maps of width x height pixels, row by row. A pixel is on the
// boundary of its class if a pixel that is not of the class, or that is outside the image, lies
// at most d rows and d columns away: mask minus its erosion by d iterations of a 3x3 square, as
// in Cheng et al., "Boundary IoU", CVPR 2021, and its reference implementation, with
// d = max(1, ratio * diagonal rounded half to even) pixels. Ignored truth is a class of its own
// while boundaries are drawn, and drops out of the counts. Labels are treated as in [Count];
// 1..MaxClasses/2 classes, ratio in 0..1.
func CountBoundary(truth, pred []uint16, width, height, classes int, ignore uint16,
	ratio float64) (BoundaryRecord, error) {
	if classes < 1 || classes > MaxClasses/2 {
		return nil, fmt.Errorf("%d classes, want 1..%d", classes, MaxClasses/2)
	}
	if width < 1 || height < 1 || len(truth)%width != 0 || len(truth)/width != height || len(truth) != len(pred) {
		return nil, fmt.Errorf("%d truth and %d predicted pixels of an image of %dx%d", len(truth), len(pred), width, height)
	}
	if !(ratio >= 0 && ratio <= 1) {
		return nil, fmt.Errorf("dilation ratio %v, want 0..1", ratio)
	}
	if err := badTruth(truth, classes, ignore); err != nil {
		return nil, err
	}
	d := boundaryWidth(width, height, ratio)
	const void = math.MaxUint16 // above all halved classes
	t := halves(truth, width, d, classes)
	for i, v := range truth {
		if v == ignore {
			t[i] = void
		}
	}
	s, err := Count(t, halves(pred, width, d, classes), 2*classes, void)
	return BoundaryRecord(s), err
}

// boundaryWidth is the reference's int(round(ratio * diagonal)), at least 1.
func boundaryWidth(width, height int, ratio float64) int {
	w, h := float64(width), float64(height)
	return max(1, int(math.RoundToEven(ratio*math.Sqrt(h*h+w*w))))
}

// halves gives label v < classes as 2v inside and 2v+1 on the boundary, any other as 2*classes.
//
// Eroding d times by 3x3 is eroding once by a square of 2d+1, and the square is a row and a
// column: depth counts, for each column, the rows up to here whose 2d+1 neighbours along the row
// agree, without a change of label in between. All classes are done at once, in time that does
// not depend on d.
func halves(labels []uint16, width, d, classes int) []uint16 {
	out := make([]uint16, len(labels))
	for i, v := range labels {
		out[i] = 2 * uint16(classes)
		if int(v) < classes {
			out[i] = 2*v + 1
		}
	}
	depth := make([]int, width)
	for first := 0; first < len(labels); first += width {
		row := labels[first : first+width]
		for a, b := 0, 0; a < width; a = b {
			for b = a + 1; b < width && row[b] == row[a]; b++ {
			}
			clear(depth[a:min(a+d, b)])
			clear(depth[max(a, b-d):b])
			for x := a + d; x < b-d; x++ {
				if first > 0 && labels[first-width+x] != row[x] {
					depth[x] = 0
				}
				depth[x]++
				if centre := first - d*width + x; depth[x] > 2*d && int(row[x]) < classes {
					out[centre] = 2 * row[x]
				}
			}
		}
	}
	return out
}

// Plain is the record that [Count] makes of the same image.
func (r BoundaryRecord) Plain() Sparse {
	counts := make(map[Cell]int64)
	for _, c := range r {
		counts[Cell{Truth: c.Truth / 2, Pred: c.Pred / 2}] += c.Count
	}
	return sparseOf(counts)
}

// Boundaries reduces the record to the boundaries of its classes: all that Boundary IoU needs, a dozen numbers an
// image. mBIoU is [Convention.MIoU] of such records.
func (r BoundaryRecord) Boundaries() AreaRecord {
	var classes uint16
	for _, c := range r {
		classes = max(classes, c.Truth/2+1, c.Pred/2+1)
	}
	a := newAreas(int(classes))
	for _, c := range r {
		a.count(boundaryOf(c.Truth), boundaryOf(c.Pred), c.Count)
	}
	return a.record()
}

// boundaryOf is the class whose boundary a halved label is, -1 for none.
func boundaryOf(half uint16) int {
	if half%2 == 0 {
		return -1
	}
	return int(half / 2)
}
