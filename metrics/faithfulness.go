package metrics

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/integrate"
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
	if len(scores) < 2 {
		return 0, false
	}
	return integrate.Trapezoidal(floats.Span(make([]float64, len(scores)), 0, 1), scores), true
}

// CheckCurves refuses curves of images that are not probabilities or hits at the points of one schedule, two at least.
func CheckCurves(curves [][]float64) error {
	for i, curve := range curves {
		if len(curve) < 2 || len(curve) != len(curves[0]) {
			return fmt.Errorf(
				"the curve of image %d has %d points; one schedule of two points or more is wanted for all images", i, len(curve))
		}
		for _, v := range curve {
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("the curve of image %d has the value %v, not a probability", i, v)
			}
		}
	}
	return nil
}

// MeanCurve is the mean of curves of one schedule, point by point; nil without any. It is what papers draw, and its AUC
// is the mean of theirs.
func MeanCurve(curves [][]float64) []float64 {
	if len(curves) == 0 {
		return nil
	}
	mean := make([]float64, len(curves[0]))
	for _, c := range curves {
		floats.Add(mean, c)
	}
	floats.Scale(1/float64(len(curves)), mean)
	return mean
}
