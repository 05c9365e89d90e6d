package resample

import "math"

// refineBytes bounds the planes that Refine holds at a time.
const refineBytes = 64 << 20

// Refine is [Mosaic.Decode] with every query's plane refined by so many iterations of p,
// which must be of the picture's size. It takes the queries in groups of planes, so that
// memory does not grow with them.
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
	size := l.w * l.h
	group := max(refineBytes/(4*size)/4*4, 4)
	planes := make([]float32, min(group, l.Queries)*size)
	best := newWinners(r, size)
	for i, free := 0, r.order(barred); i < len(dst) && len(free) > 0; i++ {
		dst[i] = uint16(r.class(free[0]))
	}
	order := r.order(make([]bool, l.Queries)) // barred queries count in the softmax
	var s buffers
	scratch := p.scratch()
	for len(order) > 0 {
		n := min(group, len(order))
		for k, q := range order[:n] {
			l.plane(planes[k*size:][:size], l.query(q), &s)
		}
		p.apply(planes[:n*size], iterations, scratch)
		for k, q := range order[:n] {
			best.add(dst, planes[k*size:][:size], uint16(r.class(q)), barred[q])
		}
		order = order[n:]
	}
	best.threshold(dst, r.Threshold)
}

// winners are the best value at each pixel so far and, for a threshold, the softmax.
type winners struct {
	scale float64
	best  []float32
	top   []float32 // of all queries, barred ones too
	sum   []float64 // of exp(scale (value - top)); nil without a threshold
}

func newWinners(r Rule, size int) *winners {
	w := &winners{scale: r.Scale, best: make([]float32, size)}
	if w.scale == 0 {
		w.scale = 1
	}
	for i := range w.best {
		w.best[i] = float32(math.Inf(-1))
	}
	if r.Threshold > 0 {
		w.top, w.sum = append([]float32(nil), w.best...), make([]float64, size)
	}
	return w
}

// add is one more query's plane.
func (w *winners) add(dst []uint16, plane []float32, class uint16, barred bool) {
	if !barred {
		for i, v := range plane {
			if v > w.best[i] {
				w.best[i], dst[i] = v, class
			}
		}
	}
	if w.sum == nil {
		return
	}
	for i, v := range plane {
		switch top := w.top[i]; {
		case v != v:
		case v > top:
			w.sum[i] = w.sum[i]*math.Exp(w.scale*(float64(top)-float64(v))) + 1
			w.top[i] = v
		default:
			w.sum[i] += math.Exp(w.scale * (float64(v) - float64(top)))
		}
	}
}

// threshold sets improbable pixels to class 0.
func (w *winners) threshold(dst []uint16, least float64) {
	if w.sum == nil {
		return
	}
	for i := range dst {
		if w.sum[i]*least > math.Exp(w.scale*(float64(w.best[i])-float64(w.top[i]))) {
			dst[i] = 0
		}
	}
}
