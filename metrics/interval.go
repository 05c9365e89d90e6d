package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Bootstrap is the percentile interval of a statistic over resampled images: b times, len(records)
// images are drawn with replacement, their areas added as integers, and stat evaluated on the
// sums; the interval holds the middle share level (0.95, say) of the values. Images and not
// classes or pixels are drawn, because those of one image depend on each other; it is how the
// PASCAL VOC organisers compare methods (Everingham et al., "The PASCAL Visual Object Classes
// Challenge: A Retrospective", IJCV 2015).
//
// Resamples for which stat is undefined are left out. ok is false where none is left, where a
// record does not fit classes, or level lies outside (0, 1). The same seed gives the same
// interval. stat must not keep its argument.
func Bootstrap(records []Sparse, classes, b int, seed uint64, level float64, stat func(Areas) (float64, bool)) (lo, hi float64, ok bool) {
	if len(records) == 0 || b < 1 || !(level > 0 && level < 1) || stat == nil {
		return 0, 0, false
	}
	images, ok := imageAreas(records, classes)
	if !ok {
		return 0, 0, false
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	drawn := make([]int64, len(images))
	sum := newAreas(classes)
	var values []float64
	for range b {
		clear(drawn)
		for range drawn {
			drawn[rng.Uint64N(uint64(len(drawn)))]++
		}
		clear(sum.Intersection)
		clear(sum.Truth)
		clear(sum.Pred)
		for i, times := range drawn {
			if times > 0 {
				images[i].addTo(sum, times)
			}
		}
		if v, ok := stat(sum); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, 0, false
	}
	slices.Sort(values)
	tail := (1 - level) / 2
	return quantile(values, tail), quantile(values, 1-tail), true
}

// classArea is the part of one class in one image. Most images have few classes.
type classArea struct {
	class                     int
	intersection, truth, pred int64
}

type imageArea []classArea

func (a imageArea) addTo(sum Areas, times int64) {
	for _, c := range a {
		sum.Intersection[c.class] += times * c.intersection
		sum.Truth[c.class] += times * c.truth
		sum.Pred[c.class] += times * c.pred
	}
}

// imageAreas reduces records to what pooled scores need.
func imageAreas(records []Sparse, classes int) ([]imageArea, bool) {
	one, err := NewConfusion(classes)
	if err != nil {
		return nil, false
	}
	out := make([]imageArea, len(records))
	for r, record := range records {
		clear(one.cells)
		one.total = 0
		if one.Add(record) != nil {
			return nil, false
		}
		a := one.areas()
		for c := range classes {
			if a.Truth[c] > 0 || a.Pred[c] > 0 {
				out[r] = append(out[r], classArea{c, a.Intersection[c], a.Truth[c], a.Pred[c]})
			}
		}
	}
	return out, true
}

// quantile interpolates linearly between sorted values at position q*(n-1), as numpy.quantile
// does by default.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
