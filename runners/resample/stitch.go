package resample

import (
	"math"
	"slices"
)

// Decode sets dst, w x h pixels of the picture, to the labels that r reads off the mosaic.
// The labels are those of [Mosaic.Plane] of every query, decoded pixel by pixel, but only
// the queries that can win in a block are computed there.
func (m Mosaic) Decode(dst []uint16, w, h int, r Rule) {
	if err := r.Check(m.Queries); err != nil {
		panic("resample: " + err.Error())
	}
	mustHave("label map", len(dst), w*h)
	l := m.layout(w, h)
	r.twice(dst, m.Queries, func(r Rule, out []bool) {
		s := l.stitcher(r, out)
		l.blocks(func(b box) { s.block(dst, b) })
	})
}

// blocks visits the parts of the picture that are labelled at once.
func (l *layout) blocks(visit func(box)) {
	bw, bh := blockSide(l.w, l.W), blockSide(l.h, l.H)
	for y := 0; y < l.h; y += bh {
		for x := 0; x < l.w; x += bw {
			visit(box{x, y, min(x+bw, l.w), min(y+bh, l.h)})
		}
	}
}

// blockSide is the side of blocks in pixels of the picture: about a token's on the canvas.
func blockSide(picture, canvas int) int { return min(max(16*picture/canvas, 8), 64) }

// twice decodes, and where r has an area threshold counts, bars small classes and decodes
// again. decode gets the rule of a pass, and which queries cannot win in it.
func (r Rule) twice(dst []uint16, queries int, decode func(r Rule, barred []bool)) {
	barred := make([]bool, queries)
	if r.Area > 0 {
		first := r
		first.Threshold = 0
		decode(first, barred)
		small := r.smallClasses(dst)
		none := true
		for q := range barred {
			barred[q] = small[r.class(q)]
			none = none && !barred[q]
		}
		if none && r.Threshold == 0 {
			return
		}
	}
	decode(r, barred)
}

// smallClasses are the classes with at most the share r.Area of all labels above 0.
func (r Rule) smallClasses(labels []uint16) map[int]bool {
	counts := make([]int, maxClass+1)
	total := 0
	for _, v := range labels {
		counts[v]++
	}
	for _, n := range counts[1:] {
		total += n
	}
	small := map[int]bool{}
	for c, n := range counts[1:] {
		small[c+1] = float64(n) <= r.Area*float64(total)
	}
	return small
}

func (r Rule) class(q int) int {
	if r.Classes == nil {
		return q
	}
	return r.Classes[q]
}

// order lists the queries that may win, by class, then by number: the first of equal values wins.
func (r Rule) order(barred []bool) []int {
	var order []int
	for q, out := range barred {
		if !out {
			order = append(order, q)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return r.class(a) - r.class(b) })
	return order
}

// stitcher labels the blocks of a picture. Its slices are scratch space.
type stitcher struct {
	*layout
	rule   Rule
	scale  float64
	order  []int
	barred []bool
	doubt  doubt
	fields []field
	slack  float32 // bounds the rounding error of a logit at the picture's size
	soft   *softBound

	low, high  []float32 // per query, over the tokens of a block
	tileLow    []float32
	tileHigh   []float32
	candidates []int
	best       []float32 // per pixel of a block
	label      []uint16
	value      []float32
	sum        []float64
	next       []float32 // largest of another class than the winner's
	buffers
}

func (l *layout) stitcher(r Rule, barred []bool) *stitcher {
	s := &stitcher{layout: l, rule: r, scale: r.scale(), order: r.order(barred), barred: barred}
	largest, most := float32(0), 0
	for _, t := range l.Tiles {
		for _, v := range t.Logits {
			if v = max(v, -v); v > largest && v <= math.MaxFloat32 {
				largest = v
			}
		}
	}
	for _, n := range l.count {
		most = max(most, int(n))
	}
	// Six roundings on the two ways, one for each tile, one of the division; this is more than twice as much.
	s.slack = largest*float32(most+8)*0x1p-22 + 0x1p-140
	for q := range l.Queries {
		s.fields = append(s.fields, l.query(q))
	}
	for _, p := range []*[]float32{&s.low, &s.high, &s.tileLow, &s.tileHigh} {
		*p = make([]float32, l.Queries)
	}
	if r.soft() {
		s.doubt, s.soft = r.doubt(), newSoftBound(l, s.scale)
	}
	return s
}

// block labels the part b of the picture.
func (s *stitcher) block(dst []uint16, b box) {
	hull := s.hull(b)
	n := b.w() * b.h()
	s.best, s.label, s.value = grow(s.best, n), grow(s.label, n), grow(s.value, n)
	first := uint16(0)
	if len(s.order) > 0 {
		first = uint16(s.rule.class(s.order[0]))
	}
	for i := range s.label {
		s.label[i], s.best[i] = first, float32(math.Inf(-1))
	}
	s.prune(hull)
	for _, q := range s.candidates {
		s.compute(b, hull, s.fields[q])
		class := uint16(s.rule.class(q))
		for i, v := range s.value {
			if v > s.best[i] {
				s.best[i], s.label[i] = v, class
			}
		}
	}
	if s.soft != nil {
		s.threshold(b, hull)
	}
	s.rule.cut(s.label, s.best)
	for y := range b.h() {
		copy(dst[(b.y0+y)*s.w+b.x0:], s.label[y*b.w():][:b.w()])
	}
}

// compute sets value to a field on the part b of the picture.
func (s *stitcher) compute(b, hull box, f field) {
	s.sheet = grow(s.sheet, hull.w()*hull.h())
	s.canvas(s.sheet, hull, f, &s.a)
	s.picture(s.value, b, s.sheet, hull, &s.b)
}

// prune lists the queries that can win where the picture is read from hull. All values
// there are means of the tokens that hull touches: none leaves their range. Where every
// tile covers all of hull, the mean of the tiles' ranges is a narrower one.
func (s *stitcher) prune(hull box) {
	covered, n := true, 0
	for _, t := range s.Tiles {
		if part := t.box().and(hull); !part.empty() {
			covered = covered && part == hull
			n++
		}
	}
	k := 0
	for i, t := range s.Tiles {
		part := t.box().and(hull)
		if part.empty() {
			continue
		}
		s.tileRange(i, part)
		low, high := s.low[:len(s.tileLow)], s.high[:len(s.tileLow)]
		if k++; k == 1 {
			copy(low, s.tileLow)
			copy(high, s.tileHigh)
			continue
		}
		for q, v := range s.tileLow {
			if covered {
				low[q] += v
				high[q] += s.tileHigh[q]
			} else {
				low[q] = min(low[q], v)
				high[q] = max(high[q], s.tileHigh[q])
			}
		}
	}
	if !covered {
		n = 1
	}
	s.choose(1 / float32(n))
}

// tileRange finds the least and the largest logit of each query among the tokens of tile i
// that the part of the canvas touches.
func (s *stitcher) tileRange(i int, part box) {
	first := true
	s.eachToken(i, part, func(token int) {
		logits := s.Tiles[i].Logits[token*s.Queries:][:s.Queries]
		if first {
			copy(s.tileLow, logits)
			copy(s.tileHigh, logits)
			first = false
			return
		}
		low, high := s.tileLow[:len(logits)], s.tileHigh[:len(logits)]
		for q, v := range logits {
			low[q] = min(low[q], v)
			high[q] = max(high[q], v)
		}
	})
}

// eachToken visits the tokens of tile i that the part of the canvas touches.
func (l *layout) eachToken(i int, part box, visit func(token int)) {
	t, a := l.Tiles[i], l.tiles[i]
	x0, x1 := a.x[part.x0-t.X].i0, a.x[part.x1-1-t.X].i1
	y0, y1 := a.y[part.y0-t.Y].i0, a.y[part.y1-1-t.Y].i1
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			visit(y*t.Cols + x)
		}
	}
}

// choose lists as candidates the queries whose range, times share, reaches the largest of
// all lower ends. Numbers that are none, or huge, bound nothing: then all are candidates.
func (s *stitcher) choose(share float32) {
	floor := float32(math.Inf(-1))
	s.candidates = append(s.candidates[:0], s.order...)
	for _, q := range s.order {
		if !(s.low[q] > -1e37 && s.high[q] < 1e37) {
			return
		}
		floor = max(floor, s.low[q])
	}
	floor = floor*share - 2*s.slack
	s.candidates = s.candidates[:0]
	for _, q := range s.order {
		if s.high[q]*share >= floor {
			s.candidates = append(s.candidates, q)
		}
	}
}

// threshold sets to class 0 the pixels of a block whose best logit is not kept.
func (s *stitcher) threshold(b, hull box) {
	undecided := s.soft.decide(s, b, hull)
	if len(undecided) == 0 {
		return
	}
	s.sum, s.next = grow(s.sum, len(s.best)), grow(s.next, len(s.best))
	clear(s.sum)
	for i := range s.next {
		s.next[i] = float32(math.Inf(-1))
	}
	for q, f := range s.fields {
		s.compute(b, hull, f)
		class := uint16(s.rule.class(q))
		for _, i := range undecided {
			v := s.value[i]
			if v != v {
				continue
			}
			s.sum[i] += math.Exp(s.scale * (float64(v) - float64(s.best[i])))
			if class != s.label[i] && !s.barred[q] {
				s.next[i] = max(s.next[i], v)
			}
		}
	}
	for _, i := range undecided {
		if s.doubt.background(s.sum[i], math.Exp(s.scale*(float64(s.next[i])-float64(s.best[i])))) {
			s.label[i] = 0
		}
	}
}
