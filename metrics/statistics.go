package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Statistic is a score of a set of images in which image i appears d.Times[i] times; ok is false where
// it is undefined, as for another number of images than it was made for. All that is chosen on the data,
// such as a threshold, is chosen anew in each call. It must not keep or change its argument.
// One goroutine at a time may call it.
type Statistic func(d Draw) (value float64, ok bool)

// Once is the score of the images as they are, each counted one time.
func (s Statistic) Once(images int) (value float64, ok bool) {
	return s(Draw{Times: slices.Repeat([]int32{1}, images)})
}

// ofImages is a score of that many images, undefined for another number.
func ofImages(images int, score Statistic) Statistic {
	return func(d Draw) (float64, bool) {
		if len(d.Times) != images {
			return 0, false
		}
		return score(d)
	}
}

// pool sums what images contribute, any number of times each, and knows scores of the sum.
type pool[R any] interface {
	clear()
	add(r R, times int64)
	Scores() []Score
}

// pooled is one score of a pool, by name: image says of which image the i-th record is.
func pooled[R any](p pool[R], records []R, images int, image func(i int) int, score string) Statistic {
	return ofImages(images, func(d Draw) (float64, bool) {
		p.clear()
		for i, r := range records {
			if n := d.Times[image(i)]; n > 0 {
				p.add(r, int64(n))
			}
		}
		for _, s := range p.Scores() {
			if s.Name == score {
				return s.Value, true
			}
		}
		return 0, false
	})
}

// same is the image of a record where there is one of each.
func same(i int) int { return i }

// known refuses a name that is none of those listed.
func known(score string, scores ...string) error {
	if !slices.Contains(scores, score) {
		return fmt.Errorf("score %q is not known here; known are %s", score, strings.Join(scores, ", "))
	}
	return nil
}

// Interval is a percentile interval from resampled images.
type Interval struct {
	Estimate  float64 // of the images as they are
	Low, High float64
	Resamples int // that count
	Undefined int // that were left out, the statistic being undefined
}

// Resample is the percentile interval of a statistic over images: b times, as many images as there
// are are drawn with replacement; the interval holds the middle share level (0.95, say) of the
// values. The same seed gives the same draws, for every statistic. Images and not classes or pixels are
// drawn, because those of one image depend on each other; it is how the PASCAL VOC organisers compare
// methods (Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", IJCV 2015).
// Resamples for which stat is undefined are left out. For a paired comparison of two methods give it
// their [Difference].
func Resample(images, b int, seed uint64, level float64, stat Statistic) (Interval, error) {
	all, err := ResampleAll(NewLots(images, seed), b, level, []Statistic{stat})
	switch {
	case err != nil:
		return Interval{}, err
	case all[0].Resamples+all[0].Undefined == 0:
		return Interval{}, fmt.Errorf("the statistic is undefined on the %d images", images)
	case all[0].Resamples == 0:
		return Interval{}, fmt.Errorf("the statistic is undefined on all of %d resamples", b)
	}
	return all[0], nil
}

// ResampleAll is [Resample] by the draws of lots for several statistics, which see the same draws one after the other.
// Statistics of one [AreaPool] sum a draw once. A statistic that is undefined on the images themselves is not resampled.
func ResampleAll(lots *Lots, b int, level float64, stats []Statistic) ([]Interval, error) {
	switch {
	case lots.images < 1 || lots.images > maxPixels:
		return nil, fmt.Errorf("%d images to draw from", lots.images)
	case b < 1:
		return nil, fmt.Errorf("%d resamples", b)
	case !(level > 0 && level < 1):
		return nil, fmt.Errorf("interval of level %v, want one between 0 and 1", level)
	}
	out := make([]Interval, len(stats))
	values := make([][]float64, len(stats)) // nil of those that are not resampled
	for i, stat := range stats {
		if estimate, ok := stat.Once(lots.images); ok {
			out[i].Estimate, values[i] = estimate, make([]float64, 0, b)
		}
	}
	fill, draws := lots.first(b), newDraws(lots.images)
	for first := 0; first < b; first += together {
		for _, d := range draws.next(min(together, b-first), fill) {
			for i, stat := range stats {
				if values[i] == nil {
					continue
				}
				if v, ok := stat(d); ok {
					values[i] = append(values[i], v)
				}
			}
		}
	}
	tail := (1 - level) / 2
	for i, v := range values {
		if v == nil {
			continue
		}
		out[i].Resamples, out[i].Undefined = len(v), b-len(v)
		if len(v) > 0 {
			slices.Sort(v)
			out[i].Low, out[i].High = quantile(v, tail), quantile(v, 1-tail)
		}
	}
	return out, nil
}

// quantile interpolates linearly between sorted values at position q*(n-1), as numpy.quantile
// does by default.
//
// Note: gonum's stat.Quantile has two other rules, the value at or above rank q*n and linear interpolation between
// ranks q*n; for n of some thousands they differ in the fourth digit.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// Difference is a minus b on the same images: the statistic of a paired comparison.
func Difference(a, b Statistic) Statistic {
	return func(d Draw) (float64, bool) {
		x, ok := a(d)
		if !ok {
			return 0, false
		}
		y, ok := b(d)
		return x - y, ok
	}
}

// MeanStatistic is the mean of a value per image, of those that have one: NaN is none. It keeps the slice.
func MeanStatistic(values []float64) Statistic {
	return ofImages(len(values), func(d Draw) (float64, bool) {
		sum, n := 0.0, 0
		for i, v := range values {
			if v == v {
				sum += float64(d.Times[i]) * v
				n += int(d.Times[i])
			}
		}
		return sum / float64(max(1, n)), n > 0
	})
}

// bestThresholdStatistic is fg-mIoU of the maps of that many images, the threshold searched anew in
// each resample: one found once would make the interval too narrow.
func bestThresholdStatistic(records []ExplainRecord, images, classes int) Statistic {
	rows, pool := rowsOf(records), newExplainPool(classes)
	return ofImages(images, func(d Draw) (float64, bool) {
		pool.clear()
		for i, r := range records {
			if n := d.Times[r.Image]; n > 0 {
				pool.add(r.Class, rows[i], n)
			}
		}
		_, v, ok := bestOf(pool.curve())
		return v, ok
	})
}

// checkRecords refuses records that are faulty or not of one of the images.
func checkRecords[R any](records []R, images int, check func(R) (image int, err error)) error {
	for _, r := range records {
		image, err := check(r)
		if err != nil {
			return err
		}
		if image < 0 || image >= images {
			return fmt.Errorf("a record of image %d, but there are %d images", image, images)
		}
	}
	return nil
}
