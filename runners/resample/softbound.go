package resample

import "math"

// softBound decides for most pixels of a mosaic whether the winner is at least as probable
// as the threshold, by the two bounds of certainty: lse(v) = log sum exp(v) is convex, and
// the logits v of a pixel are a mean of tokens, with the weights that stitching gives
// them. So stitching the tokens' lse bounds it from above, and stitching a tangent, which
// is linear, from below.
type softBound struct {
	above  field // lse of every token
	below  field // a block's tangent at every token
	usable bool  // all logits are finite and not huge
	slack  float64
	list   []int
}

func newSoftBound(l *layout, scale float64) *softBound {
	s := &softBound{above: field{stride: 1}, below: field{stride: 1}, usable: true}
	c := certainty{scale: scale}
	largest := 0.0
	for _, t := range l.Tiles {
		lse := make([]float32, t.Rows*t.Cols)
		for i := range lse {
			v := c.logSumExp(t.Logits[i*l.Queries:][:l.Queries])
			lse[i] = float32(v)
			s.usable = s.usable && math.Abs(v) < 1e30
			largest = max(largest, math.Abs(v))
		}
		for _, v := range t.Logits {
			largest = max(largest, scale*math.Abs(float64(v)))
		}
		s.above.values = append(s.above.values, lse)
		s.below.values = append(s.below.values, make([]float32, len(lse)))
	}
	s.usable = s.usable && largest < 1e30
	s.slack = largest*0x1p-17 + 1e-6 // of two stitched numbers and a difference, float32
	return s
}

// decide settles pixels of the block b, and lists those that need their softmax.
func (f *softBound) decide(s *stitcher, b, hull box) []int {
	f.list = f.list[:0]
	for i, v := range s.label {
		if v != 0 {
			f.list = append(f.list, i)
		}
	}
	if !f.usable || len(f.list) == 0 {
		return f.list
	}
	sure, never := math.Log(s.doubt.sure), math.Log(s.doubt.never)
	s.compute(b, hull, f.above)
	f.keep(func(i int) bool {
		return s.scale*float64(s.best[i])-float64(s.value[i]) < sure+f.slack
	})
	if len(f.list) == 0 {
		return nil
	}
	f.tangent(s, hull)
	s.compute(b, hull, f.below)
	f.keep(func(i int) bool {
		if s.scale*float64(s.best[i])-float64(s.value[i]) >= never-f.slack {
			return true
		}
		s.label[i] = 0
		return false
	})
	return f.list
}

// keep drops the pixels of the list that are settled.
func (f *softBound) keep(open func(i int) bool) {
	kept := f.list[:0]
	for _, i := range f.list {
		if open(i) {
			kept = append(kept, i)
		}
	}
	f.list = kept
}

// tangent writes the tangent of lse at the mean of the tokens that hull touches, for these tokens.
func (f *softBound) tangent(s *stitcher, hull box) {
	each := func(visit func(tile, token int, logits []float32)) {
		for i, t := range s.Tiles {
			if part := t.box().and(hull); !part.empty() {
				s.eachToken(i, part, func(token int) {
					visit(i, token, t.Logits[token*s.Queries:][:s.Queries])
				})
			}
		}
	}
	centre, n := make([]float64, s.Queries), 0.0
	each(func(_, _ int, logits []float32) {
		n++
		for q, v := range logits {
			centre[q] += float64(v)
		}
	})
	top := math.Inf(-1)
	for q := range centre {
		centre[q] *= s.scale / n
		top = max(top, centre[q])
	}
	weight, sum, mean := make([]float64, s.Queries), 0.0, 0.0
	for q, v := range centre {
		weight[q] = roughExp(v - top)
		sum += weight[q]
		mean += weight[q] * v
	}
	at := top + math.Log(sum) - mean/sum
	each(func(tile, token int, logits []float32) {
		dot := 0.0
		for q, v := range logits {
			dot += weight[q] * float64(v)
		}
		f.below.values[tile][token] = float32(at + s.scale*dot/sum)
	})
}
