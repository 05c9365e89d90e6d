package resample

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Rule says how the logits of a pixel become its label. The zero Rule is the plain
// argmax over the queries. A Rule is a value; any number of goroutines may use it.
//
// A pixel gets the class of its best query. With a Threshold it gets class 0 instead if
// that query's probability, a softmax over all queries of Scale times the logits, is
// strictly below the Threshold. As softmax is monotone this is the rule "softmax over
// queries, maximum within each class, argmax over classes, threshold". With Sigmoid a query's
// probability is σ(Scale·logit + Bias), whatever the other queries are.
//
// With Margin it gets class 0 where p √(p - p') < Threshold^1.25, p being that probability
// and p' the next class's (ActiveSAM, arXiv 2606.16996): what is sure of nothing, and what
// hesitates between two classes, is background.
//
// With an Area, classes above 0 that win at most that share of the pixels which classes
// above 0 win are barred: their queries stay in the softmax, and cannot win (SCLIP).
type Rule struct {
	Classes   []int   // class of each query, 0..65535; nil: query i is class i
	Scale     float64 // of the logits before the softmax (the logit scale); 0 stands for 1
	Sigmoid   bool    // probabilities are of each query by itself
	Bias      float64 // with Sigmoid
	Threshold float64 // in probability; 0: none
	Margin    bool    // the next class counts against the Threshold
	Area      float64 // share of the pixels not of class 0; 0: none
}

// maxClass is the largest label a map of uint16 holds.
const maxClass = math.MaxUint16

// Check reports why r cannot decode logits of so many queries, or nil.
func (r Rule) Check(queries int) error {
	switch {
	case queries <= 0:
		return fmt.Errorf("%d queries: at least one is needed", queries)
	case r.Classes == nil && queries > maxClass+1:
		return fmt.Errorf("%d queries are more classes than a label map holds (%d)", queries, maxClass+1)
	case r.Classes != nil && len(r.Classes) != queries:
		return fmt.Errorf("%d queries, but the class of %d is given", queries, len(r.Classes))
	case !(r.Scale >= 0) || math.IsInf(r.Scale, 1):
		return fmt.Errorf("scale %v: a positive number is needed", r.Scale)
	case !(r.Threshold >= 0 && r.Threshold <= 1):
		return fmt.Errorf("threshold %v: a probability from 0 to 1 is needed", r.Threshold)
	case r.Sigmoid && r.Margin:
		return fmt.Errorf("a margin is one of a softmax, and a sigmoid is asked for")
	case math.IsNaN(r.Bias) || math.IsInf(r.Bias, 0):
		return fmt.Errorf("bias %v: a finite number is needed", r.Bias)
	case !(r.Area >= 0 && r.Area < 1):
		return fmt.Errorf("area %v: a share from 0 to below 1 is needed", r.Area)
	}
	for q, c := range r.Classes {
		if c < 0 || c > maxClass {
			return fmt.Errorf("query %d has class %d: 0 to %d fit a label map", q, c, maxClass)
		}
	}
	return nil
}

// soft reports whether a threshold needs the softmax over all queries.
func (r Rule) soft() bool { return r.Threshold > 0 && !r.Sigmoid }

// scale is the factor of the logits.
func (r Rule) scale() float64 { return cmp.Or(r.Scale, 1) }

// cut sets to class 0 the pixels whose best logit is improbable by itself.
func (r Rule) cut(label []uint16, best []float32) {
	if r.Threshold == 0 || !r.Sigmoid {
		return
	}
	for i, v := range best {
		if label[i] != 0 && 1/(1+math.Exp(-r.scale()*float64(v)-r.Bias)) < r.Threshold {
			label[i] = 0
		}
	}
}

// Decode sets dst, w x h pixels, to the labels r reads off the logits, token-major
// [sh*sw, queries], upsampled by the rule of [Bilinear]. Of classes that tie the
// smallest wins. The result is that of upsampling every query to a plane first, but
// no such plane exists; time grows with the classes that can win, not with all.
//
// Logits are compared as float32, probabilities computed in float64. A NaN in an
// upsampled logit counts as minus infinity (infinite tokens make NaN where they have no
// weight, as in torch); where all is minus infinity the smallest class wins, and where the
// softmax is NaN no threshold applies. Decode panics on a Rule that fails [Rule.Check].
func (r Rule) Decode(dst []uint16, w, h int, logits []float32, sw, sh, queries int) {
	mustBePositive(w, h, sw, sh)
	if err := r.Check(queries); err != nil {
		panic("resample: " + err.Error())
	}
	mustHave("label map", len(dst), w*h)
	mustHave("logits", len(logits), sw*sh*queries)
	if r.Area > 0 {
		Whole(logits, sw, sh, queries, w, h).Decode(dst, w, h, r)
		return
	}
	d := r.decoder(logits, sw, queries)
	across, down := cellsOf(bilinearTaps(sw, w, 0)), cellsOf(bilinearTaps(sh, h, 0))
	for _, y := range down {
		for _, x := range across {
			d.cell(dst[y.first*w+x.first:], w, x, y)
		}
	}
}

// side is one side of a cell: a run of pixels between the same two token centres.
// Its weights lie in 0..1, so that every pixel of a cell is a mean of four tokens and no
// query leaves the range of its four corners there. All pruning rests on this.
type side struct {
	first  int // pixel
	i0, i1 int // tokens
	w0, w1 []float32
}

// cellsOf splits an axis into its sides. t has two taps per output.
func cellsOf(t taps) []side {
	var out []side
	for i := range len(t.start) - 1 {
		index, weight := t.of(i)
		if n := len(out); n == 0 || out[n-1].i0 != index[0] {
			out = append(out, side{first: i, i0: index[0], i1: index[1]})
		}
		s := &out[len(out)-1]
		s.w0, s.w1 = append(s.w0, weight[0]), append(s.w1, weight[1])
	}
	return out
}

// decoder works through the cells of one map. Its slices are scratch space.
type decoder struct {
	rule   Rule
	logits []float32
	width  int // tokens per row
	n      int // queries
	class  []uint16
	order  []int   // queries by class, then by number: the first of equal values wins
	slack  float32 // bounds the rounding error of an interpolated logit
	soft   *certainty

	high        []float32 // per query: its largest corner in this cell
	candidates  []int     // queries that can win in this cell
	top, bottom []float32 // per candidate and column: the upper and lower edge of the cell
	narrowed    []int     // positions in candidates that can win in this row
	best        []float32 // of this row
	label       []uint16  // of this row
}

// doubt says which winners are too uncertain to keep their pixel.
type doubt struct {
	margin bool
	least  float64 // the Threshold, or with a margin its power
	// winners less probable than never are not kept, those at least as probable as sure are, whatever comes next
	never, sure float64
}

// marginPower is ActiveSAM's exponent of the threshold.
const marginPower = 1.25

// doubt is that of a rule with a Threshold. With the sum S of all queries' exponentials and the next class's, e,
// relative to the winner's, p √(p - p') < T is √(1 - e) < T √S³. As 0 <= e <= S - 1 it holds where 1 < T √S³, and does
// not where √(2 - S) >= T √S³.
func (r Rule) doubt() doubt {
	if !r.Margin {
		return doubt{least: r.Threshold, never: r.Threshold, sure: r.Threshold}
	}
	d := doubt{margin: true, least: math.Pow(r.Threshold, marginPower)}
	d.never = math.Pow(d.least, 2./3)
	low, high := 1.0, 2.0
	for range 60 {
		if s := (low + high) / 2; math.Sqrt(2-s) >= d.least*s*math.Sqrt(s) {
			low = s
		} else {
			high = s
		}
	}
	d.sure = 1 / low
	return d
}

// background says whether the winner of a pixel is not kept. sum is of exp(scale (logit - winner)) over all queries,
// next the largest of these of another class, 0 if there is none.
func (d doubt) background(sum, next float64) bool {
	if d.margin {
		return math.Sqrt(1-next) < d.least*sum*math.Sqrt(sum)
	}
	return sum*d.least > 1
}

func (r Rule) decoder(logits []float32, width, n int) *decoder {
	d := &decoder{rule: r, logits: logits, width: width, n: n, class: make([]uint16, n), order: make([]int, n),
		high: make([]float32, n)}
	for q := range n {
		d.order[q], d.class[q] = q, uint16(q)
		if r.Classes != nil {
			d.class[q] = uint16(r.Classes[q])
		}
	}
	slices.SortStableFunc(d.order, func(a, b int) int { return int(d.class[a]) - int(d.class[b]) })
	largest := float32(0)
	for _, v := range logits {
		if v = max(v, -v); v > largest && v <= math.MaxFloat32 {
			largest = v
		}
	}
	// Three roundings lie between corners and pixel, each at most 2^-24 of the largest
	// value or half the smallest subnormal; this is five times as much.
	d.slack = largest*0x1p-20 + 0x1p-140
	if r.soft() {
		d.soft = newCertainty(r, logits, d.class, d.slack)
	}
	return d
}

func (d *decoder) token(y, x int) []float32 {
	return d.logits[(y*d.width+x)*d.n:][:d.n]
}

// cell labels one cell; dst starts at its first pixel, stride is the width of the map.
func (d *decoder) cell(dst []uint16, stride int, x, y side) {
	corners := [4][]float32{d.token(y.i0, x.i0), d.token(y.i0, x.i1), d.token(y.i1, x.i0), d.token(y.i1, x.i1)}
	bounded := d.prune(&corners)
	w := len(x.w0)
	d.edges(&corners, x)
	d.best, d.label = grow(d.best, w), grow(d.label, w)
	if d.soft != nil {
		d.soft.enter(corners, x, [4]int{y.i0*d.width + x.i0, y.i0*d.width + x.i1, y.i1*d.width + x.i0, y.i1*d.width + x.i1})
	}
	for j, p := range y.w0 {
		q := y.w1[j]
		d.narrow(p, q, w, bounded)
		d.row(p, q)
		if d.soft != nil {
			d.soft.row(d.label, d.best, p, q)
		}
		d.rule.cut(d.label, d.best)
		copy(dst[j*stride:], d.label)
	}
}

// prune lists the queries that can win somewhere in a cell: those whose largest corner
// is not below the smallest corner of another one. A query with a corner of NaN or -Inf
// is NaN or -Inf at every pixel of the cell and cannot win; one with +Inf bounds no other,
// as it is NaN where that corner has no weight. bounded says that every candidate stays
// between its corners, up to the slack.
func (d *decoder) prune(corners *[4][]float32) (bounded bool) {
	floor := float32(-math.MaxFloat32)
	n := d.n
	a, b, c, e, high := corners[0][:n], corners[1][:n], corners[2][:n], corners[3][:n], d.high[:n]
	bounded = true
	for q := range high {
		lo := min(a[q], b[q], c[q], e[q])
		hi := max(a[q], b[q], c[q], e[q])
		if !(lo >= -math.MaxFloat32) {
			hi = float32(math.NaN())
		}
		high[q] = hi
		if hi > math.MaxFloat32 {
			bounded = false
		} else if lo > floor {
			floor = lo
		}
	}
	floor -= 2 * d.slack
	d.candidates = d.candidates[:0]
	for _, q := range d.order {
		if high[q] >= floor {
			d.candidates = append(d.candidates, q)
		}
	}
	return bounded
}

// edges interpolates the candidates along the upper and the lower edge of a cell.
func (d *decoder) edges(corners *[4][]float32, x side) {
	w := len(x.w0)
	d.top, d.bottom = grow(d.top, w*len(d.candidates)), grow(d.bottom, w*len(d.candidates))
	for k, q := range d.candidates {
		a, b, c, e := corners[0][q], corners[1][q], corners[2][q], corners[3][q]
		top, bottom := d.top[k*w:][:w], d.bottom[k*w:][:w]
		for i, p := range x.w0 {
			top[i] = float32(a*p) + float32(b*x.w1[i])
			bottom[i] = float32(c*p) + float32(e*x.w1[i])
		}
	}
}

// narrow is prune for one row of w pixels, along which every candidate is linear:
// its first and last pixel bound it.
func (d *decoder) narrow(p, q float32, w int, bounded bool) {
	d.narrowed = d.narrowed[:0]
	if w <= 3 || !bounded || len(d.candidates) <= 1 {
		for k := range d.candidates {
			d.narrowed = append(d.narrowed, k)
		}
		return
	}
	floor := float32(-math.MaxFloat32)
	for k := range d.candidates {
		first := float32(p*d.top[k*w]) + float32(q*d.bottom[k*w])
		last := float32(p*d.top[k*w+w-1]) + float32(q*d.bottom[k*w+w-1])
		d.high[k] = max(first, last)
		floor = max(floor, min(first, last))
	}
	floor -= 2 * d.slack
	for k := range d.candidates {
		if d.high[k] >= floor {
			d.narrowed = append(d.narrowed, k)
		}
	}
}

// row finds the best candidate of every pixel of a row.
func (d *decoder) row(p, q float32) {
	w := len(d.label)
	for i := range d.label {
		d.label[i], d.best[i] = d.class[d.order[0]], float32(math.Inf(-1))
	}
	for _, k := range d.narrowed {
		class := d.class[d.candidates[k]]
		top, bottom, best, label := d.top[k*w:][:w], d.bottom[k*w:][:w], d.best[:w], d.label[:w]
		for i, t := range top {
			if v := float32(p*t) + float32(q*bottom[i]); v > best[i] {
				best[i], label[i] = v, class
			}
		}
	}
}

// grow is s with length n; its content is lost.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
