package resample

import (
	"cmp"
	"math"
	"slices"
)

// Claims are the pixels of a picture that experts of single classes speak for (FLOSS, arXiv 2504.10487). An expert
// reads the picture by texts of its own for all classes, and claims for its class the pixels where that class is its
// best; of several experts who claim a pixel the one of the highest probability has it. Claims come from [NewClaims];
// one goroutine uses them.
type Claims struct {
	w, h  int
	class []uint16
	sure  []float64 // probability; 0 where no expert has spoken

	layout *layout // what the mosaics have in common
	sum    []float64
	list   []int // pixels of a block
}

// NewClaims is none yet, on a picture of w x h pixels.
func NewClaims(w, h int) *Claims {
	return &Claims{w: w, h: h, class: make([]uint16, w*h), sure: make([]float64, w*h)}
}

// Hear adds the claims of the expert of a class, who reads the picture as m; r's classes and scale make labels and
// probabilities of it. All mosaics of a picture have the same tiles but for the logits. Of equal claims the first
// stays.
func (c *Claims) Hear(m Mosaic, r Rule, class int) {
	r.Threshold, r.Area = 0, 0
	if err := r.Check(m.Queries); err != nil {
		panic("resample: " + err.Error())
	}
	if c.layout == nil {
		c.layout = m.layout(c.w, c.h)
	}
	m.check(c.w, c.h)
	l := *c.layout
	l.Mosaic = m
	s := l.stitcher(r, make([]bool, m.Queries))
	l.blocks(func(b box) {
		hull := l.hull(b)
		s.prune(hull)
		if c.win(s, b, hull, class); len(c.list) > 0 {
			c.claim(s, b, hull, uint16(class))
		}
	})
}

// win lists the pixels of the block b whose best query is of the class, and finds its value. Strong rivals come first:
// they leave little for the others to do.
func (c *Claims) win(s *stitcher, b, hull box, class int) {
	own := slices.DeleteFunc(slices.Clone(s.candidates), func(q int) bool { return s.rule.class(q) != class })
	if c.list = c.list[:0]; len(own) == 0 {
		return
	}
	n := b.w() * b.h()
	s.best, s.value = grow(s.best, n), grow(s.value, n)
	for i := range s.best {
		s.best[i] = float32(math.Inf(-1))
		c.list = append(c.list, i)
	}
	for _, q := range own {
		s.compute(b, hull, s.fields[q])
		for i, v := range s.value {
			s.best[i] = max(s.best[i], v)
		}
	}
	slices.SortFunc(s.candidates, func(a, b int) int { return cmp.Compare(s.high[b], s.high[a]) })
	for _, q := range s.candidates {
		rival := s.rule.class(q)
		if rival == class {
			continue
		}
		s.compute(b, hull, s.fields[q])
		c.list = slices.DeleteFunc(c.list, func(i int) bool { // of equal ones the smaller class wins
			return s.value[i] > s.best[i] || s.value[i] == s.best[i] && rival < class
		})
		if len(c.list) == 0 {
			return
		}
	}
}

// claim gives the pixels of the list, of the block b, to the class whose expert the stitcher is, if he is surer of them
// than others.
func (c *Claims) claim(s *stitcher, b, hull box, class uint16) {
	c.sum = grow(c.sum, len(c.list))
	clear(c.sum)
	for _, f := range s.fields {
		s.compute(b, hull, f)
		for k, i := range c.list {
			if v := s.value[i]; v == v {
				c.sum[k] += roughExp(s.scale * (float64(v) - float64(s.best[i])))
			}
		}
	}
	for k, i := range c.list {
		at := (b.y0+i/b.w())*c.w + b.x0 + i%b.w()
		if p := 1 / c.sum[k]; p > c.sure[at] {
			c.sure[at], c.class[at] = p, class
		}
	}
}

// Settle writes the claims over labels that were read without experts, which stand where no expert spoke. Of claims
// less probable than the threshold, if it is above 0, the pixel becomes class 0.
func (c *Claims) Settle(labels []uint16, threshold float64) {
	mustHave("label map", len(labels), c.w*c.h)
	for i, p := range c.sure {
		if p > 0 {
			labels[i] = c.class[i]
			if p < threshold {
				labels[i] = 0
			}
		}
	}
}

// Entropy visits the pixels of a picture of w x h with the class that each gets and the entropy, in nats, of the
// softmax over all queries of r's scale times the logits. The picture may be smaller than it was: then its pixels are
// points evenly spaced.
func (m Mosaic) Entropy(w, h int, r Rule, visit func(class int, nats float64)) {
	r.Threshold, r.Area = 0, 0
	if err := r.Check(m.Queries); err != nil {
		panic("resample: " + err.Error())
	}
	l := m.layout(w, h)
	s := l.stitcher(r, make([]bool, m.Queries))
	var values []float32 // of every query at every pixel of a block
	l.blocks(func(b box) {
		hull, n := l.hull(b), b.w()*b.h()
		values = grow(values, n*m.Queries)
		s.value = grow(s.value, n)
		for q, f := range s.fields {
			s.compute(b, hull, f)
			copy(values[q*n:], s.value)
		}
		for i := range n {
			best := s.order[0]
			for _, q := range s.order[1:] {
				if values[q*n+i] > values[best*n+i] {
					best = q
				}
			}
			sum, dot := 0.0, 0.0 // of e^x and x e^x
			for q := range m.Queries {
				x := s.scale * (float64(values[q*n+i]) - float64(values[best*n+i]))
				if e := roughExp(x); e > 0 {
					sum += e
					dot += x * e
				}
			}
			if sum > 0 { // the pixel has numbers
				visit(r.class(best), math.Log(sum)-dot/sum)
			}
		}
	})
}
