package metrics

import (
	"cmp"
	"fmt"
)

// Prompt is a point for an interactive segmenter: a pixel, x to the right from 0, said to lie on the
// object or off it.
type Prompt struct {
	X, Y     int
	Positive bool
}

// PromptRecord is the points made from the map of one class in one image, and the masks a segmenter
// made of them.
type PromptRecord struct {
	Image         int   `json:"image"`
	Class         int   `json:"class"`
	Positive      int64 `json:"positive"`       // points said to lie on the object, on pixels that are judged
	PositiveRight int64 `json:"positive_right"` // of which do
	Negative      int64 `json:"negative"`
	NegativeRight int64 `json:"negative_right"`
	// First is whether the strongest positive point lies on the object; Skipped if there is none, or
	// if it lies on void.
	First Outcome `json:"first"`
	// Chosen is the mask the segmenter thinks best, Oracle the one that is: nil without segmenter.
	Chosen *Overlap `json:"chosen,omitempty"`
	Oracle *Overlap `json:"oracle,omitempty"`
}

// Overlap is the pixels of a predicted mask and the true one.
type Overlap struct {
	Intersection int64 `json:"i"`
	Union        int64 `json:"u"`
}

// IoU is 0 for two empty masks.
func (o Overlap) IoU() float64 {
	iou, _ := ratio(o.Intersection, o.Union)
	return iou
}

// OverlapOf compares a predicted mask, whose pixels are Inside, with the truth. Void pixels of the
// truth are left out.
func OverlapOf(pred, truth []uint8) (Overlap, error) {
	if len(pred) != len(truth) {
		return Overlap{}, fmt.Errorf("masks of %d and %d pixels", len(pred), len(truth))
	}
	var o Overlap
	for i, t := range truth {
		p := pred[i] == Inside
		switch {
		case t > Inside:
		case t == Inside && p:
			o.Intersection++
			o.Union++
		case t == Inside || p:
			o.Union++
		}
	}
	return o, nil
}

// PromptsAt judges points against the mask of their class, rows of width pixels. A positive point is
// right on the object, a negative one off it; points on void pixels are left out. The strongest
// positive point is the last one, as CLIP Surgery lists them.
func PromptsAt(points []Prompt, mask []uint8, width, image, class int) (PromptRecord, error) {
	r := PromptRecord{Image: image, Class: class}
	if width < 1 || len(mask)%width != 0 {
		return r, fmt.Errorf("a mask of %d pixels in rows of %d", len(mask), width)
	}
	for _, p := range points {
		if p.X < 0 || p.X >= width || p.Y < 0 || p.Y >= len(mask)/width {
			return r, fmt.Errorf("point (%d, %d) lies outside of image %d, %d x %d", p.X, p.Y, image, width, len(mask)/width)
		}
		kind := mask[p.Y*width+p.X]
		on := kind == Inside
		switch {
		case kind > Inside:
			if p.Positive {
				r.First = Skipped
			}
		case p.Positive:
			r.Positive++
			r.First = outcome(on)
			if on {
				r.PositiveRight++
			}
		default:
			r.Negative++
			if !on {
				r.NegativeRight++
			}
		}
	}
	return r, nil
}

func (r PromptRecord) check() error {
	ok := r.Image >= 0 && r.Class >= 0 && r.Class < MaxClasses && r.First >= Miss && r.First <= Hit
	for _, pair := range [][2]int64{{r.PositiveRight, r.Positive}, {r.NegativeRight, r.Negative}} {
		ok = ok && pair[0] >= 0 && pair[0] <= pair[1] && pair[1] <= maxPixels
	}
	for _, o := range []*Overlap{r.Chosen, r.Oracle} {
		ok = ok && (o == nil || o.Intersection >= 0 && o.Intersection <= o.Union && o.Union <= maxPixels)
	}
	if !ok {
		return fmt.Errorf("points of class %d in image %d: %+v", r.Class, r.Image, r)
	}
	return nil
}

// Prompting is the accumulator of [PromptRecord]s. The zero value is ready. It may be used by one
// goroutine at a time.
type Prompting struct{ records []PromptRecord }

// Add adds the points of one image and class. The record must not be changed afterwards.
func (p *Prompting) Add(r PromptRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	p.records = append(p.records, r)
	return nil
}

// Merge adds all points of another accumulator.
func (p *Prompting) Merge(other *Prompting) error {
	p.records = append(p.records, other.records...)
	return nil
}

// Scores are, without those that are undefined,
//
//	point-acc, point-acc+, point-acc-  the share of all, positive and negative points that are right
//	hit@1                              the share of strongest positive points on the object
//	mask-IoU, mask-IoU-oracle          the mean IoU over the masks, chosen by the segmenter and by the truth
//	mask-mIoU, mask-mIoU-oracle        the same, pooled per class, then averaged over the classes
func (p *Prompting) Scores() []Score {
	var n PromptRecord
	var first, hits int64
	for _, r := range p.records {
		n.Positive += r.Positive
		n.PositiveRight += r.PositiveRight
		n.Negative += r.Negative
		n.NegativeRight += r.NegativeRight
		if r.First != Skipped {
			first++
		}
		if r.First == Hit {
			hits++
		}
	}
	var out []Score
	add := func(name string, value float64, ok bool) {
		if ok {
			out = append(out, Score{name, value})
		}
	}
	share := func(name string, right, all int64) {
		value, ok := ratio(right, all)
		add(name, value, ok)
	}
	share("point-acc", n.PositiveRight+n.NegativeRight, n.Positive+n.Negative)
	share("point-acc+", n.PositiveRight, n.Positive)
	share("point-acc-", n.NegativeRight, n.Negative)
	share("hit@1", hits, first)
	for _, m := range []struct {
		suffix string
		of     func(PromptRecord) *Overlap
	}{{"", func(r PromptRecord) *Overlap { return r.Chosen }}, {"-oracle", func(r PromptRecord) *Overlap { return r.Oracle }}} {
		mean, pooled, ok := p.masks(m.of)
		add("mask-IoU"+m.suffix, mean, ok)
		add("mask-mIoU"+m.suffix, pooled, ok)
	}
	return out
}

// masks is the mean IoU over masks, and over classes of the pooled ones.
func (p *Prompting) masks(of func(PromptRecord) *Overlap) (mean, pooled float64, ok bool) {
	var each []float64
	classes := make(map[int]Overlap)
	for _, r := range p.records {
		if o := of(r); o != nil {
			each = append(each, o.IoU())
			sum := classes[r.Class]
			classes[r.Class] = Overlap{sum.Intersection + o.Intersection, sum.Union + o.Union}
		}
	}
	var perClass []float64
	for _, o := range classes {
		perClass = append(perClass, o.IoU())
	}
	mean, ok = sortedMean(each)
	pooled, _ = sortedMean(perClass)
	return min(1, mean), min(1, pooled), ok
}

// Clicks is the number of clicks to reach a quality, and whether they did not suffice: ious are those
// after the first click, the second … A sample that never reaches target counts limit clicks; over is
// true for it and, as in RITM's tables of samples over the limit, for one that takes exactly as many.
// Sofiiuk et al., "Reviving Iterative Training with Mask Guidance", ICIP 2022.
func Clicks(ious []float64, target float64, limit int) (clicks int, over bool) {
	clicks = limit
	for i, iou := range ious[:min(len(ious), max(0, limit))] {
		if iou >= target {
			clicks = i + 1
			break
		}
	}
	return clicks, clicks == limit
}

// BestOverlap is the index of the mask with the highest IoU, the first of equal ones; -1 without masks.
func BestOverlap(masks []Overlap) int {
	best := -1
	for i, m := range masks {
		if best < 0 || cmp.Compare(m.IoU(), masks[best].IoU()) > 0 {
			best = i
		}
	}
	return best
}
