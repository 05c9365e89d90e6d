package metrics

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Explainability is the accumulator of [ExplainRecord]s: how well do the maps of the classes present
// in an image cover them, each class for itself? Make one with [NewExplainability]. It may be used by
// one goroutine at a time.
//
// The task is that of CLIP Surgery's explainability tables (Li et al., arXiv 2304.05653, section
// 5.1). Its authors searched the threshold per method and did not publish the evaluation, so the
// definition is ours: a pixel is foreground above a threshold that is common to all classes; pixels
// are pooled per class; classes that occur count alike.
//
// Note: this mIoU is not that of segmentation, where the classes compete for each pixel.
type Explainability struct {
	classes int
	records []ExplainRecord
}

// NewExplainability makes an empty accumulator of 1..MaxClasses classes.
func NewExplainability(classes int) (*Explainability, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	return &Explainability{classes: classes}, nil
}

// Add adds the map of one image and class. The record must not be changed afterwards.
func (e *Explainability) Add(r ExplainRecord) error {
	if err := r.check(e.classes); err != nil {
		return err
	}
	e.records = append(e.records, r)
	return nil
}

// Merge adds all maps of another accumulator.
func (e *Explainability) Merge(other *Explainability) error {
	if other.classes != e.classes {
		return fmt.Errorf("maps of %d and %d classes cannot be merged", e.classes, other.classes)
	}
	e.records = append(e.records, other.records...)
	return nil
}

// ExplainSummary is everything a set of maps is scored by.
type ExplainSummary struct {
	// Scores, without those that are undefined. All but the mSC pair lie in 0..1.
	//
	//	fg-mIoU             at the best threshold of the grid, found on these very images
	//	fg-mIoU@other-half  each half of the images (even and odd indices) cut at the best threshold
	//	                    of the other half, pooled
	//	fg-mIoU@0.5         at the threshold 0.50
	//	fg-mIoU@otsu        each map at its own Otsu threshold
	//	fg-mIoU-image       IoU per map, averaged per class, then over classes, at its best threshold
	//	PxAP                average precision of the pixels of all maps pooled, those of one level
	//	                    together: Choe et al., CVPR 2020, section 3.2
	//	mSC                 mean inside minus mean outside of the mask, averaged per class, then over
	//	                    classes; in -1..1
	//	mSC-pairs           the same averaged over all maps alike
	Scores []Score

	// Thresholds found; 0 where the score is undefined.
	Best, BestOfEven, BestOfOdd, BestImage float64

	Maps     int
	Classes  int // that occur
	NaN      int // maps with pixels that are not numbers
	Constant int // maps of one value
	Tied     int // maps, not constant, whose maximum is attained more than once
	Full     int // maps whose mask leaves no pixel outside, which have no contrast
}

// Scores are those of the summary.
func (e *Explainability) Scores() []Score { return e.Summary().Scores }

// Summary scores all maps. Floats are added in the order of classes and images.
func (e *Explainability) Summary() ExplainSummary {
	records := inOrder(e.records, ExplainRecord.compare)
	s := ExplainSummary{Maps: len(records)}
	add := func(name string, value float64, ok bool) {
		if ok {
			s.Scores = append(s.Scores, Score{name, value})
		}
	}
	even, odd := newExplainPool(e.classes), newExplainPool(e.classes)
	cut := newAreas(e.classes) // at Otsu's thresholds
	for _, r := range records {
		s.count(r)
		pool := even
		if r.Image%2 == 1 {
			pool = odd
		}
		pool.add(r.Class, r.row(), 1)
		i, p := r.above(r.Otsu)
		cut.Intersection[r.Class] += i
		cut.Pred[r.Class] += p
		cut.Truth[r.Class] += total(r.Inside)
	}
	all := newExplainPool(e.classes)
	all.merge(even)
	all.merge(odd)
	for _, present := range all.present {
		if present {
			s.Classes++
		}
	}
	curve := all.curve()
	k, value, ok := bestOf(curve)
	s.Best = gridValue(k)
	add("fg-mIoU", value, ok)
	if kEven, _, ok := bestOf(even.curve()); ok {
		s.BestOfEven = gridValue(kEven)
		if kOdd, _, ok := bestOf(odd.curve()); ok {
			s.BestOfOdd = gridValue(kOdd)
			a := even.at(kOdd)
			a.add(odd.at(kEven))
			value, ok := a.mean(iouOfSeen)
			add("fg-mIoU@other-half", value, ok)
		}
	}
	if ok {
		add("fg-mIoU@0.5", curve[Thresholds/2], true)
	}
	value, ok = cut.mean(iouOfSeen)
	add("fg-mIoU@otsu", value, ok)
	k, value, ok = bestOf(imageCurve(records))
	s.BestImage = gridValue(k)
	add("fg-mIoU-image", value, ok)
	value, ok = all.pixelAP()
	add("PxAP", value, ok)
	perClass, perMap, ok := contrast(records)
	add("mSC", perClass, ok)
	add("mSC-pairs", perMap, ok)
	return s
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

func (p *explainPool) add(class int, row []float64, times int32) {
	p.present[class] = true
	floats.AddScaled(p.pixels[class*2*levels:][:2*levels], float64(times), row)
}

func (p *explainPool) merge(q *explainPool) {
	floats.Add(p.pixels, q.pixels)
	for c, present := range q.present {
		p.present[c] = p.present[c] || present
	}
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
		addIoUs(curve, of[:levels], of[levels:], 1)
	}
	for k := range curve {
		curve[k] /= float64(n)
	}
	return curve
}

// addIoUs adds weight times the IoU at each threshold to a curve.
func addIoUs(curve, inside, outside []float64, weight float64) {
	intersection, union := 0.0, floats.Sum(inside)
	for k := Thresholds - 1; k >= 0; k-- {
		intersection += inside[k+1]
		union += outside[k+1]
		curve[k] += weight * (intersection / union)
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

// imageCurve averages the IoU of the maps of each class, then those of the classes. Records are
// sorted by class.
func imageCurve(records []ExplainRecord) []float64 {
	if len(records) == 0 {
		return nil
	}
	curve := make([]float64, Thresholds)
	classes := 0
	for of := range byClass(records) {
		classes++
		for _, r := range of {
			row := r.row()
			addIoUs(curve, row[:levels], row[levels:], 1/float64(len(of)))
		}
	}
	for k := range curve {
		curve[k] = min(1, curve[k]/float64(classes))
	}
	return curve
}

// byClass yields the stretches of records of one class.
func byClass(records []ExplainRecord) func(yield func([]ExplainRecord) bool) {
	return func(yield func([]ExplainRecord) bool) {
		for len(records) > 0 {
			n := 1
			for n < len(records) && records[n].Class == records[0].Class {
				n++
			}
			if !yield(records[:n]) {
				return
			}
			records = records[n:]
		}
	}
}

// contrast is the mean score contrast, over classes and over maps.
func contrast(records []ExplainRecord) (perClass, perMap float64, ok bool) {
	maps, classes := 0, 0
	for of := range byClass(records) {
		sum, n := 0.0, 0
		for _, r := range of {
			if total(r.Outside) > 0 {
				sum += r.MeanInside - r.MeanOutside
				n++
			}
		}
		if n > 0 {
			perClass += sum / float64(n)
			classes++
		}
		perMap += sum
		maps += n
	}
	if maps == 0 {
		return 0, 0, false
	}
	return perClass / float64(classes), perMap / float64(maps), true
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

// inOrder is a sorted copy. Floats of records are added in that order, so that the sum does not
// depend on the order the records came in.
func inOrder[R any](records []R, compare func(a, b R) int) []R {
	records = slices.Clone(records)
	slices.SortFunc(records, compare)
	return records
}

// IoU is that of the foreground of this map alone, cut at the k-th threshold.
func (r ExplainRecord) IoU(k int) float64 {
	inside, all := r.above(k)
	return float64(inside) / float64(total(r.Inside)+all-inside)
}
