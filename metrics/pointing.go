package metrics

import (
	"fmt"
	"math"
)

// PointingTolerance is the margin of the pointing game in pixels: J. Zhang et al., "Top-down neural
// attention by excitation backprop", ECCV 2016, section 5.1.
const PointingTolerance = 15

// Outcome is how a point of the pointing game was judged.
type Outcome int8

// The outcomes of an event. The zero value is no event.
const (
	Miss    Outcome = -1
	Skipped Outcome = 0
	Hit     Outcome = 1
)

func outcome(hit bool) Outcome {
	if hit {
		return Hit
	}
	return Miss
}

// PointAt judges the pixel (x, y), x to the right from 0, against a mask of rows of width pixels: a
// hit if the centre of some pixel Inside lies strictly closer than tolerance pixels. So 0 never hits,
// 1 asks for a point inside of the mask, and a pixel at exactly the tolerance is a miss, as in
// TorchRay's PointingGame, whatever its documentation says. The map's point is [Extent.Peak]; the
// centre baseline is (width/2, height/2), not rounded.
func PointAt(mask []uint8, width int, x, y, tolerance float64) (Outcome, error) {
	if width < 1 || len(mask)%width != 0 {
		return Skipped, fmt.Errorf("a mask of %d pixels in rows of %d", len(mask), width)
	}
	height := len(mask) / width
	if err := checkPoint(x, y, tolerance); err != nil {
		return Skipped, err
	}
	top, bottom := reach(y, tolerance, height)
	left, right := reach(x, tolerance, width)
	for row := top; row < bottom; row++ {
		dy := float64(row) - y
		for col := left; col < right; col++ {
			if dx := float64(col) - x; mask[row*width+col] == Inside && dx*dx+dy*dy < tolerance*tolerance {
				return Hit, nil
			}
		}
	}
	return Miss, nil
}

// reach is the range of pixels of one axis that may lie within the tolerance.
func reach(at, tolerance float64, size int) (from, to int) {
	clamp := func(v float64) int { return int(max(0, min(v, float64(size)))) }
	return clamp(math.Ceil(at - tolerance)), clamp(math.Floor(at+tolerance) + 1)
}

func checkPoint(x, y, tolerance float64) error {
	for _, v := range []float64{x, y, tolerance} {
		if math.IsNaN(v) || math.IsInf(v, 0) || tolerance < 0 {
			return fmt.Errorf("point (%v, %v) with tolerance %v", x, y, tolerance)
		}
	}
	return nil
}

// Box is a bounding box as PASCAL VOC writes it: pixels from 1, both corners included. Fractions of
// corners are cut off before. Difficult boxes are those marked so in the annotation.
type Box struct {
	XMin, YMin, XMax, YMax int
	Difficult              bool
}

// PointAtBoxes judges a point against the boxes of one class in an image of width x height pixels by
// TorchRay's rule for VOC07 test: without boxes, or if all are difficult, there is no event; if one
// is not, the difficult ones are to be hit as well. Distances are those of [PointAt].
func PointAtBoxes(boxes []Box, width, height int, x, y, tolerance float64) (Outcome, error) {
	if err := checkPoint(x, y, tolerance); err != nil {
		return Skipped, err
	}
	easy, hit := false, false
	for _, b := range boxes {
		easy = easy || !b.Difficult
		left, right := max(b.XMin, 1)-1, min(b.XMax, width)-1
		top, bottom := max(b.YMin, 1)-1, min(b.YMax, height)-1
		if left > right || top > bottom {
			continue // no pixel of the image
		}
		dx := nearestPixel(x, left, right) - x
		dy := nearestPixel(y, top, bottom) - y
		hit = hit || dx*dx+dy*dy < tolerance*tolerance
	}
	if !easy {
		return Skipped, nil
	}
	return outcome(hit), nil
}

// nearestPixel is the whole number in from..to that is closest to v.
func nearestPixel(v float64, from, to int) float64 {
	return max(float64(from), min(math.Round(v), float64(to)))
}

// PointRecord is one event: the point of one map, judged.
type PointRecord struct {
	Image   int     `json:"image"` // index in the data set
	Class   int     `json:"class"`
	Outcome Outcome `json:"outcome"`
	Tied    bool    `json:"tied,omitempty"` // the maximum of the map is attained more than once
}

func (r PointRecord) check(classes int) error {
	switch {
	case r.Class < 0 || r.Class >= classes:
		return fmt.Errorf("point for class %d in image %d, but there are %d classes", r.Class, r.Image, classes)
	case r.Image < 0:
		return fmt.Errorf("point in image %d", r.Image)
	case r.Outcome < Miss || r.Outcome > Hit:
		return fmt.Errorf("point for class %d in image %d has outcome %d, want -1, 0 or 1", r.Class, r.Image, r.Outcome)
	}
	return nil
}

// pointing sums events.
type pointing struct {
	hits, misses  []int64
	skipped, tied int64
}

func newPointing(classes int) *pointing {
	return &pointing{hits: make([]int64, classes), misses: make([]int64, classes)}
}

func (p *pointing) clear() {
	clear(p.hits)
	clear(p.misses)
	p.skipped, p.tied = 0, 0
}

func (p *pointing) add(r PointRecord, times int64) {
	switch r.Outcome {
	case Hit:
		p.hits[r.Class] += times
	case Miss:
		p.misses[r.Class] += times
	default:
		p.skipped += times
		return
	}
	if r.Tied {
		p.tied += times
	}
}

// PointingCounts is what the scores of a pointing game rest on.
type PointingCounts struct {
	Hits, Misses, Skipped int64
	Tied                  int64 // events whose map has several maxima, the first of which was taken
	Absent                int   // classes without events
}

// CountPoints sums events over classes.
func CountPoints(records []PointRecord, classes int) (PointingCounts, error) {
	if err := checkClasses(classes); err != nil {
		return PointingCounts{}, err
	}
	p := newPointing(classes)
	for _, r := range records {
		if err := r.check(classes); err != nil {
			return PointingCounts{}, err
		}
		p.add(r, 1)
	}
	return p.counts(), nil
}

func (p *pointing) counts() PointingCounts {
	n := PointingCounts{Skipped: p.skipped, Tied: p.tied}
	for c, hits := range p.hits {
		n.Hits += hits
		n.Misses += p.misses[c]
		if hits+p.misses[c] == 0 {
			n.Absent++
		}
	}
	return n
}

// PointingStatistic is one of the scores of events over that many images,
//
//	pointing        the mean over all classes of the share of hits, 0 for classes without events: TorchRay's
//	pointing-seen   the mean over the classes with events
//	pointing-micro  the share of hits of all events together
//
// all undefined without events.
func PointingStatistic(records []PointRecord, images, classes int, score string) (Statistic, error) {
	if err := known(score, "pointing", "pointing-seen", "pointing-micro"); err != nil {
		return nil, err
	}
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	err := checkRecords(records, images, func(r PointRecord) (int, error) { return r.Image, r.check(classes) })
	if err != nil {
		return nil, err
	}
	return pooled(newPointing(classes), records, images, func(i int) int { return records[i].Image }, score), nil
}

func (p *pointing) Scores() []Score {
	sum, n := 0.0, p.counts()
	for c, hits := range p.hits {
		if share, seen := ratio(hits, hits+p.misses[c]); seen {
			sum += share
		}
	}
	micro, ok := ratio(n.Hits, n.Hits+n.Misses)
	if !ok {
		return nil
	}
	return []Score{
		{"pointing", sum / float64(len(p.hits))}, {"pointing-seen", sum / float64(len(p.hits)-n.Absent)},
		{"pointing-micro", micro},
	}
}

// EnergyRecord is one map of the energy-based pointing game: how much of it lies inside of the mask.
type EnergyRecord struct {
	Image  int     `json:"image"`
	Class  int     `json:"class"`
	Inside float64 `json:"inside"` // the sum of the map inside of the mask
	Total  float64 `json:"total"`  // and over all pixels but void ones
}

// EnergyAt sums a map: H. Wang et al., "Score-CAM", CVPR workshops 2020, section 4.3. Negative values
// and those that are not numbers count as 0; infinite ones are errors. Maps are taken as they are:
// stretching to 0..1 before shifts the score, so name it in the protocol.
func EnergyAt(score []float32, mask []uint8, image, class int) (EnergyRecord, error) {
	if err := checkMap(score, mask); err != nil {
		return EnergyRecord{}, err
	}
	var sums [3]float64
	for i := 0; i < len(mask); {
		n := run(mask[i:])
		sum := 0.0
		for _, v := range score[i : i+n] {
			if v > 0 {
				sum += float64(v)
			}
		}
		sums[min(mask[i], Void)] += sum
		i += n
	}
	r := EnergyRecord{Image: image, Class: class, Inside: sums[Inside], Total: sums[Inside] + sums[Outside]}
	return r, r.check()
}

func (r EnergyRecord) check() error {
	if !(r.Inside >= 0 && r.Inside <= r.Total && r.Total <= math.MaxFloat64) || r.Image < 0 || r.Class < 0 {
		return fmt.Errorf("map of class %d in image %d: energy %v of %v", r.Class, r.Image, r.Inside, r.Total)
	}
	return nil
}

// share is 0 for a map without energy.
func (r EnergyRecord) share() float64 {
	if r.Total == 0 {
		return 0
	}
	return r.Inside / r.Total
}

// EnergyStatistic is "energy", the mean share inside of the mask over the maps of that many images, or
// "energy-class", the mean over classes of the mean over their maps. A map without energy scores 0.
func EnergyStatistic(records []EnergyRecord, images, classes int, score string) (Statistic, error) {
	if err := known(score, "energy", "energy-class"); err != nil {
		return nil, err
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
	m := newClassMeans(classes)
	for _, r := range records {
		class := 0
		if score == "energy-class" {
			class = r.Class
		}
		m.add(r.Image, class, r.share())
	}
	return m.statistic(images), nil
}
