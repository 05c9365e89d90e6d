package metrics

import (
	"errors"
	"fmt"
	"math"
)

// Thresholds is the size of the grid on which explainability maps are cut: 0.00, 0.01 … 0.99.
const Thresholds = 100

// levels a value can have: how many thresholds lie below it.
const levels = Thresholds + 1

// Threshold is the k-th of the grid as maps are compared with it, strictly: a value written 0.30
// is not above the threshold 0.30.
func Threshold(k int) float32 { return float32(k) / Thresholds }

// ExplainRecord is what the map of one class present in one image contributes: enough to cut the
// map at any threshold of the grid. It is a value to be stored.
type ExplainRecord struct {
	Image int `json:"image"` // index in the data set
	Class int `json:"class"`
	// Pixels by level: element b counts those above exactly b thresholds of the grid.
	Inside  []uint32 `json:"inside"`
	Outside []uint32 `json:"outside"` // void left out
	// Mean map value inside and outside of the mask; 0 where there is no pixel.
	MeanInside  float64 `json:"mean_inside"`
	MeanOutside float64 `json:"mean_outside"`
	Otsu        int     `json:"otsu"`  // the index of Otsu's threshold in the grid
	Peaks       int     `json:"peaks"` // pixels that share the maximum
	NaN         int     `json:"nan,omitempty"`
	Constant    bool    `json:"constant,omitempty"` // all pixels have one value, those that are not numbers being 0
}

// slack is how far rounding in a resize may carry a map out of 0..1.
const slack = 1e-4

// Explain scores the map of one class present in an image: score is the map at the size of the
// image, normalised to 0..1; mask says where the class is. Void pixels are left out of everything
// but Otsu's threshold, which does not know the truth. Pixels that are not numbers count as 0. Values
// outside 0..1 and masks without the class are errors.
func Explain(score []float32, mask []uint8, image, class int) (ExplainRecord, error) {
	if err := checkMap(score, mask); err != nil {
		return ExplainRecord{}, err
	}
	if !hasInside(mask) {
		return ExplainRecord{}, fmt.Errorf(
			"class %d has no pixel in image %d; maps are scored for classes that are present", class, image)
	}
	var e explainer
	e.low = oneBits
	for i := 0; i < len(mask); {
		n := run(mask[i:])
		e.add(min(mask[i], Void), score[i:i+n])
		i += n
	}
	if e.bad {
		return ExplainRecord{}, badMapValue(score)
	}
	all := make([]uint32, 2*levels)
	r := ExplainRecord{
		Image: image, Class: class,
		Inside: all[:levels:levels], Outside: all[levels:],
		Peaks: e.peaks, NaN: e.nan, Constant: e.low == e.high,
	}
	var whole [levels]uint32
	for b := range levels {
		r.Inside[b], r.Outside[b] = e.count(Inside, b), e.count(Outside, b)
		whole[b] = r.Inside[b] + r.Outside[b] + e.count(Void, b)
	}
	r.MeanInside = meanOfSum(e.sum[Inside], r.Inside)
	r.MeanOutside = meanOfSum(e.sum[Outside], r.Outside)
	r.Otsu = otsu(&whole)
	return r, nil
}

func meanOfSum(sum float64, pixels []uint32) float64 {
	if n := total(pixels); n > 0 {
		return min(1, sum/float64(n))
	}
	return 0
}

func total(counts []uint32) (n int64) {
	for _, c := range counts {
		n += int64(c)
	}
	return n
}

// explainer sorts the pixels of one map by mask value and level. Two histograms take turns, so that
// an increment need not wait for the one before it in the same bin.
type explainer struct {
	hist       [3][2][128]uint32
	sum        [3]float64
	low, high  uint32 // extremes, as float32 bits
	peaks, nan int
	bad        bool // a value lies outside 0..1
}

func (e *explainer) count(kind uint8, level int) uint32 {
	return e.hist[kind][0][level] + e.hist[kind][1][level]
}

const oneBits = 0x3f800000 // math.Float32bits(1)

// levelStep finds the level of a value in 1/128 <= 1/Thresholds wide steps, none of which holds more
// than one threshold. Non-negative floats are ordered as their bits are.
type levelStep struct {
	bits uint32 // of the threshold in the step, or of one that no value exceeds
	base uint32 // thresholds below the step
}

var levelSteps = func() (steps [256]levelStep) {
	k := 0
	for i := range steps {
		steps[i] = levelStep{oneBits, uint32(k)}
		if k < Thresholds && Threshold(k) < float32(i+1)/128 {
			steps[i].bits = math.Float32bits(Threshold(k))
			k++
		}
	}
	return steps
}()

// add takes in a stretch of pixels of one mask value.
func (e *explainer) add(kind uint8, score []float32) {
	even, odd := &e.hist[kind][0], &e.hist[kind][1]
	low, high, peaks := e.low, e.high, e.peaks
	var sum0, sum1 float64
	for len(score) >= 2 {
		v0, v1 := score[0], score[1]
		score = score[2:]
		b0, b1 := math.Float32bits(v0), math.Float32bits(v1)
		if max(b0, b1) > oneBits {
			v0, v1 = e.repair(v0), e.repair(v1)
			b0, b1 = math.Float32bits(v0), math.Float32bits(v1)
		}
		even[levelOf(v0, b0)]++
		odd[levelOf(v1, b1)]++
		sum0 += float64(v0)
		sum1 += float64(v1)
		low = min(low, b0, b1)
		if max(b0, b1) >= high {
			high, peaks = peak(high, peaks, b0)
			high, peaks = peak(high, peaks, b1)
		}
	}
	for _, v := range score {
		v = e.repair(v)
		bits := math.Float32bits(v)
		even[levelOf(v, bits)]++
		sum0 += float64(v)
		low = min(low, bits)
		high, peaks = peak(high, peaks, bits)
	}
	e.low, e.high, e.peaks = low, high, peaks
	e.sum[kind] += sum0 + sum1
}

// levelOf is the number of thresholds below v in 0..1, whose bits are given.
func levelOf(v float32, bits uint32) uint32 {
	step := levelSteps[uint8(int32(v*128))]
	return (step.base + (step.bits-bits)>>31) & 127
}

// peak counts a value towards those at the maximum.
func peak(high uint32, peaks int, bits uint32) (uint32, int) {
	if bits > high {
		return bits, 1
	}
	if bits == high {
		peaks++
	}
	return high, peaks
}

// repair brings a value into 0..1.
func (e *explainer) repair(v float32) float32 {
	switch {
	case v != v:
		e.nan++
		return 0
	case v < -slack || v > 1+slack:
		e.bad = true
	}
	return max(0, min(v, 1)) + 0 // not -0
}

func badMapValue(score []float32) error {
	for i, v := range score {
		if v < -slack || v > 1+slack {
			return fmt.Errorf("map value %g at pixel %d lies outside 0..1; normalise the map first", v, i)
		}
	}
	return errors.New("map values outside 0..1")
}

// otsu is the threshold of the grid that maximises the variance between the pixels above and below
// it, a pixel being as bright as its level; ties take the lowest, a map of one level 0. N. Otsu, "A
// threshold selection method from gray-level histograms", IEEE Trans. SMC 9(1), 1979.
func otsu(pixels *[levels]uint32) int {
	var n, sum int64
	for b, c := range pixels {
		n += int64(c)
		sum += int64(b) * int64(c)
	}
	best, at := 0.0, 0
	var below, sumBelow int64
	for k := range Thresholds {
		below += int64(pixels[k])
		sumBelow += int64(k) * int64(pixels[k])
		if below == 0 || below == n {
			continue
		}
		d := float64(sumBelow)/float64(below) - float64(sum-sumBelow)/float64(n-below)
		if v := float64(below) * float64(n-below) * d * d; v > best {
			best, at = v, k
		}
	}
	return at
}

// check refuses records that Explain cannot have made, as a damaged file may hold.
func (r ExplainRecord) check(classes int) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("map of class %d in image %d: %s", r.Class, r.Image, fmt.Sprintf(format, args...))
	}
	fraction := func(v float64) bool { return v >= 0 && v <= 1 }
	switch {
	case r.Class < 0 || r.Class >= classes:
		return bad("there are %d classes", classes)
	case r.Image < 0:
		return bad("negative image")
	case len(r.Inside) != levels || len(r.Outside) != levels:
		return bad("%d and %d levels, want %d", len(r.Inside), len(r.Outside), levels)
	case total(r.Inside) == 0:
		return bad("no pixel inside the mask")
	case total(r.Inside)+total(r.Outside) > maxPixels:
		return bad("more than %d pixels", maxPixels)
	case !fraction(r.MeanInside) || !fraction(r.MeanOutside):
		return bad("means %v and %v lie outside 0..1", r.MeanInside, r.MeanOutside)
	case r.Otsu < 0 || r.Otsu >= Thresholds:
		return bad("threshold %d of %d", r.Otsu, Thresholds)
	}
	return nil
}
