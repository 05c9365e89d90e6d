package methods

import (
	"sort"

	"ovbench/runners/resample"
)

// Point is a prompt for an interactive segmenter, in pixels of the image; Label is 1 on the object, 0 off it.
type Point struct{ X, Y, Label int }

// PointOptions are the parameters of [Points].
type PointOptions struct {
	Threshold float32 // least stretched similarity of a positive point
	Shrink    int     // the map is reduced by this factor first; 1 at least
	Most      int     // points of each kind, the surest; 0 for no limit
}

// DefaultPoints are the values of the authors' code.
var DefaultPoints = PointOptions{Threshold: 0.8, Shrink: 2}

// Points turns one text's patch similarities [rows·cols] into point prompts on an image of w x h pixels, as
// CLIP Surgery does for SAM: positives at the highest cells, weakest first, then as many negatives at
// the lowest. At most half of the cells are positive. A constant map has no points.
func Points(similarity []float32, rows, cols, w, h int, o PointOptions) []Point {
	rs, cs := max(rows/o.Shrink, 1), max(cols/o.Shrink, 1)
	cells := make([]float32, rs*cs)
	resample.Bilinear(cells, cs, rs, similarity, cols, rows)
	if !MinMax(cells) {
		return nil
	}
	order := make([]int, len(cells))
	over := 0
	for i, v := range cells {
		order[i] = i
		if v >= o.Threshold {
			over++
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return cells[order[a]] < cells[order[b]] })
	n := min(over, len(cells)/2)
	if o.Most > 0 {
		n = min(n, o.Most)
	}
	at := func(cell, label int) Point {
		x := min((float64(cell%cs)+0.5)*float64(w)/float64(cs), float64(w-1))
		y := min((float64(cell/cs)+0.5)*float64(h)/float64(rs), float64(h-1))
		return Point{int(x), int(y), label}
	}
	var points []Point
	for _, cell := range order[len(order)-n:] {
		points = append(points, at(cell, 1))
	}
	for _, cell := range order[:n] {
		points = append(points, at(cell, 0))
	}
	return points
}

// DefaultBoxThreshold is the value of a map, in 0..1, that bounds an object where nothing is published: half of its
// peak.
const DefaultBoxThreshold = 0.5

// Box is the rectangle around the part of a map that holds its peak: what is at or over the threshold and connected to
// the first of the highest pixels by sides. saliency is [h, w] in 0..1; the last pixels are inside of x1, y1, which are
// edges. A map that nowhere reaches the threshold has no box.
func Box(saliency []float32, w, h int, threshold float32) (x0, y0, x1, y1 int, ok bool) {
	peak := 0
	for i, v := range saliency {
		if v > saliency[peak] {
			peak = i
		}
	}
	if len(saliency) == 0 || !(saliency[peak] > 0) || saliency[peak] < threshold {
		return 0, 0, 0, 0, false
	}
	x0, y0 = w, h
	seen := make([]bool, len(saliency))
	seen[peak] = true
	for stack := []int{peak}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		x, y := at%w, at/w
		x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
		for _, next := range [4]struct {
			at     int
			inside bool
		}{{at - 1, x > 0}, {at + 1, x < w-1}, {at - w, y > 0}, {at + w, y < h-1}} {
			if next.inside && !seen[next.at] && saliency[next.at] >= threshold {
				seen[next.at] = true
				stack = append(stack, next.at)
			}
		}
	}
	return x0, y0, x1, y1, true
}
