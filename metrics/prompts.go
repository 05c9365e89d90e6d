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

// PromptScores are the names of [PromptStatistic].
var PromptScores = []string{
	"point-acc", "point-acc+", "point-acc-", "hit@1", "mask-IoU", "mask-mIoU", "mask-IoU-oracle", "mask-mIoU-oracle",
}

// PromptStatistic is one of the scores of points over that many images:
//
//	point-acc, point-acc+, point-acc-  the share of all, positive and negative points that are right
//	hit@1                              the share of strongest positive points on the object
//	mask-IoU, mask-IoU-oracle          the mean IoU over the masks, chosen by the segmenter and by the truth
//	mask-mIoU, mask-mIoU-oracle        the same, pooled per class, then averaged over the classes
func PromptStatistic(records []PromptRecord, images int, score string) (Statistic, error) {
	if err := known(score, PromptScores...); err != nil {
		return nil, err
	}
	if err := checkRecords(records, images, func(r PromptRecord) (int, error) { return r.Image, r.check() }); err != nil {
		return nil, err
	}
	classes := 0
	for _, r := range records {
		classes = max(classes, r.Class+1)
	}
	p := &prompting{chosen: newMasks(classes), oracle: newMasks(classes)}
	return pooled(p, records, images, func(i int) int { return records[i].Image }, score), nil
}

// prompting sums points and masks.
type prompting struct {
	points         PromptRecord
	first, hits    int64
	chosen, oracle masks
}

func (p *prompting) clear() {
	p.points, p.first, p.hits = PromptRecord{}, 0, 0
	p.chosen.clear()
	p.oracle.clear()
}

func (p *prompting) add(r PromptRecord, times int64) {
	p.points.Positive += times * r.Positive
	p.points.PositiveRight += times * r.PositiveRight
	p.points.Negative += times * r.Negative
	p.points.NegativeRight += times * r.NegativeRight
	if r.First != Skipped {
		p.first += times
	}
	if r.First == Hit {
		p.hits += times
	}
	p.chosen.add(r.Class, r.Chosen, times)
	p.oracle.add(r.Class, r.Oracle, times)
}

func (p *prompting) Scores() (out []Score) {
	share := func(name string, right, all int64) {
		if value, ok := ratio(right, all); ok {
			out = append(out, Score{name, value})
		}
	}
	n := p.points
	share("point-acc", n.PositiveRight+n.NegativeRight, n.Positive+n.Negative)
	share("point-acc+", n.PositiveRight, n.Positive)
	share("point-acc-", n.NegativeRight, n.Negative)
	share("hit@1", p.hits, p.first)
	for _, m := range []struct {
		suffix string
		of     masks
	}{{"", p.chosen}, {"-oracle", p.oracle}} {
		if mean, pooled, ok := m.of.scores(); ok {
			out = append(out, Score{"mask-IoU" + m.suffix, mean}, Score{"mask-mIoU" + m.suffix, pooled})
		}
	}
	return out
}

// masks sums overlaps.
type masks struct {
	sum     *float64 // of IoU
	count   []int64  // by class
	overlap []Overlap
}

func newMasks(classes int) masks {
	return masks{new(float64), make([]int64, classes), make([]Overlap, classes)}
}

func (m masks) clear() {
	*m.sum = 0
	clear(m.count)
	clear(m.overlap)
}

func (m masks) add(class int, o *Overlap, times int64) {
	if o == nil {
		return
	}
	*m.sum += float64(times) * o.IoU()
	m.count[class] += times
	m.overlap[class].Intersection += times * o.Intersection
	m.overlap[class].Union += times * o.Union
}

func (m masks) scores() (mean, pooled float64, ok bool) {
	var all, classes int64
	for c, n := range m.count {
		all += n
		if n > 0 {
			classes++
			pooled += m.overlap[c].IoU()
		}
	}
	return *m.sum / float64(max(1, all)), pooled / float64(max(1, classes)), all > 0
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
