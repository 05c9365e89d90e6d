package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Order lists pixels from the most to the least salient. Equal values stand in reversed row-major
// order: what RISE gets by flipping an ascending sort, were its sort stable. Values that are not
// numbers are errors.
func Order(saliency []float32) ([]int32, error) {
	if len(saliency) > maxPixels {
		return nil, fmt.Errorf("a map of %d pixels, more than one image may have (%d)", len(saliency), maxPixels)
	}
	keys := make([]uint64, len(saliency)) // (value as an ordered integer, pixel)
	for i, v := range saliency {
		if v != v {
			return nil, fmt.Errorf("saliency at pixel %d is not a number", i)
		}
		bits := math.Float32bits(v + 0) // -0 is 0
		if bits>>31 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 31
		}
		keys[i] = uint64(bits)<<32 | uint64(i)
	}
	slices.Sort(keys)
	order := make([]int32, len(keys))
	for i, k := range keys {
		order[len(order)-1-i] = int32(k)
	}
	return order, nil
}

// LeastFirst is the order of a negative test: that of the negated map. It is not the reverse of
// [Order] where values are equal.
func LeastFirst(saliency []float32) ([]int32, error) {
	negated := make([]float32, len(saliency))
	for i, v := range saliency {
		negated[i] = -v
	}
	return Order(negated)
}

// RISESchedule is the number of pixels changed at each point of a curve by Petsiuk et al., "RISE",
// BMVC 2018: 0, step, 2 step … and all. Their steps are 224 and 8*224 of 224*224 pixels.
func RISESchedule(pixels, step int) ([]int, error) {
	if pixels < 1 || pixels > maxPixels || step < 1 {
		return nil, fmt.Errorf("steps of %d of %d pixels", step, pixels)
	}
	var at []int
	for k := 0; k < pixels; k += step {
		at = append(at, k)
	}
	return append(at, pixels), nil
}

// GradECLIPSchedule is that of Zhao et al., "Gradient-based Visual Explanation for Transformer-based
// CLIP", ICML 2024, as in their scripts: 100 steps of max(1, pixels/200) pixels, of which every tenth
// is scored. So half of the pixels are never changed. Deletion begins with the image; insertion lacks
// the empty canvas and ends with the whole image, as if all pixels had been inserted. Both have 11
// points.
func GradECLIPSchedule(pixels int, insertion bool) ([]int, error) {
	if pixels < 1 || pixels > maxPixels {
		return nil, fmt.Errorf("a schedule for %d pixels", pixels)
	}
	const steps, every = 100, 10
	once := max(1, pixels/(2*steps))
	var at []int
	for step := every; step <= steps; step += every {
		at = append(at, min(step*once, pixels))
	}
	if insertion {
		return append(at, pixels), nil
	}
	return append([]int{0}, at...), nil
}

// CheferSchedule is that of the perturbation test of Chefer et al., CVPR 2021: 10 %, 20 % … 90 % of
// the pixels, fractions cut off; the unchanged image is no point of the curve.
func CheferSchedule(pixels int) ([]int, error) {
	if pixels < 1 || pixels > maxPixels {
		return nil, fmt.Errorf("a schedule for %d pixels", pixels)
	}
	var at []int
	for _, share := range []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9} {
		at = append(at, int(float64(pixels)*share))
	}
	return at, nil
}

// Perturb copies the pixels listed in order from one image to another; both are [channels, pixels].
// It panics if order names other pixels; see [Perturbation] for sequences that are checked.
func Perturb(image, from []float32, pixels int, order []int32) {
	for plane := 0; plane < len(image); plane += pixels {
		to, of := image[plane:plane+pixels], from[plane:plane+pixels]
		for _, i := range order {
			to[i] = of[i]
		}
	}
}

// Perturbation is a sequence of images between two: at each point of the schedule that many pixels
// of Start, the first in Order, have been replaced by those of Finish. Deletion starts with the image
// and finishes with the substrate, insertion the other way round. It is not changed by its methods
// and may be shared.
type Perturbation struct {
	Start, Finish []float32 // [channels, pixels]
	Order         []int32   // each pixel once: see [Order]
	Schedule      []int     // ascending, at most the number of pixels
}

// Scorer gives the score of each image, such as the softmax probability of one class, the same for
// all: RISE takes the first one of the unchanged image. It must neither keep nor change the images.
type Scorer func(images [][]float32) ([]float64, error)

// Curve scores the images of the sequence, batch at a time.
func (p Perturbation) Curve(batch int, score Scorer) ([]float64, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("batches of %d images", batch)
	}
	batch = min(batch, len(p.Schedule))
	images := make([][]float32, batch)
	for i := range images {
		images[i] = make([]float32, len(p.Start))
	}
	curve := make([]float64, 0, len(p.Schedule))
	last, done := p.Start, 0
	for at := p.Schedule; len(at) > 0; {
		n := min(batch, len(at))
		for i, k := range at[:n] {
			copy(images[i], last)
			Perturb(images[i], p.Finish, len(p.Order), p.Order[done:k])
			last, done = images[i], k
		}
		scores, err := score(images[:n])
		if err != nil {
			return nil, err
		}
		if len(scores) != n {
			return nil, fmt.Errorf("%d scores of %d images", len(scores), n)
		}
		curve = append(curve, scores...)
		at = at[n:]
	}
	return curve, nil
}

func (p Perturbation) check() error {
	pixels := len(p.Order)
	if pixels == 0 || len(p.Start) == 0 || len(p.Start)%pixels != 0 || len(p.Start) != len(p.Finish) {
		return fmt.Errorf("images of %d and %d values with an order of %d pixels", len(p.Start), len(p.Finish), pixels)
	}
	seen := make([]bool, pixels)
	for _, i := range p.Order {
		if i < 0 || int(i) >= pixels || seen[i] {
			return fmt.Errorf("the order of %d pixels names pixel %d twice, or it is none of them", pixels, i)
		}
		seen[i] = true
	}
	for i, k := range p.Schedule {
		if k < 0 || k > pixels || i > 0 && k < p.Schedule[i-1] {
			return fmt.Errorf("point %d of the schedule changes %d of %d pixels, or fewer than the one before", i, k, pixels)
		}
	}
	return nil
}

// AUC is the area under a curve whose points are equally spaced on 0..1, by the trapezoid rule; a
// single point is undefined. For deletion a low one is good, for insertion a high one.
func AUC(scores []float64) (float64, bool) {
	n := len(scores)
	if n < 2 {
		return 0, false
	}
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	return (sum - scores[0]/2 - scores[n-1]/2) / float64(n-1), true
}

// FaithRecord is the curves of one image; either may be missing.
type FaithRecord struct {
	Image     int       `json:"image"`
	Deletion  []float64 `json:"deletion,omitempty"`
	Insertion []float64 `json:"insertion,omitempty"`
}

// Faithfulness is the accumulator of [FaithRecord]s. The zero value is ready. It may be used by one
// goroutine at a time.
type Faithfulness struct {
	deletion, insertion [][]float64
}

// Add adds the curves of one image: probabilities or hits, two points at least and as many as those
// added before.
func (f *Faithfulness) Add(r FaithRecord) error {
	for _, c := range []struct {
		name      string
		curve     []float64
		collected [][]float64
	}{{"deletion", r.Deletion, f.deletion}, {"insertion", r.Insertion, f.insertion}} {
		if c.curve == nil {
			continue
		}
		if len(c.curve) < 2 || len(c.collected) > 0 && len(c.collected[0]) != len(c.curve) {
			return fmt.Errorf("the %s curve of image %d has %d points; one schedule of two points or more is wanted for all images", c.name, r.Image, len(c.curve))
		}
		for _, v := range c.curve {
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("the %s curve of image %d has the value %v, not a probability", c.name, r.Image, v)
			}
		}
	}
	if r.Deletion != nil {
		f.deletion = append(f.deletion, r.Deletion)
	}
	if r.Insertion != nil {
		f.insertion = append(f.insertion, r.Insertion)
	}
	return nil
}

// Merge adds the curves of another accumulator, of the same schedule.
func (f *Faithfulness) Merge(other *Faithfulness) error {
	for _, pair := range [][2][][]float64{{f.deletion, other.deletion}, {f.insertion, other.insertion}} {
		if len(pair[0]) > 0 && len(pair[1]) > 0 && len(pair[0][0]) != len(pair[1][0]) {
			return fmt.Errorf("curves of %d and %d points cannot be merged", len(pair[0][0]), len(pair[1][0]))
		}
	}
	f.deletion = append(f.deletion, other.deletion...)
	f.insertion = append(f.insertion, other.insertion...)
	return nil
}

// Scores are "deletion", for which low is good, and "insertion": means over the images of the area
// under the curve.
func (f *Faithfulness) Scores() []Score {
	var out []Score
	for _, c := range []struct {
		name   string
		curves [][]float64
	}{{"deletion", f.deletion}, {"insertion", f.insertion}} {
		areas := make([]float64, len(c.curves))
		for i, curve := range c.curves {
			areas[i], _ = AUC(curve)
		}
		if mean, ok := sortedMean(areas); ok {
			out = append(out, Score{c.name, min(1, mean)})
		}
	}
	return out
}

// MeanCurves are the means over the images, point by point; nil without images. They are what papers
// draw, and their AUC is the score.
func (f *Faithfulness) MeanCurves() (deletion, insertion []float64) {
	return meanCurve(f.deletion), meanCurve(f.insertion)
}

func meanCurve(curves [][]float64) []float64 {
	if len(curves) == 0 {
		return nil
	}
	mean := make([]float64, len(curves[0]))
	at := make([]float64, len(curves))
	for k := range mean {
		for i, c := range curves {
			at[i] = c[k]
		}
		mean[k], _ = sortedMean(at)
	}
	return mean
}
