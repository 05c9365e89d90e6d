package metrics

import (
	"fmt"
	"math"
	"slices"
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
	*r = slices.Grow(AreaRecord(nil), rowsIn(b, 4))
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

// AreaPool sums the areas of images for several scores. One goroutine at a time may use it and its statistics.
type AreaPool struct {
	images  int
	largest int64    // number of pixels
	sums    termSums // of intersection, truth and prediction of each class
	areas   Areas
}

// NewAreaPool is a pool of images, one record each.
func NewAreaPool(classes int, records ...AreaRecord) (*AreaPool, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	p := &AreaPool{sums: termSums{rows: make([]lanes, 3*classes)}, areas: newAreas(classes)}
	for _, r := range records {
		if err := p.Add(r); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Add adds an image, and keeps its pixels in a third of the memory of a record.
func (p *AreaPool) Add(r AreaRecord) error {
	if err := r.check(len(p.areas.Truth)); err != nil {
		return fmt.Errorf("image %d: %w", p.images, err)
	}
	for _, c := range r {
		for k, pixels := range [3]int64{c.Intersection, c.Truth, c.Pred} {
			if pixels > 0 {
				p.sums.add(p.images, 3*int(c.Class)+k, float64(pixels))
				p.largest = max(p.largest, pixels)
			}
		}
	}
	p.images++
	if p.largest > maxCount/int64(p.images) { // what the sums of a draw may reach is exact as a float
		return fmt.Errorf("%d images of %d pixels are too many", p.images, p.largest)
	}
	return nil
}

// Statistic is a score of the pooled areas, such as [Convention.MIoU].
func (p *AreaPool) Statistic(score func(Areas) (float64, bool)) Statistic {
	return ofImages(p.images, func(d Draw) (float64, bool) { return score(p.sum(d)) })
}

// sum is the areas of a draw; the next call overwrites it.
func (p *AreaPool) sum(d Draw) Areas {
	p.sums.sum(d)
	for c := range p.areas.Truth {
		of := p.sums.rows[3*c : 3*c+3]
		p.areas.Intersection[c], p.areas.Truth[c] = int64(of[0][d.at]), int64(of[1][d.at])
		p.areas.Pred[c] = int64(of[2][d.at])
	}
	return p.areas
}

// Sum is the areas of all images.
func (p *AreaPool) Sum() Areas { return p.sum(Draw{Times: slices.Repeat([]int32{1}, p.images)}) }

// Alone is a score of pooled areas of each image alone, NaN where it is undefined.
func (p *AreaPool) Alone(score func(Areas) (float64, bool)) []float64 {
	values := make([]float64, p.images)
	a := newAreas(len(p.areas.Truth))
	undefined, ok := score(a)
	if !ok {
		undefined = math.NaN()
	}
	for i := range values {
		values[i] = undefined // of images without pixels
	}
	p.each(func(image int, r AreaRecord) {
		r.addTo(a, 1)
		value, ok := score(a)
		if values[image] = value; !ok {
			values[image] = math.NaN()
		}
		r.addTo(a, -1)
	})
	return values
}

// each gives back the records of images with pixels; the next call overwrites them.
func (p *AreaPool) each(do func(image int, r AreaRecord)) {
	var r AreaRecord
	from := 0
	for _, run := range p.sums.runs {
		r = r[:0]
		for i := from; i < run.end; i++ {
			row := int(p.sums.at[i])
			class := uint16(row / 3)
			if len(r) == 0 || r[len(r)-1].Class != class {
				r = append(r, ClassArea{Class: class})
			}
			of := &r[len(r)-1]
			*[]*int64{&of.Intersection, &of.Truth, &of.Pred}[row%3] = int64(p.sums.values[i])
		}
		do(run.image, r)
		from = run.end
	}
}

// ClassMeans is the mean over classes of the mean, over the images in which the class counts under v, of its
// IoU in that image alone. Large objects and images weigh no more than small ones; it is neither the pooled mIoU nor
// the mean of the images' mIoU, and not comparable with either.
func (p *AreaPool) ClassMeans(v Convention) Statistic {
	m := newClassMeans(len(p.areas.Truth))
	rule := v.OfImages().iou
	p.each(func(image int, r AreaRecord) {
		for _, c := range r {
			if iou, ok := rule(c.Intersection, c.Truth, c.Pred); ok {
				m.add(image, int(c.Class), iou)
			}
		}
	})
	return m.statistic(p.images)
}
