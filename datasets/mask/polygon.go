package mask

import (
	"errors"
	"fmt"
	"math/bits"
	"sort"
)

// MaxCoordinate bounds polygon coordinates, so that rounding on the fine grid never skips a column.
const MaxCoordinate = 1e6

// fine is how many points of the fine grid there are to a pixel.
const fine = 5

// ErrOddCoordinates says that a polygon's list of x, y, x, y … ends in the middle of a point.
var ErrOddCoordinates = errors.New("odd number of polygon coordinates")

// FillPolygons is the mask of h x w pixels inside any of the polygons, each a flat list of x, y in pixels from 0,
// closed by itself, its inside told by the even-odd rule. It equals pycocotools' frPyObjects and merge pixel for pixel:
// coordinates go to the nearest point of a grid five times as fine, edges are walked along their longer axis, and
// columns change where the walk passes a pixel's centre, so that (0,0)-(9,9) has 81 pixels and slivers have none.
//
// A polygon of fewer than three points encloses nothing and adds nothing (pycocotools takes one of two points for a box
// if it is the first, and fails otherwise). An odd coordinate is [ErrOddCoordinates]; pycocotools drops it.
func FillPolygons(polygons [][]float64, h, w int) (RLE, error) {
	if err := checkMaskSize(h, w); err != nil {
		return RLE{}, err
	}
	union := RLE{H: h, W: w, Counts: []uint32{uint32(h * w)}}
	f := polygonFill{h: h, w: w, toggles: make([]uint64, h*w/64+1)}
	f.touched[0] = len(f.toggles)
	for i, xy := range polygons {
		if len(xy)%2 != 0 {
			return RLE{}, fmt.Errorf("polygon %d: %w: %d numbers", i, ErrOddCoordinates, len(xy))
		}
		for _, v := range xy {
			if !(v >= -MaxCoordinate && v <= MaxCoordinate) {
				return RLE{}, fmt.Errorf("polygon %d: coordinate %v, more than %v pixels away", i, v,
					float64(MaxCoordinate))
			}
		}
		if len(xy) < 6 {
			continue
		}
		f.outline(xy)
		mask := f.take()
		if i > 0 {
			mask = union.Union(mask)
		}
		union = mask
	}
	return union, nil
}

// A polygonFill gathers where the outline of a polygon changes a column between outside and inside: bit x*h+y of
// toggles is set if pixels from y on, and all that follow in the order of an RLE, change sides.
type polygonFill struct {
	h, w    int
	toggles []uint64
	touched [2]int // words of toggles from, to
}

func (f *polygonFill) outline(xy []float64) {
	n := len(xy)
	x1, y1 := toFine(xy[n-2]), toFine(xy[n-1])
	for i := 0; i < n; i += 2 {
		x0, y0 := x1, y1
		x1, y1 = toFine(xy[i]), toFine(xy[i+1])
		f.edge(x0, y0, x1, y1)
	}
}

// toFine rounds as C's (int)(5*v + .5) does, towards zero. The conversions to float64 here and in edge keep the
// compiler from fusing multiplication and addition, which rounds once instead of twice.
func toFine(v float64) int { return int(float64(fine*v) + 0.5) }

// edge walks in unit steps from the end with the smaller coordinate on the longer axis, and toggles each column whose
// centre lies between two points of the walk, at the smaller y of the two.
func (f *polygonFill) edge(x0, y0, x1, y1 int) {
	dx, dy := max(x1-x0, x0-x1), max(y1-y0, y0-y1)
	if dx >= dy {
		if x0 > x1 {
			x0, y0, x1, y1 = x1, y1, x0, y0
		}
		slope := float64(y1-y0) / float64(dx)
		y := func(t int) int { return int(float64(y0) + float64(slope*float64(t)) + 0.5) }
		first, last := f.columns(x0, x1)
		for c := first; c <= last; c++ {
			t := fine*c + fine/2 - x0
			f.toggle(c, min(y(t), y(t+1)))
		}
		return
	}
	if y0 > y1 {
		x0, y0, x1, y1 = x1, y1, x0, y0
	}
	slope := float64(x1-x0) / float64(dy)
	x := func(t int) int { return int(float64(x0) + float64(slope*float64(t)) + 0.5) }
	first, last := f.columns(min(x(0), x(dy)), max(x(0), x(dy)))
	for c := first; c <= last; c++ {
		left := fine*c + fine/2
		t := sort.Search(dy, func(t int) bool { return (x(t) > left) == (slope > 0) })
		f.toggle(c, y0+t-1)
	}
}

// columns are those whose centre lies between points of the fine grid from lo to hi; none if last < first.
func (f *polygonFill) columns(lo, hi int) (first, last int) {
	return max(0, ceilDiv(lo-fine/2, fine)), min(f.w-1, ceilDiv(hi-fine/2, fine)-1)
}

// toggle changes column c from y of the fine grid on.
func (f *polygonFill) toggle(c, y int) {
	p := c*f.h + min(max(0, ceilDiv(y-fine/2, fine)), f.h)
	f.toggles[p/64] ^= 1 << (p % 64)
	f.touched = [2]int{min(f.touched[0], p/64), max(f.touched[1], p/64+1)}
}

// take makes the mask and clears toggles for the next polygon.
func (f *polygonFill) take() RLE {
	var runs []uint32
	from := 0
	for i := f.touched[0]; i < f.touched[1]; i++ {
		for word := f.toggles[i]; word != 0; word &= word - 1 {
			p := i*64 + bits.TrailingZeros64(word)
			runs = append(runs, uint32(p-from))
			from = p
		}
	}
	if from < f.h*f.w || len(runs) == 0 {
		runs = append(runs, uint32(f.h*f.w-from))
	}
	if f.touched[0] < f.touched[1] {
		clear(f.toggles[f.touched[0]:f.touched[1]])
	}
	f.touched = [2]int{len(f.toggles), 0}
	return RLE{H: f.h, W: f.w, Counts: runs}
}

func ceilDiv(a, b int) int {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
