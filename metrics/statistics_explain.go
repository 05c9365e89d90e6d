package metrics

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// ExplainStatistic is one of the scores of maps over that many images, by name: how well do the maps of the classes
// present in an image cover them, each class for itself? Thresholds are searched anew in each resample.
//
//	fg-mIoU        at the best threshold of the grid
//	fg-mIoU@0.5    at the threshold 0.50
//	fg-mIoU@otsu   each map at its own Otsu threshold
//	fg-mIoU-image  IoU per map, averaged per class, then over classes, at its best threshold
//	PxAP           average precision of the pixels of all maps pooled, those of one level together: Choe et al., CVPR
//	               2020, section 3.2
//	mSC            mean inside minus mean outside of the mask, averaged per class, then over classes; in -1..1
//	mSC-pairs      the same averaged over all maps alike
//
// and fg-mIoU@other-half of [OtherHalfStatistic].
//
// The task is that of CLIP Surgery's explainability tables (Li et al., arXiv 2304.05653, section 5.1). Its authors
// searched the threshold per method and did not publish the evaluation, so the definition is ours: a pixel is
// foreground above a threshold that is common to all classes; pixels are pooled per class; classes that occur count
// alike.
//
// Note: this mIoU is not that of segmentation, where the classes compete for each pixel.
func ExplainStatistic(records []ExplainRecord, images, classes int, score string) (Statistic, error) {
	if err := checkExplainRecords(records, images, classes); err != nil {
		return nil, err
	}
	switch score {
	case "fg-mIoU":
		return bestThresholdStatistic(records, images, classes), nil
	case "fg-mIoU@0.5":
		return cutStatistic(records, images, classes, func(ExplainRecord) int { return Thresholds / 2 }), nil
	case "fg-mIoU@otsu":
		return cutStatistic(records, images, classes, func(r ExplainRecord) int { return r.Otsu }), nil
	case "fg-mIoU-image":
		return mapIoUStatistic(records, images, classes), nil
	case "PxAP":
		return pixelAPStatistic(records, images), nil
	case "mSC":
		return contrastStatistic(records, images, classes, true), nil
	case "mSC-pairs":
		return contrastStatistic(records, images, classes, false), nil
	}
	return nil, fmt.Errorf("explainability score %q is not known", score)
}

// checkExplainRecords refuses records that are faulty or not of one of the images.
func checkExplainRecords(records []ExplainRecord, images, classes int) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	return checkRecords(records, images, func(r ExplainRecord) (int, error) { return r.Image, r.check(classes) })
}

// mapIoUStatistic averages the IoU of the maps of each class, then those of the classes, at the threshold where that is
// best.
func mapIoUStatistic(records []ExplainRecord, images, classes int) Statistic {
	curves := make([][]float64, len(records))
	for i, r := range records {
		curves[i] = make([]float64, Thresholds)
		row := r.row()
		addIoUs(curves[i], row[:levels], row[levels:])
	}
	sums, counts := make([]float64, classes*Thresholds), make([]float64, classes)
	return ofImages(images, func(d Draw) (float64, bool) {
		clear(sums)
		clear(counts)
		for i, r := range records {
			if n := float64(d.Times[r.Image]); n > 0 {
				counts[r.Class] += n
				floats.AddScaled(sums[r.Class*Thresholds:][:Thresholds], n, curves[i])
			}
		}
		var mean []float64
		present := 0.0
		for c, n := range counts {
			if n > 0 {
				if mean == nil {
					mean = make([]float64, Thresholds)
				}
				present++
				floats.AddScaled(mean, 1/n, sums[c*Thresholds:][:Thresholds])
			}
		}
		floats.Scale(1/present, mean)
		_, v, ok := bestOf(mean)
		return min(1, v), ok
	})
}

// cutStatistic is the foreground mIoU of maps cut each at a threshold of its own.
func cutStatistic(records []ExplainRecord, images, classes int, threshold func(ExplainRecord) int) Statistic {
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
	return ofImages(images, func(d Draw) (float64, bool) {
		sum.clear()
		for _, c := range cuts {
			AreaRecord{c.area}.addTo(sum, int64(d.Times[c.image]))
		}
		return sum.mean(iouOfSeen)
	})
}

// pixelAPStatistic is PxAP: the levels of all maps pooled, whatever their class.
func pixelAPStatistic(records []ExplainRecord, images int) Statistic {
	rows, pool := rowsOf(records), newExplainPool(1)
	return ofImages(images, func(d Draw) (float64, bool) {
		pool.clear()
		for i, r := range records {
			if n := d.Times[r.Image]; n > 0 {
				pool.add(0, rows[i], n)
			}
		}
		return pool.pixelAP()
	})
}

// contrastStatistic is mSC, over classes or over maps alike.
func contrastStatistic(records []ExplainRecord, images, classes int, perClass bool) Statistic {
	m := newClassMeans(classes)
	for _, r := range records {
		if total(r.Outside) == 0 {
			continue // without an outside there is no contrast
		}
		class := 0
		if perClass {
			class = r.Class
		}
		m.add(r.Image, class, r.MeanInside-r.MeanOutside)
	}
	return m.statistic(images)
}

// meanOfMeans is the mean of sums[c]/counts[c] over the c that have a count.
func meanOfMeans(sums []float64, counts []int64) (float64, bool) {
	var m average
	for c, count := range counts {
		if count > 0 {
			m.add(sums[c] / float64(count))
		}
	}
	return m.of()
}

// classMeans is the mean over classes of the mean of their values.
type classMeans struct {
	termSums // of values, then of numbers of them, by class
	classes  int
}

func newClassMeans(classes int) *classMeans {
	return &classMeans{termSums{rows: make([]lanes, 2*classes)}, classes}
}

// add adds a value of a class in an image.
func (m *classMeans) add(image, class int, value float64) {
	m.termSums.add(image, class, value)
	m.termSums.add(image, m.classes+class, 1)
}

func (m *classMeans) statistic(images int) Statistic {
	sums, counts := make([]float64, m.classes), make([]int64, m.classes)
	return ofImages(images, func(d Draw) (float64, bool) {
		m.sum(d)
		for c := range sums {
			sums[c], counts[c] = m.rows[c][d.at], int64(m.rows[m.classes+c][d.at])
		}
		return meanOfMeans(sums, counts)
	})
}

// OtherHalfStatistic is fg-mIoU@other-half over that many images: each half is cut at the threshold that is best for
// the other in the same resample. odd says in which half an image is; those of [ExplainSummary] are the odd and even
// indices.
func OtherHalfStatistic(records []ExplainRecord, images, classes int, odd func(image int) bool) (Statistic, error) {
	if err := checkExplainRecords(records, images, classes); err != nil {
		return nil, err
	}
	records, rows := slices.Clone(records), rowsOf(records)
	halves := [2]*explainPool{newExplainPool(classes), newExplainPool(classes)}
	return ofImages(images, func(d Draw) (float64, bool) {
		halves[0].clear()
		halves[1].clear()
		for i, r := range records {
			if n := d.Times[r.Image]; n > 0 {
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
	}), nil
}
