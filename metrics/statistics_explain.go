package metrics

import (
	"cmp"
	"fmt"
	"slices"
)

// ExplainStatistic is one of the scores of [ExplainSummary] over that many images, by name: all but fg-mIoU-image and
// fg-mIoU@other-half, for which see [OtherHalfStatistic]. Thresholds are searched anew in each resample.
func ExplainStatistic(records []ExplainRecord, images, classes int, score string) (Statistic, error) {
	switch score {
	case "fg-mIoU":
		return BestThresholdStatistic(records, images, classes)
	case "fg-mIoU@0.5":
		return cutStatistic(records, images, classes, func(ExplainRecord) int { return Thresholds / 2 })
	case "fg-mIoU@otsu":
		return cutStatistic(records, images, classes, func(r ExplainRecord) int { return r.Otsu })
	case "PxAP":
		return pixelAPStatistic(records, images, classes)
	case "mSC":
		return contrastStatistic(records, images, classes, true)
	case "mSC-pairs":
		return contrastStatistic(records, images, classes, false)
	}
	return nil, fmt.Errorf("explainability score %q has no statistic", score)
}

// checkExplainRecords refuses records that are faulty or not of one of the images.
func checkExplainRecords(records []ExplainRecord, images, classes int) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	return checkRecords(records, images, func(r ExplainRecord) (int, error) { return r.Image, r.check(classes) })
}

// cutStatistic is the foreground mIoU of maps cut each at a threshold of its own.
func cutStatistic(records []ExplainRecord, images, classes int, threshold func(ExplainRecord) int) (Statistic, error) {
	if err := checkExplainRecords(records, images, classes); err != nil {
		return nil, err
	}
	type cut struct {
		image int
		area  ClassArea
	}
	cuts := make([]cut, len(records))
	for i, r := range records {
		inside, all := r.above(threshold(r))
		cuts[i] = cut{r.Image, ClassArea{uint16(r.Class), inside, total(r.Inside), all}}
	}
	sum := newAreas(classes)
	return func(times []int32) (float64, bool) {
		if len(times) != images {
			return 0, false
		}
		clear(sum.Intersection)
		clear(sum.Truth)
		clear(sum.Pred)
		for _, c := range cuts {
			AreaRecord{c.area}.addTo(sum, int64(times[c.image]))
		}
		return sum.mean(iouOfSeen)
	}, nil
}

// pixelAPStatistic is PxAP: the levels of all maps pooled, whatever their class.
func pixelAPStatistic(records []ExplainRecord, images, classes int) (Statistic, error) {
	if err := checkExplainRecords(records, images, classes); err != nil {
		return nil, err
	}
	rows, at := make([][]float64, len(records)), make([]int, len(records))
	for i, r := range records {
		rows[i], at[i] = r.row(), r.Image
	}
	pool := newExplainPool(1)
	return func(times []int32) (float64, bool) {
		if len(times) != images {
			return 0, false
		}
		pool.clear()
		for i, row := range rows {
			if n := times[at[i]]; n > 0 {
				pool.add(0, row, n)
			}
		}
		return pool.pixelAP()
	}, nil
}

// contrastStatistic is mSC, over classes or over maps alike.
func contrastStatistic(records []ExplainRecord, images, classes int, perClass bool) (Statistic, error) {
	if err := checkExplainRecords(records, images, classes); err != nil {
		return nil, err
	}
	var values []classValue
	for _, r := range records {
		if total(r.Outside) == 0 {
			continue // without an outside there is no contrast
		}
		v := classValue{image: r.Image, value: r.MeanInside - r.MeanOutside}
		if perClass {
			v.class = r.Class
		}
		values = append(values, v)
	}
	return classMeanStatistic(values, images, classes), nil
}

// classValue is a value of one class in one image.
type classValue struct {
	image, class int
	value        float64
}

// classMeanStatistic is the mean over classes of the mean of their values.
func classMeanStatistic(values []classValue, images, classes int) Statistic {
	sums, counts := make([]float64, classes), make([]int64, classes)
	return func(times []int32) (float64, bool) {
		if len(times) != images {
			return 0, false
		}
		clear(sums)
		clear(counts)
		for _, v := range values {
			sums[v.class] += float64(times[v.image]) * v.value
			counts[v.class] += int64(times[v.image])
		}
		return meanOfMeans(sums, counts)
	}
}

// EnergyStatistic is "energy" or "energy-class" of [Energy] over that many images and classes.
func EnergyStatistic(records []EnergyRecord, images, classes int, score string) (Statistic, error) {
	if score != "energy" && score != "energy-class" {
		return nil, fmt.Errorf("energy score %q has no statistic", score)
	}
	err := checkRecords(records, images, func(r EnergyRecord) (int, error) {
		if r.Class >= classes {
			return r.Image, fmt.Errorf("a map of class %d, but there are %d classes", r.Class, classes)
		}
		return r.Image, r.check()
	})
	if err != nil {
		return nil, err
	}
	values := make([]classValue, len(records))
	for i, r := range records {
		values[i] = classValue{image: r.Image, value: r.share()}
		if score == "energy-class" {
			values[i].class = r.Class
		}
	}
	return classMeanStatistic(values, images, classes), nil
}

// PointingStatisticOf is one of the scores of [Pointing] over that many images.
func PointingStatisticOf(records []PointRecord, images, classes int, score string) (Statistic, error) {
	p, err := NewPointing(classes)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"pointing", "pointing-seen", "pointing-micro"}, score) {
		return nil, fmt.Errorf("pointing score %q has no statistic", score)
	}
	if err := checkRecords(records, images, func(r PointRecord) (int, error) { return r.Image, r.check(classes) }); err != nil {
		return nil, err
	}
	records = slices.Clone(records)
	return func(times []int32) (float64, bool) {
		if len(times) != images {
			return 0, false
		}
		clear(p.hits)
		clear(p.misses)
		for _, r := range records {
			p.add(r, int64(times[r.Image]))
		}
		for _, s := range p.Scores() {
			if s.Name == score {
				return s.Value, true
			}
		}
		return 0, false
	}, nil
}

// ImageNetSegmentationStatistic is one of the scores of [ImageNetSegmentation] over that many images, by name.
func ImageNetSegmentationStatistic(records []ImageNetSegmentationRecord, images int, score string) (Statistic, error) {
	if !slices.Contains([]string{"pixAcc", "mIoU", "mAP", "mF1"}, score) {
		return nil, fmt.Errorf("score %q of the ImageNet-segmentation protocol has no statistic", score)
	}
	err := checkRecords(records, images, func(r ImageNetSegmentationRecord) (int, error) {
		if r.Image < 0 {
			return r.Image, fmt.Errorf("image %d", r.Image)
		}
		return r.Image, r.check()
	})
	if err != nil {
		return nil, err
	}
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b ImageNetSegmentationRecord) int { return cmp.Compare(a.Image, b.Image) })
	return func(times []int32) (float64, bool) {
		if len(times) != images {
			return 0, false
		}
		var sum ImageNetSegmentation
		var ap, f1, n float64
		for _, r := range records {
			k := int64(times[r.Image])
			sum.tp += k * r.TP
			sum.fp += k * r.FP
			sum.fn += k * r.FN
			sum.tn += k * r.TN
			ap += float64(k) * r.AP
			f1 += float64(k) * r.f1()
			n += float64(k)
		}
		if n == 0 {
			return 0, false
		}
		for _, s := range sum.scores(ap/n, f1/n) {
			if s.Name == score {
				return s.Value, true
			}
		}
		return 0, false
	}, nil
}

// OtherHalfStatistic is fg-mIoU@other-half over that many images: each half is cut at the threshold that is best for the other
// in the same resample. odd says in which half an image is; those of [ExplainSummary] are the odd and even indices.
func OtherHalfStatistic(records []ExplainRecord, images, classes int, odd func(image int) bool) (Statistic, error) {
	if err := checkExplainRecords(records, images, classes); err != nil {
		return nil, err
	}
	rows := make([][]float64, len(records))
	for i, r := range records {
		rows[i] = r.row()
	}
	records = slices.Clone(records)
	halves := [2]*explainPool{newExplainPool(classes), newExplainPool(classes)}
	return func(times []int32) (float64, bool) {
		if len(times) != images {
			return 0, false
		}
		halves[0].clear()
		halves[1].clear()
		for i, r := range records {
			if n := times[r.Image]; n > 0 {
				half := halves[0]
				if odd(r.Image) {
					half = halves[1]
				}
				half.add(r.Class, rows[i], n)
			}
		}
		k0, _, ok0 := bestOf(halves[0].curve())
		k1, _, ok1 := bestOf(halves[1].curve())
		if !ok0 || !ok1 {
			return 0, false
		}
		a := halves[0].at(k1)
		a.add(halves[1].at(k0))
		return a.mean(iouOfSeen)
	}, nil
}
