package metrics

import (
	"fmt"
	"math"
)

// PointIoURecord counts the points of one class in one image by what people and a map said of them.
type PointIoURecord struct {
	Image int   `json:"image"`
	Class int   `json:"class"`
	TP    int64 `json:"tp"` // people: on the class; map: over the threshold
	FP    int64 `json:"fp"`
	FN    int64 `json:"fn"`
	TN    int64 `json:"tn"`
}

// PointIoUThreshold is the value of a map stretched to 0..1 over which a point counts as on the class.
const PointIoUThreshold = 0.5

// JudgedPoint is a point that people judged: x, y in pixels of the map from 0, and whether the class is there.
type JudgedPoint struct {
	X, Y float64
	On   bool
}

// PointIoUAt compares a map of w pixels a row, stretched to 0..1 here, with the points of its class. A map that is
// constant or not finite predicts nothing.
func PointIoUAt(score []float32, w int, points []JudgedPoint, image, class int) (PointIoURecord, error) {
	r := PointIoURecord{Image: image, Class: class}
	if w < 1 || len(score) == 0 || len(score)%w != 0 {
		return r, fmt.Errorf("a map of %d values in rows of %d", len(score), w)
	}
	low, high, finite := float32(math.Inf(1)), float32(math.Inf(-1)), true
	for _, v := range score {
		low, high = min(low, v), max(high, v)
		finite = finite && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
	}
	for i, p := range points {
		x, y := int(p.X), int(p.Y)
		if !(p.X >= 0 && p.Y >= 0) || x >= w || y >= len(score)/w {
			return r, fmt.Errorf("point %d at %v, %v lies outside of the map of %dx%d", i, p.X, p.Y, w, len(score)/w)
		}
		over := finite && high > low && (score[y*w+x]-low)/(high-low) > PointIoUThreshold
		switch {
		case over && p.On:
			r.TP++
		case over:
			r.FP++
		case p.On:
			r.FN++
		default:
			r.TN++
		}
	}
	return r, nil
}

// pointIoU sums points by class.
type pointIoU struct{ classes []PointIoURecord }

func (s *pointIoU) clear() { clear(s.classes) }

func (s *pointIoU) add(r PointIoURecord, times int64) {
	c := &s.classes[r.Class]
	c.TP += times * r.TP
	c.FP += times * r.FP
	c.FN += times * r.FN
	c.TN += times * r.TN
}

func (s *pointIoU) Scores() []Score {
	var foreground, both average
	for _, c := range s.classes {
		fg, ok := ratio(c.TP, c.TP+c.FP+c.FN)
		if c.TP+c.FN == 0 || !ok { // nobody said that the class is anywhere
			continue
		}
		foreground.add(fg)
		if bg, ok := ratio(c.TN, c.TN+c.FP+c.FN); ok && c.FP+c.TN > 0 {
			both.add((fg + bg) / 2)
		} else {
			both.add(fg)
		}
	}
	fg, ok := foreground.of()
	if !ok {
		return nil
	}
	mean, _ := both.of()
	return []Score{{"p-mIoU", fg}, {"p-mIoU-both", mean}}
}

// PointIoUStatistic is the IoU over points (Benenson and Ferrari, "From Colouring-in to Pointillism: Revisiting
// Semantic Segmentation Supervision", arXiv 2210.14142, for Open Images V7): points pooled over images class by
// class, averaged over the classes that some point is on. p-mIoU is the IoU of the points on the class, TP / (TP + FP
// + FN); p-mIoU-both the mean of that and of the IoU of the points off it, which circulates under the same name. A
// class without points off it has the first alone.
func PointIoUStatistic(records []PointIoURecord, images, classes int, score string) (Statistic, error) {
	if err := known(score, "p-mIoU", "p-mIoU-both"); err != nil {
		return nil, err
	}
	err := checkRecords(records, images, func(r PointIoURecord) (int, error) {
		if r.Class < 0 || r.Class >= classes {
			return r.Image, fmt.Errorf("image %d: class %d of %d", r.Image, r.Class, classes)
		}
		for _, n := range []int64{r.TP, r.FP, r.FN, r.TN} {
			if n < 0 || n > maxPixels {
				return r.Image, fmt.Errorf("image %d: %d points", r.Image, n)
			}
		}
		return r.Image, nil
	})
	if err != nil {
		return nil, err
	}
	sums := &pointIoU{make([]PointIoURecord, classes)}
	return pooled(sums, records, images, func(i int) int { return records[i].Image }, score), nil
}
