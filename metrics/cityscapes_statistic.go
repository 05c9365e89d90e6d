package metrics

import (
	"fmt"
	"slices"
)

// CityscapesStatistic is one of the scores of [Cityscapes] over resampled images, by name: mIoU, iIoU, mIoU_category or
// iIoU_category. The instance-weighted ones are undefined where the instances of some image were not looked for.
//
// Note: weights of instances are added as floats, image by image, where the accumulator adds integers by size; the two may
// differ in their last digits.
func CityscapesStatistic(records []CityscapesRecord, score string) (Statistic, error) {
	if !slices.Contains([]string{"mIoU", "iIoU", "mIoU_category", "iIoU_category"}, score) {
		return nil, fmt.Errorf("score %q of Cityscapes has no statistic", score)
	}
	sum := NewCityscapes()
	weights := make([][]labelWeight, len(records))
	for i, r := range records {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
		weights[i] = weightsOf(r.Instances)
		sum.images++
		if r.Weighted {
			sum.weighted++
		}
	}
	return func(times []int32) (float64, bool) {
		if len(times) != len(records) {
			return 0, false
		}
		clear(sum.pixels.cells)
		var w cityscapesWeights
		for i, n := range times {
			if n == 0 {
				continue
			}
			for _, c := range records[i].Pixels {
				sum.pixels.cells[int(c.Truth)*(cityscapesLabels+1)+int(c.Pred)] += int64(n) * c.Count
			}
			for _, x := range weights[i] {
				w.add(x, float64(n))
			}
		}
		for _, s := range sum.scores(&w) {
			if s.Name == score {
				return s.Value, true
			}
		}
		return 0, false
	}, nil
}

// labelWeight is the weighted pixels of the instances of one label in one image.
type labelWeight struct {
	label                int
	class, category, all float64
}

func weightsOf(instances []CityscapesInstance) []labelWeight {
	var out []labelWeight
	for _, x := range instances { // sorted by label
		label := int(x.ID) / cityscapesPerLabel
		if len(out) == 0 || out[len(out)-1].label != label {
			out = append(out, labelWeight{label: label})
		}
		size := CityscapesLabels[label].InstanceSize
		last := &out[len(out)-1]
		last.class += size / float64(x.Size) * float64(x.Class)
		last.category += size / float64(x.Size) * float64(x.Category)
		last.all += size
	}
	return out
}
