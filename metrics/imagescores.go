package metrics

import "fmt"

// OfImages is the convention for an image alone: as v, but a class absent from truth and prediction never counts. Under a
// rule that scores absent classes 0, an image of 5 of 150 classes could not reach 0.04.
func (v Convention) OfImages() Convention {
	rule := v.iou
	v.iou = func(i, t, p int64) (float64, bool) {
		iou, ok := rule(i, t, p)
		return iou, ok && t+p > 0
	}
	return v
}

// ImageScores is a score of pooled areas, such as [Convention.MIoU], of each image alone, and whether it is defined there.
func ImageScores(records []Sparse, classes int, score func(Areas) (float64, bool)) (values []float64, defined []bool, err error) {
	images, ok := imageAreas(records, classes)
	if !ok {
		return nil, nil, fmt.Errorf("records that do not fit %d classes", classes)
	}
	values, defined = make([]float64, len(images)), make([]bool, len(images))
	a := newAreas(classes)
	for i, image := range images {
		image.addTo(a, 1)
		values[i], defined[i] = score(a)
		for _, c := range image {
			a.Intersection[c.class], a.Truth[c.class], a.Pred[c.class] = 0, 0, 0
		}
	}
	return values, defined, nil
}

// ImageClassStatistic is the mean over classes of the mean, over the images in which the class counts under v, of its IoU in
// that image alone. Large objects and images weigh no more than small ones; it is neither the pooled mIoU nor the mean of the
// images' mIoU, and not comparable with either.
func ImageClassStatistic(records []Sparse, classes int, v Convention) (Statistic, error) {
	images, ok := imageAreas(records, classes)
	if !ok {
		return nil, fmt.Errorf("records that do not fit %d classes", classes)
	}
	var values []classValue
	rule := v.OfImages().iou
	for i, image := range images {
		for _, c := range image {
			if iou, ok := rule(c.intersection, c.truth, c.pred); ok {
				values = append(values, classValue{i, c.class, iou})
			}
		}
	}
	return classMeanStatistic(values, len(images), classes), nil
}

// meanOfMeans is the mean of sums[c]/counts[c] over the c that have a count.
func meanOfMeans(sums []float64, counts []int64) (float64, bool) {
	mean, n := 0.0, 0
	for c, count := range counts {
		if count > 0 {
			mean += sums[c] / float64(count)
			n++
		}
	}
	return mean / float64(max(1, n)), n > 0
}
