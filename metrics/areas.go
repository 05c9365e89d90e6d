package metrics

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// ClassArea is the pixels of one class in one image: what pooled scores need of it, without which class was taken for which.
type ClassArea struct {
	Class                     uint16
	Intersection, Truth, Pred int64
}

// AreaRecord is what one image contributes to scores of [Areas]: the classes with pixels in truth or prediction, ascending.
type AreaRecord []ClassArea

// Boundaries reduces the record to the boundaries of its classes: all that Boundary IoU needs, a dozen numbers an image.
func (r BoundaryRecord) Boundaries() AreaRecord {
	byClass := map[uint16]ClassArea{}
	add := func(half uint16, i, t, p int64) {
		if half%2 == 1 {
			a := byClass[half/2]
			byClass[half/2] = ClassArea{half / 2, a.Intersection + i, a.Truth + t, a.Pred + p}
		}
	}
	for _, c := range r {
		add(c.Truth, 0, c.Count, 0)
		add(c.Pred, 0, 0, c.Count)
		if c.Truth == c.Pred {
			add(c.Truth, c.Count, 0, 0)
		}
	}
	var out AreaRecord
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		out = append(out, byClass[class])
	}
	return out
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

// AreaSums accumulates [AreaRecord]s. Make one with [NewAreaSums]. It holds integers only and may be used by one goroutine at
// a time.
type AreaSums struct{ areas Areas }

// NewAreaSums makes an empty accumulator of 1..MaxClasses classes.
func NewAreaSums(classes int) (*AreaSums, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	return &AreaSums{newAreas(classes)}, nil
}

// Add adds one image. It changes nothing if the record is faulty.
func (s *AreaSums) Add(r AreaRecord) error {
	if err := r.check(len(s.areas.Truth)); err != nil {
		return err
	}
	r.addTo(s.areas, 1)
	return nil
}

// Merge adds all images of another accumulator.
func (s *AreaSums) Merge(other *AreaSums) error {
	if len(other.areas.Truth) != len(s.areas.Truth) {
		return fmt.Errorf("areas of %d and %d classes cannot be merged", len(s.areas.Truth), len(other.areas.Truth))
	}
	s.areas.add(other.areas)
	return nil
}

// Areas are the sums; they are not to be changed.
func (s *AreaSums) Areas() Areas { return s.areas }

func (r AreaRecord) addTo(sum Areas, times int64) {
	for _, c := range r {
		sum.Intersection[c.Class] += times * c.Intersection
		sum.Truth[c.Class] += times * c.Truth
		sum.Pred[c.Class] += times * c.Pred
	}
}

// AreaRecordStatistic is a score of pooled areas of one record per image: [AreasStatistic] for records without confusions.
func AreaRecordStatistic(records []AreaRecord, classes int, score func(Areas) (float64, bool)) (Statistic, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	for i, r := range records {
		if err := r.check(classes); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	sum := newAreas(classes)
	return func(times []int32) (float64, bool) {
		if len(times) != len(records) {
			return 0, false
		}
		clear(sum.Intersection)
		clear(sum.Truth)
		clear(sum.Pred)
		for i, n := range times {
			if n > 0 {
				records[i].addTo(sum, int64(n))
			}
		}
		return score(sum)
	}, nil
}
