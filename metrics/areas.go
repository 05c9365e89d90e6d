package metrics

import (
	"fmt"
	"math"
)

// Areas are the pixels per class that all scores of pooled label maps come from.
type Areas struct {
	Intersection []int64 // of class c predicted as c
	Truth        []int64 // of class c
	Pred         []int64 // predicted as c
}

func newAreas(classes int) Areas {
	all := make([]int64, 3*classes)
	return Areas{Intersection: all[:classes:classes], Truth: all[classes : 2*classes : 2*classes], Pred: all[2*classes:]}
}

func (a Areas) clear() {
	clear(a.Intersection)
	clear(a.Truth)
	clear(a.Pred)
}

// add adds other's pixels to a's own slices.
func (a Areas) add(other Areas) {
	for c := range a.Truth {
		a.Intersection[c] += other.Intersection[c]
		a.Truth[c] += other.Truth[c]
		a.Pred[c] += other.Pred[c]
	}
}

// count adds n pixels of truth t predicted as p, each of which may lie outside the classes.
func (a Areas) count(t, p int, n int64) {
	hasTruth, hasPred := t >= 0 && t < len(a.Truth), p >= 0 && p < len(a.Pred)
	if hasTruth {
		a.Truth[t] += n
	}
	if hasPred {
		a.Pred[p] += n
	}
	if hasTruth && t == p {
		a.Intersection[t] += n
	}
}

// record lists the classes with pixels.
func (a Areas) record() AreaRecord {
	var out AreaRecord
	for c := range a.Truth {
		if a.Truth[c] > 0 || a.Pred[c] > 0 {
			out = append(out, ClassArea{uint16(c), a.Intersection[c], a.Truth[c], a.Pred[c]})
		}
	}
	return out
}

// ClassArea is the pixels of one class in one image: what pooled scores need of it, without which class was taken for
// which.
type ClassArea struct {
	Class                     uint16
	Intersection, Truth, Pred int64
}

// AreaRecord is what one image contributes to scores of [Areas]: the classes with pixels in truth or prediction,
// ascending. In files it is [[class, intersection, truth, prediction], …].
type AreaRecord []ClassArea

// MarshalJSON writes rows of four numbers.
func (r AreaRecord) MarshalJSON() ([]byte, error) {
	return appendRows(len(r), func(i int) []int64 {
		return []int64{int64(r[i].Class), r[i].Intersection, r[i].Truth, r[i].Pred}
	}), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *AreaRecord) UnmarshalJSON(b []byte) error {
	*r = nil
	return readRows(b, 4, func(x []int64) error {
		if x[0] != int64(uint16(x[0])) {
			return fmt.Errorf("area %v is of no class", x)
		}
		*r = append(*r, ClassArea{Class: uint16(x[0]), Intersection: x[1], Truth: x[2], Pred: x[3]})
		return nil
	})
}

func (r AreaRecord) check(classes int) error {
	for i, c := range r {
		switch {
		case int(c.Class) >= classes:
			return fmt.Errorf("area %d: class %d of %d", i, c.Class, classes)
		case i > 0 && r[i-1].Class >= c.Class:
			return fmt.Errorf("area %d: class %d is out of order or repeated", i, c.Class)
		case c.Intersection < 0 || c.Intersection > min(c.Truth, c.Pred) || max(c.Truth, c.Pred) > math.MaxInt32:
			return fmt.Errorf("area %d: %d of %d and %d pixels of class %d", i, c.Intersection, c.Truth, c.Pred, c.Class)
		}
	}
	return nil
}

func (r AreaRecord) addTo(sum Areas, times int64) {
	for _, c := range r {
		sum.Intersection[c.Class] += times * c.Intersection
		sum.Truth[c.Class] += times * c.Truth
		sum.Pred[c.Class] += times * c.Pred
	}
}

// checkAreas refuses records that are faulty.
func checkAreas(records []AreaRecord, classes int) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	for i, r := range records {
		if err := r.check(classes); err != nil {
			return fmt.Errorf("image %d: %w", i, err)
		}
	}
	return nil
}

// AreaPool sums the areas of images, one record each, for several scores. One goroutine at a time may use it and its
// statistics.
type AreaPool struct {
	images int
	sums   termSums // of intersection, truth and prediction of each class
	areas  Areas
}

// NewAreaPool checks the records.
func NewAreaPool(records []AreaRecord, classes int) (*AreaPool, error) {
	if err := checkAreas(records, classes); err != nil {
		return nil, err
	}
	p := &AreaPool{images: len(records), sums: termSums{rows: make([]lanes, 3*classes)}, areas: newAreas(classes)}
	for i, r := range records {
		for _, c := range r {
			for k, pixels := range [3]int64{c.Intersection, c.Truth, c.Pred} {
				if pixels > maxCount/int64(len(records)) {
					return nil, fmt.Errorf("image %d: draws of %d images may have more than %d pixels", i, len(records), int64(maxCount))
				}
				if pixels > 0 {
					p.sums.add(i, 3*int(c.Class)+k, float64(pixels))
				}
			}
		}
	}
	return p, nil
}

// Statistic is a score of the pooled areas, such as [Convention.MIoU].
func (p *AreaPool) Statistic(score func(Areas) (float64, bool)) Statistic {
	return ofImages(p.images, func(d Draw) (float64, bool) {
		p.sums.sum(d)
		for c := range p.areas.Truth {
			of := p.sums.rows[3*c : 3*c+3]
			p.areas.Intersection[c], p.areas.Truth[c], p.areas.Pred[c] = int64(of[0][d.at]), int64(of[1][d.at]), int64(of[2][d.at])
		}
		return score(p.areas)
	})
}

// AreasStatistic is a score of pooled areas, such as [Convention.MIoU], of one record per image.
func AreasStatistic(records []AreaRecord, classes int, score func(Areas) (float64, bool)) (Statistic, error) {
	p, err := NewAreaPool(records, classes)
	if err != nil {
		return nil, err
	}
	return p.Statistic(score), nil
}

// ImageScores is a score of pooled areas of each image alone, NaN where it is undefined.
func ImageScores(records []AreaRecord, classes int, score func(Areas) (float64, bool)) ([]float64, error) {
	if err := checkAreas(records, classes); err != nil {
		return nil, err
	}
	values := make([]float64, len(records))
	a := newAreas(classes)
	for i, r := range records {
		r.addTo(a, 1)
		value, ok := score(a)
		if values[i] = value; !ok {
			values[i] = math.NaN()
		}
		r.addTo(a, -1)
	}
	return values, nil
}

// ImageClassStatistic is the mean over classes of the mean, over the images in which the class counts under v, of its
// IoU in that image alone. Large objects and images weigh no more than small ones; it is neither the pooled mIoU nor
// the mean of the images' mIoU, and not comparable with either.
func ImageClassStatistic(records []AreaRecord, classes int, v Convention) (Statistic, error) {
	if err := checkAreas(records, classes); err != nil {
		return nil, err
	}
	var values []classValue
	rule := v.OfImages().iou
	for i, r := range records {
		for _, c := range r {
			if iou, ok := rule(c.Intersection, c.Truth, c.Pred); ok {
				values = append(values, classValue{i, int(c.Class), iou})
			}
		}
	}
	return classMeanStatistic(values, len(records), classes), nil
}

// SumAreas pools the areas of all images.
func SumAreas(records []AreaRecord, classes int) (Areas, error) {
	sum := newAreas(max(classes, 0))
	if err := checkAreas(records, classes); err != nil {
		return sum, err
	}
	for _, r := range records {
		r.addTo(sum, 1)
	}
	return sum, nil
}
