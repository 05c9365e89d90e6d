package resample

import (
	"math"
	"slices"
)

// refineBytes bounds the maps that Refine holds at a time, if it can: one worker's are always there.
const refineBytes = 256 << 20

// Refine is [Mosaic.Decode] with every query's plane refined by so many iterations of p, which must be of the picture's
// size. It works on [lanes] queries at a time on every core, and memory does not grow with their number. Where no
// threshold needs all of them, queries that can win no pixel are left out.
//
// Maps and their order are those of [Mosaic.Plane] and [PAMR.Apply] to the last bit. The sum of a softmax is within
// 4e-6 of itself, so that a probability which is equal to the threshold may count as below it.
func (m Mosaic) Refine(dst []uint16, w, h int, r Rule, p *PAMR, iterations int) {
	if err := r.Check(m.Queries); err != nil {
		panic("resample: " + err.Error())
	}
	mustHave("label map", len(dst), w*h)
	if p.w != w || p.h != h {
		panic("resample: the refinement is of another size than the picture")
	}
	l := m.layout(w, h)
	r.twice(dst, m.Queries, func(r Rule, barred []bool) { l.refine(dst, r, barred, p, iterations) })
}

func (l *layout) refine(dst []uint16, r Rule, barred []bool, p *PAMR, iterations int) {
	order := r.order(barred)
	for i := 0; i < len(dst) && len(order) > 0; i++ {
		dst[i] = uint16(r.class(order[0]))
	}
	if r.soft() {
		order = r.order(make([]bool, l.Queries)) // barred queries count in the softmax
	} else {
		order = l.contenders(order, iterations)
	}
	best := newWinners(r, l.w*l.h)
	inOrder((len(order)+lanes-1)/lanes, p.workers(), func() func(int) func() {
		s, strip, here := p.sheets(iterations), newStrip(l), newGroupBest(best, r)
		return func(group int) func() {
			queries := order[group*lanes : min((group+1)*lanes, len(order))]
			strip.fill(s, queries)
			p.refine(s)
			here.read(s, r, queries, barred)
			return func() { best.add(dst, r, queries, here) }
		}
	})
	best.threshold(dst, r.doubt())
	r.cut(dst, best.best)
}

// winners are the best value at each pixel so far and, for a threshold, the softmax.
type winners struct {
	scale float64
	best  []float32
	top   []float32 // of all queries, barred ones too
	sum   []float64 // of exp(scale (value - top)); nil without a threshold
	next  []float32 // best of another class; nil without a margin
}

func newWinners(r Rule, size int) *winners {
	w := &winners{scale: r.scale(), best: make([]float32, size)}
	for i := range w.best {
		w.best[i] = float32(math.Inf(-1))
	}
	if r.soft() {
		w.top, w.sum = slices.Clone(w.best), make([]float64, size)
		if r.Margin {
			w.next = slices.Clone(w.best)
		}
	}
	return w
}

// groupBest is what winners take of one group of queries, at each pixel.
type groupBest struct {
	scale float32
	best  []float32 // of queries that can win
	lane  []int32   // that has it
	top   []float32 // of all queries
	sum   []float32 // of exp(scale (value - top))
	spare []int32
	next  []float32 // of queries that can win, the best of another class; nil without a margin
}

func newGroupBest(w *winners, r Rule) *groupBest {
	n := len(w.best)
	g := &groupBest{scale: float32(w.scale), best: make([]float32, n), lane: make([]int32, n)}
	if w.sum != nil {
		g.top, g.sum, g.spare = make([]float32, n), make([]float32, n), make([]int32, n)
	}
	if w.next != nil {
		g.next = make([]float32, n)
	}
	return g
}

func (g *groupBest) read(s *sheets, r Rule, queries []int, barred []bool) {
	there := maskOf(func(k int) bool { return k < len(queries) })
	free := maskOf(func(k int) bool { return k < len(queries) && !barred[queries[k]] })
	for y := range s.rows {
		at, to := y*s.w, (y+1)*s.w
		largest(g.best[at:to], g.lane[at:to], s.inside(y), free)
		if g.next != nil {
			g.readNext(s, r, y, queries, free)
		}
		if g.sum == nil {
			continue
		}
		if *free == *there {
			copy(g.top[at:to], g.best[at:to])
		} else {
			largest(g.top[at:to], g.spare[at:to], s.inside(y), there)
		}
		sumExp(g.sum[at:to], g.top[at:to], s.inside(y), there, g.scale)
	}
}

// readNext finds in row y the best of the classes that have not won.
func (g *groupBest) readNext(s *sheets, r Rule, y int, queries []int, free *laneMask) {
	cells := s.inside(y)
	for x := range s.w {
		at := y*s.w + x
		won := r.class(queries[g.lane[at]])
		g.next[at] = float32(math.Inf(-1))
		for k, v := range cell(cells, x)[:len(queries)] {
			if v > g.next[at] && free[k] != 0 && r.class(queries[k]) != won {
				g.next[at] = v
			}
		}
	}
}

// add is one more group.
func (w *winners) add(dst []uint16, r Rule, queries []int, g *groupBest) {
	for i, v := range g.best {
		class := uint16(r.class(queries[g.lane[i]]))
		if w.next != nil {
			w.next[i] = max(w.next[i], g.next[i])
			if class != dst[i] { // one of the two wins, the other does not
				w.next[i] = max(w.next[i], min(v, w.best[i]))
			}
		}
		if v > w.best[i] {
			w.best[i], dst[i] = v, class
		}
	}
	for i, v := range g.top {
		switch top := w.top[i]; {
		case g.sum[i] == 0: // nothing but NaN and infinities
		case v > top:
			w.sum[i] = w.sum[i]*roughExp(w.scale*(float64(top)-float64(v))) + float64(g.sum[i])
			w.top[i] = v
		default:
			w.sum[i] += float64(g.sum[i]) * roughExp(w.scale*(float64(v)-float64(top)))
		}
	}
}

// threshold sets to class 0 the pixels whose best value is not kept.
func (w *winners) threshold(dst []uint16, d doubt) {
	if w.sum == nil {
		return
	}
	for i := range dst {
		next := 0.0
		if w.next != nil {
			next = roughExp(w.scale * (float64(w.next[i]) - float64(w.best[i])))
		}
		if d.background(w.sum[i]/roughExp(w.scale*(float64(w.best[i])-float64(w.top[i]))), next) {
			dst[i] = 0
		}
	}
}
