package resample

import "math"

// Probabilities gives how probable r makes each class at every pixel of a picture of w x h, before any threshold: the
// largest of its queries' shares of the softmax over all, or sigmoids. What it gives sets dst to the plane of a class,
// and may be called by one goroutine at a time. A NaN counts as minus infinity.
func (m Mosaic) Probabilities(w, h int, r Rule) func(dst []float32, class int) {
	if err := r.Check(m.Queries); err != nil {
		panic("resample: " + err.Error())
	}
	l, scratch := m.layout(w, h), &buffers{}
	plane := make([]float32, w*h)
	scale := r.scale()
	var top []float32
	var sum []float64 // of exp(scale (value - top))
	if !r.Sigmoid {
		top, sum = make([]float32, w*h), make([]float64, w*h)
		for i := range top {
			top[i] = float32(math.Inf(-1))
		}
		for q := range m.Queries {
			l.plane(plane, m.query(q), scratch)
			for i, v := range plane {
				switch {
				case v > top[i]:
					sum[i] = 1 + sum[i]*roughExp(scale*(float64(top[i])-float64(v)))
					top[i] = v
				case v >= -math.MaxFloat32:
					sum[i] += roughExp(scale * (float64(v) - float64(top[i])))
				}
			}
		}
	}
	return func(dst []float32, class int) {
		mustHave("plane", len(dst), w*h)
		clear(dst)
		for q := range m.Queries {
			if r.class(q) != class {
				continue
			}
			l.plane(plane, m.query(q), scratch)
			for i, v := range plane {
				p := 0.0
				if !(v >= -math.MaxFloat32) {
					continue
				}
				if r.Sigmoid {
					p = 1 / (1 + math.Exp(-scale*float64(v)-r.Bias))
				} else {
					p = roughExp(scale*(float64(v)-float64(top[i]))) / sum[i]
				}
				dst[i] = max(dst[i], float32(p))
			}
		}
	}
}
