package mask

import (
	"image"
	"math"
	"slices"
)

// FillPillow calls span for every stretch of pixels x0..x1 of row y, both ends included, that ImageDraw.polygon of
// Pillow fills in a picture of w x h pixels. Stretches may overlap. The points are joined in order and to the first.
//
// The rule, found out from what Pillow 13.0.0 paints and equal to it pixel for pixel:
//
//   - Points are pixels. Level edges are filled from end to end.
//   - On each row the other edges are crossed where they are, end points included, in float32; a stretch goes from
//     every odd crossing in order of x to the next, halves are rounded inwards.
//   - An edge that ends on a row counts twice there, but on the polygon's last row, so that crossings stay even in
//     number.
//   - A corner that two flat edges leave to the same side would hang apart from the next row. The crossing of the one
//     that is later in the polygon is drawn out until the rows touch, see [pillowEdge.corner].
//
// [FillPolygons] is COCO's rule, which has thinner polygons: Pillow's include the outline.
func FillPillow(points []image.Point, w, h int, span func(y, x0, x1 int)) {
	clip := func(y, x0, x1 int) {
		if x0, x1 = max(x0, 0), min(x1, w-1); x0 <= x1 && y >= 0 && y < h {
			span(y, x0, x1)
		}
	}
	edges, last := pillowEdges(points, clip)
	var active []*pillowEdge
	var crossings []float32
	for y := 0; y < h && y <= last; y++ {
		for len(edges) > 0 && edges[0].top.Y <= y {
			active, edges = append(active, edges[0]), edges[1:]
		}
		active = slices.DeleteFunc(active, func(e *pillowEdge) bool { return e.bottom.Y < y })
		crossings = crossings[:0]
		for _, e := range active {
			switch {
			case y == e.top.Y:
				crossings = append(crossings, e.corner(e.above, y, y+1))
			case y == e.bottom.Y && y == last:
				crossings = append(crossings, e.corner(e.below, y, y-1))
			case y == e.bottom.Y:
				crossings = append(crossings, e.at(y), e.at(y))
			default:
				crossings = append(crossings, e.at(y))
			}
		}
		slices.Sort(crossings)
		for i := 1; i < len(crossings); i += 2 {
			clip(y, pillowStart(crossings[i-1]), pillowEnd(crossings[i]))
		}
	}
}

// A pillowEdge is an edge that is not level.
type pillowEdge struct {
	top, bottom  image.Point
	from         image.Point // the end that comes first in the polygon, from which crossings are computed
	slope        float32     // pixels to the right per row
	above, below *pillowEdge // the edge that makes a corner with this one at top, at bottom; nil without one
}

// pillowEdges is the edges of a polygon by their top row. It fills level ones. last is the polygon's last row.
func pillowEdges(points []image.Point, fill func(y, x0, x1 int)) (edges []*pillowEdge, last int) {
	last = math.MinInt
	for i, p := range points {
		q := points[(i+1)%len(points)]
		last = max(last, p.Y)
		if p.Y == q.Y {
			fill(p.Y, min(p.X, q.X), max(p.X, q.X))
			continue
		}
		e := &pillowEdge{top: p, bottom: q, from: p, slope: float32(q.X-p.X) / float32(q.Y-p.Y)}
		if q.Y < p.Y {
			e.top, e.bottom = q, p
		}
		edges = append(edges, e)
	}
	tops, bottoms := make(map[image.Point]*pillowEdge), make(map[image.Point]*pillowEdge)
	for _, e := range edges {
		e.above, e.below = e.partner(tops, e.top), e.partner(bottoms, e.bottom)
	}
	slices.SortStableFunc(edges, func(a, b *pillowEdge) int { return a.top.Y - b.top.Y })
	return edges, last
}

// partner is the first edge that left p before e. Upright edges make no corners.
func (e *pillowEdge) partner(first map[image.Point]*pillowEdge, p image.Point) *pillowEdge {
	if e.slope == 0 {
		return nil
	}
	other := first[p]
	if other == nil {
		first[p] = e
	}
	return other
}

// at is where the edge crosses row y. The conversions keep the compiler from fusing the product and the sum.
func (e *pillowEdge) at(y int) float32 {
	return float32(float32(y-e.from.Y)*e.slope) + float32(e.from.X)
}

// corner is where the edge crosses row y, its end, drawn out to the pixel beside the nearer of the crossings of next,
// the row into the polygon, by the edge and its partner.
func (e *pillowEdge) corner(partner *pillowEdge, y, next int) float32 {
	x := e.at(y)
	if partner == nil {
		return x
	}
	a, b := pillowStart(e.at(next)), pillowStart(partner.at(next))
	if (e.slope < 0) == (next > y) { // next goes on to the left
		return min(x, float32(max(a, b)+1))
	}
	return max(x, float32(min(a, b)-1)) // a partner that leans to the other side changes nothing
}

// pillowStart and pillowEnd round to the nearest pixel: a half away from zero where a stretch starts, towards zero
// where it ends. Both work in float32, as Pillow does.
func pillowStart(x float32) int {
	if x < 0 {
		return -int(math.Floor(float64(-x + 0.5)))
	}
	return int(math.Floor(float64(x + 0.5)))
}

func pillowEnd(x float32) int {
	if x < 0 {
		return -int(math.Ceil(float64(-x - 0.5)))
	}
	return int(math.Ceil(float64(x - 0.5)))
}
