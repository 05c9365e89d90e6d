package metrics

import "gonum.org/v1/gonum/floats"

// ExplainSummary is what the scores of a set of maps rest on.
type ExplainSummary struct {
	// Thresholds found; 0 where there is none.
	Best, BestOfEven, BestOfOdd float64
	// Curve is the foreground IoU, averaged over the classes that occur, at each threshold of the grid [Thresholds]; nil
	// if no class occurs. Its highest point is the score fg-mIoU.
	Curve []float64

	Maps     int
	Classes  int // that occur
	NaN      int // maps with pixels that are not numbers
	Constant int // maps of one value
	Tied     int // maps, not constant, whose maximum is attained more than once
	Full     int // maps whose mask leaves no pixel outside, which have no contrast
}

// SummarizeExplain sums up maps; even and odd images are those of even and odd number.
func SummarizeExplain(records []ExplainRecord, classes int) (ExplainSummary, error) {
	s := ExplainSummary{Maps: len(records)}
	if err := checkClasses(classes); err != nil {
		return s, err
	}
	all, halves := newExplainPool(classes), [2]*explainPool{newExplainPool(classes), newExplainPool(classes)}
	for _, r := range records {
		if err := r.check(classes); err != nil {
			return s, err
		}
		s.count(r)
		row := r.row()
		all.add(r.Class, row, 1)
		halves[r.Image%2].add(r.Class, row, 1)
	}
	for _, present := range all.present {
		if present {
			s.Classes++
		}
	}
	s.Curve = all.curve()
	k, _, _ := bestOf(s.Curve)
	s.Best = gridValue(k)
	even, _, _ := bestOf(halves[0].curve())
	odd, _, _ := bestOf(halves[1].curve())
	s.BestOfEven, s.BestOfOdd = gridValue(even), gridValue(odd)
	return s, nil
}

func (s *ExplainSummary) count(r ExplainRecord) {
	if r.NaN > 0 {
		s.NaN++
	}
	if r.Constant {
		s.Constant++
	} else if r.Peaks > 1 {
		s.Tied++
	}
	if total(r.Outside) == 0 {
		s.Full++
	}
}

func gridValue(k int) float64 { return float64(k) / Thresholds }

// above is the pixels of a map above the k-th threshold: inside of the mask, and all.
func (r ExplainRecord) above(k int) (inside, all int64) {
	for b := k + 1; b < levels; b++ {
		inside += int64(r.Inside[b])
		all += int64(r.Inside[b]) + int64(r.Outside[b])
	}
	return inside, all
}

// explainPool is the pixels of many maps by class, mask and level. They are whole numbers below 2^53,
// so their sums are exact in any order; floats, because gonum adds them faster.
type explainPool struct {
	present []bool
	pixels  []float64 // [classes][2][levels]: inside, outside
}

func newExplainPool(classes int) *explainPool {
	return &explainPool{make([]bool, classes), make([]float64, classes*2*levels)}
}

func (p *explainPool) clear() {
	clear(p.present)
	clear(p.pixels)
}

// row is a record's pixels as a pool adds them.
func (r ExplainRecord) row() []float64 {
	row := make([]float64, 0, 2*levels)
	for _, counts := range [][]uint32{r.Inside, r.Outside} {
		for _, n := range counts {
			row = append(row, float64(n))
		}
	}
	return row
}

func rowsOf(records []ExplainRecord) [][]float64 {
	rows := make([][]float64, len(records))
	for i, r := range records {
		rows[i] = r.row()
	}
	return rows
}

func (p *explainPool) add(class int, row []float64, times int32) {
	p.present[class] = true
	floats.AddScaled(p.pixels[class*2*levels:][:2*levels], float64(times), row)
}

// at cuts all maps at the k-th threshold.
func (p *explainPool) at(k int) Areas {
	a := newAreas(len(p.present))
	for c := range p.present {
		of := p.pixels[c*2*levels:][:2*levels]
		for b := range levels {
			a.Truth[c] += int64(of[b])
			if b > k {
				a.Intersection[c] += int64(of[b])
				a.Pred[c] += int64(of[b] + of[levels+b])
			}
		}
	}
	return a
}

// curve is the mean IoU over the classes that occur, at each threshold; nil if none does.
func (p *explainPool) curve() []float64 {
	var curve []float64
	n := 0
	for c, present := range p.present {
		if !present {
			continue
		}
		if curve == nil {
			curve = make([]float64, Thresholds)
		}
		n++
		of := p.pixels[c*2*levels:][:2*levels]
		addIoUs(curve, of[:levels], of[levels:])
	}
	for k := range curve {
		curve[k] /= float64(n)
	}
	return curve
}

// addIoUs adds the IoU at each threshold to a curve.
func addIoUs(curve, inside, outside []float64) {
	intersection, union := 0.0, floats.Sum(inside)
	for k := Thresholds - 1; k >= 0; k-- {
		intersection += inside[k+1]
		union += outside[k+1]
		curve[k] += intersection / union
	}
}

// bestOf is the highest point of a curve; ties, up to rounding, take the lowest threshold.
func bestOf(curve []float64) (k int, value float64, ok bool) {
	if curve == nil {
		return 0, 0, false
	}
	for i, v := range curve {
		if v > curve[k]+1e-12 {
			k = i
		}
	}
	return k, curve[k], true
}

// pixelAP is the step-wise average precision of all pixels, those of one level being one step.
func (p *explainPool) pixelAP() (float64, bool) {
	pixels := make([]float64, 2*levels)
	for c := range p.present {
		floats.Add(pixels, p.pixels[c*2*levels:][:2*levels])
	}
	inside, outside := pixels[:levels], pixels[levels:]
	truth := floats.Sum(inside)
	if truth == 0 {
		return 0, false
	}
	ap, hits, all := 0.0, 0.0, 0.0
	for b := levels - 1; b >= 0; b-- {
		hits += inside[b]
		all += inside[b] + outside[b]
		if inside[b] > 0 {
			ap += inside[b] * (hits / all)
		}
	}
	return min(1, ap/truth), true
}

// IoU is that of the foreground of this map alone, cut at the k-th threshold.
func (r ExplainRecord) IoU(k int) float64 {
	inside, all := r.above(k)
	return float64(inside) / float64(total(r.Inside)+all-inside)
}
