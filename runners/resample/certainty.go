package resample

import "math"

// certainty decides whether the winner of a pixel is at least as probable as a
// threshold, mostly without computing its softmax.
//
// With v the logits of a pixel times the scale, the winner's probability is
// exp(max v - lse(v)), lse(v) = log sum exp(v). lse is convex (Boyd and Vandenberghe,
// Convex Optimization, section 3.1.5) and v is the mean of the cell's four corners with
// the pixel's weights. So lse(v) is at most the same mean of lse(corner), and at least
// the tangent of lse at the centre of the cell, which is such a mean too. Only pixels
// between the two bounds need the sum itself.
type certainty struct {
	n           int
	scale       float64
	class       []uint16 // of each query
	doubt       doubt
	yes, no     float64   // max v - bound at least yes: probable; below no: improbable
	tokens      []float64 // lse of every token; NaN with a logit of NaN or +Inf
	corners     [4][]float32
	across      side
	upper       edgePair
	lower       edgePair
	haveTangent bool
}

// edgePair is a number at each corner of a cell, interpolated along its upper and lower
// edge, per column.
type edgePair struct{ top, bottom []float64 }

func (e *edgePair) set(corner [4]float64, x side) {
	e.top, e.bottom = grow(e.top, len(x.w0)), grow(e.bottom, len(x.w0))
	for i := range x.w0 {
		p, q := float64(x.w0[i]), float64(x.w1[i])
		e.top[i] = corner[0]*p + corner[1]*q
		e.bottom[i] = corner[2]*p + corner[3]*q
	}
}

// newCertainty prepares for logits of queries of those classes; slack bounds the rounding
// error of an interpolated logit.
func newCertainty(r Rule, logits []float32, class []uint16, slack float32) *certainty {
	n := len(class)
	s := &certainty{n: n, scale: r.scale(), class: class, doubt: r.doubt(), tokens: make([]float64, len(logits)/n)}
	margin := 2*s.scale*float64(slack) + 1e-7 // the second term bounds the error of roughExp
	s.yes, s.no = math.Log(s.doubt.sure)+margin, math.Log(s.doubt.never)-margin
	for i := range s.tokens {
		s.tokens[i] = s.logSumExp(logits[i*n:][:n])
	}
	return s
}

func (s *certainty) logSumExp(logits []float32) float64 {
	largest := float32(math.Inf(-1))
	for _, v := range logits {
		largest = max(largest, v)
	}
	sum := 0.0
	for _, v := range logits {
		sum += roughExp(s.scale * (float64(v) - float64(largest)))
	}
	return s.scale*float64(largest) + math.Log(sum)
}

// enter starts a cell: the logits and numbers of its corner tokens and its columns.
func (s *certainty) enter(corners [4][]float32, across side, tokens [4]int) {
	s.corners, s.across, s.haveTangent = corners, across, false
	s.upper.set([4]float64{s.tokens[tokens[0]], s.tokens[tokens[1]], s.tokens[tokens[2]], s.tokens[tokens[3]]}, across)
}

// row sets to class 0 the labels of a row whose best logit is improbable. p and q are
// the weights of the cell's upper and lower edge.
func (s *certainty) row(label []uint16, best []float32, p, q float32) {
	for i, v := range best {
		if label[i] == 0 {
			continue
		}
		at := s.scale * float64(v)
		if at-(float64(p)*s.upper.top[i]+float64(q)*s.upper.bottom[i]) >= s.yes {
			continue
		}
		s.tangent()
		if at-(float64(p)*s.lower.top[i]+float64(q)*s.lower.bottom[i]) < s.no ||
			s.improbable(v, label[i], i, p, q) {
			label[i] = 0
		}
	}
}

// tangent computes the lower bound of the cell, once.
func (s *certainty) tangent() {
	if s.haveTangent {
		return
	}
	s.haveTangent = true
	a, b, c, e := s.corners[0], s.corners[1][:s.n], s.corners[2][:s.n], s.corners[3][:s.n]
	centre := func(q int) float64 {
		return (float64(a[q]) + float64(b[q]) + float64(c[q]) + float64(e[q])) / 4
	}
	largest := math.Inf(-1)
	for q := range a {
		largest = max(largest, centre(q))
	}
	sum := 0.0
	var dot [4]float64 // of the softmax at the centre with the logits of each corner
	for q := range a {
		f := roughExp(s.scale * (centre(q) - largest))
		sum += f
		dot[0] += f * float64(a[q])
		dot[1] += f * float64(b[q])
		dot[2] += f * float64(c[q])
		dot[3] += f * float64(e[q])
	}
	mean := (dot[0] + dot[1] + dot[2] + dot[3]) / 4
	lse := s.scale*largest + math.Log(sum)
	for k := range dot {
		dot[k] = lse + s.scale*(dot[k]-mean)/sum
	}
	s.lower.set(dot, s.across)
}

// improbable computes the softmax of column i and reports whether its best logit, of a class,
// is not kept.
func (s *certainty) improbable(best float32, class uint16, i int, p, q float32) bool {
	p0, p1 := s.across.w0[i], s.across.w1[i]
	a, b, c, e := s.corners[0], s.corners[1][:s.n], s.corners[2][:s.n], s.corners[3][:s.n]
	sum, next := 0.0, 0.0
	for k := range a {
		top := float32(a[k]*p0) + float32(b[k]*p1)
		bottom := float32(c[k]*p0) + float32(e[k]*p1)
		v := float32(p*top) + float32(q*bottom)
		if v != v {
			continue
		}
		e := math.Exp(s.scale * (float64(v) - float64(best)))
		if sum += e; s.class[k] != class {
			next = max(next, e)
		}
		if s.doubt.background(sum, 0) { // both can only grow
			return true
		}
	}
	return s.doubt.background(sum, next)
}

// roughExp is exp(x) for x <= 0 with a relative error below 1e-8, several times as fast
// as math.Exp: 2^n times a Taylor polynomial of degree 7 in the rest, at most ln(2)/2.
func roughExp(x float64) float64 {
	if !(x >= -700) {
		return math.Exp(x)
	}
	const shift = 0x1.8p52 // adding it rounds to an integer, in the low bits
	t := float64(x*math.Log2E) + shift
	f := x - (t-shift)*math.Ln2
	f2 := f * f
	p := 1 + f + f2*(1.0/2+f*(1.0/6)) + f2*f2*(1.0/24+f*(1.0/120)+f2*(1.0/720+f*(1.0/5040)))
	return p * math.Float64frombits((math.Float64bits(t)+1023)<<52)
}
