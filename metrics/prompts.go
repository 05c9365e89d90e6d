package metrics

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Prompt is a point for an interactive segmenter: a pixel, x to the right from 0, said to lie on the
// object or off it.
type Prompt struct {
	X, Y     int
	Positive bool
}

// PromptRecord is the prompts made from the map of one class in one image, and the masks that came of them.
type PromptRecord struct {
	Image         int   `json:"image"`
	Class         int   `json:"class"`
	Truth         int64 `json:"truth"`              // pixels of the class
	Constant      bool  `json:"constant,omitempty"` // the map shows nothing: it has one value, or none above zero
	Positive      int64 `json:"positive"`           // points said to lie on the object, on pixels that are judged
	PositiveRight int64 `json:"positive_right"`     // of which do
	Negative      int64 `json:"negative"`
	NegativeRight int64 `json:"negative_right"`
	// First is whether the strongest positive point lies on the object; Skipped if there is none, or
	// if it lies on void.
	First Outcome `json:"first"`
	// Map is the map over a threshold; FromPoints and FromBox are what a segmenter made of the prompts, nil without one.
	Map        *Overlap     `json:"map,omitempty"`
	FromPoints *PromptMasks `json:"from_points,omitempty"`
	FromBox    *PromptMasks `json:"from_box,omitempty"`
}

// PromptMasks are a segmenter's masks for one prompt: the one for clear prompts, then those for ambiguous ones, or one
// alone.
type PromptMasks struct {
	Overlaps []Overlap `json:"masks"`
	Chosen   int       `json:"chosen"` // the one that the segmenter thinks best
}

// chosen, oracle and single are the mask that the segmenter thinks best, the best of those it chose from, and the
// first. All are nil without masks.
func (m *PromptMasks) chosen() *Overlap { return m.at(func() int { return m.Chosen }) }
func (m *PromptMasks) single() *Overlap { return m.at(func() int { return 0 }) }

func (m *PromptMasks) oracle() *Overlap {
	return m.at(func() int {
		from := min(1, len(m.Overlaps)-1)
		return from + BestOverlap(m.Overlaps[from:])
	})
}

func (m *PromptMasks) at(index func() int) *Overlap {
	if m == nil || len(m.Overlaps) == 0 {
		return nil
	}
	return &m.Overlaps[index()]
}

// Main is the mask that a table by class shows: the one chosen from those of points or, without a segmenter, the map's.
func (r PromptRecord) Main() Overlap {
	if o := r.FromPoints.chosen(); o != nil {
		return *o
	}
	if r.Map != nil {
		return *r.Map
	}
	return Overlap{}
}

// Scores are those of the record alone: points by kind, how many are right, and the IoU of each kind of mask that it
// has.
func (r PromptRecord) Scores() []Score {
	out := []Score{
		{"points_on", float64(r.Positive)}, {"points_on_right", float64(r.PositiveRight)},
		{"points_off", float64(r.Negative)}, {"points_off_right", float64(r.NegativeRight)}, {"hit@1", float64(r.First)},
	}
	for _, k := range maskKinds {
		if o := k.of(r); o != nil {
			out = append(out, Score{k.prefix + "-IoU" + k.suffix, o.IoU()})
		}
	}
	return out
}

// Overlap is the pixels of a predicted mask and the true one. Files have it as [intersection, union].
type Overlap struct{ Intersection, Union int64 }

// MarshalJSON writes two numbers.
func (o Overlap) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d]", o.Intersection, o.Union), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Overlap) UnmarshalJSON(b []byte) error {
	var pair []int64
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("overlap %s: want [intersection, union]", b)
	}
	o.Intersection, o.Union = pair[0], pair[1]
	return nil
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
	for _, kind := range mask {
		if kind == Inside {
			r.Truth++
		}
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
	ok = ok && r.Truth >= 0 && r.Truth <= maxPixels
	overlaps := []*Overlap{r.Map}
	for _, m := range []*PromptMasks{r.FromPoints, r.FromBox} {
		if m == nil {
			continue
		}
		ok = ok && m.Chosen >= 0 && m.Chosen < len(m.Overlaps)
		for i := range m.Overlaps {
			overlaps = append(overlaps, &m.Overlaps[i])
		}
	}
	for _, o := range overlaps {
		ok = ok && (o == nil || o.Intersection >= 0 && o.Intersection <= o.Union && o.Union <= maxPixels)
	}
	if !ok {
		return fmt.Errorf("prompts of class %d in image %d: %+v", r.Class, r.Image, r)
	}
	return nil
}

// maskKinds are the masks that are scored, by the beginning and the end of their scores' names.
var maskKinds = []struct {
	prefix, suffix, doc string
	of                  func(PromptRecord) *Overlap
}{
	{"mask", "", "the segmenter's masks from points, of each prompt the one that it expects most of",
		func(r PromptRecord) *Overlap { return r.FromPoints.chosen() }},
	{"mask", "-oracle", "an upper bound: of each prompt the best of the masks it chose from, known from the truth",
		func(r PromptRecord) *Overlap { return r.FromPoints.oracle() }},
	{"mask", "-single", "the mask that the segmenter has for clear prompts",
		func(r PromptRecord) *Overlap { return r.FromPoints.single() }},
	{"box", "", "the segmenter's masks from a box, chosen likewise",
		func(r PromptRecord) *Overlap { return r.FromBox.chosen() }},
	{"box", "-oracle", "the upper bound from a box", func(r PromptRecord) *Overlap { return r.FromBox.oracle() }},
	{"box", "-single", "the mask for clear prompts from a box",
		func(r PromptRecord) *Overlap { return r.FromBox.single() }},
	{"map", "", "the map over a threshold, without segmenter", func(r PromptRecord) *Overlap { return r.Map }},
}

// PromptScore is a score of prompts by its name.
type PromptScore struct{ Name, Doc string }

// PromptScores are the names that [PromptStatistic] knows: of each kind of mask KIND-mIoU, pooled over each class and
// averaged over classes, and KIND-IoU, the mean over masks; then those of points.
func PromptScores() (out []PromptScore) {
	for _, k := range maskKinds {
		out = append(out,
			PromptScore{k.prefix + "-mIoU" + k.suffix, k.doc + ": IoU pooled over each class, averaged over classes"},
			PromptScore{k.prefix + "-IoU" + k.suffix, k.doc + ": mean over masks"})
	}
	return append(out,
		PromptScore{"point-acc", "share of points that lie where they say, on the object or off it"},
		PromptScore{"point-acc+", "as point-acc, of points on the object"},
		PromptScore{"point-acc-", "as point-acc, of points off the object"},
		PromptScore{"hit@1", "share of maps whose strongest point lies on the object"})
}

// PromptStatistic is one of [PromptScores] over that many images.
func PromptStatistic(records []PromptRecord, images int, score string) (Statistic, error) {
	if !slices.ContainsFunc(PromptScores(), func(s PromptScore) bool { return s.Name == score }) {
		return nil, fmt.Errorf("score %q of prompts is not known", score)
	}
	if err := checkRecords(records, images, func(r PromptRecord) (int, error) { return r.Image, r.check() }); err != nil {
		return nil, err
	}
	classes := 0
	for _, r := range records {
		classes = max(classes, r.Class+1)
	}
	p := &prompting{}
	for range maskKinds {
		p.masks = append(p.masks, &masks{count: make([]int64, classes), overlap: make([]Overlap, classes)})
	}
	return pooled(p, records, images, func(i int) int { return records[i].Image }, score), nil
}

// prompting sums points and masks.
type prompting struct {
	points      PromptRecord
	first, hits int64
	masks       []*masks // by kind
}

func (p *prompting) clear() {
	p.points, p.first, p.hits = PromptRecord{}, 0, 0
	for _, m := range p.masks {
		m.clear()
	}
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
	for i, k := range maskKinds {
		p.masks[i].add(r.Class, k.of(r), times)
	}
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
	for i, k := range maskKinds {
		if mean, pooled, ok := p.masks[i].scores(); ok {
			out = append(out, Score{k.prefix + "-IoU" + k.suffix, mean}, Score{k.prefix + "-mIoU" + k.suffix, pooled})
		}
	}
	return out
}

// masks sums overlaps.
type masks struct {
	sum     float64 // of IoU
	count   []int64 // by class
	overlap []Overlap
}

func (m *masks) clear() {
	m.sum = 0
	clear(m.count)
	clear(m.overlap)
}

func (m *masks) add(class int, o *Overlap, times int64) {
	if o == nil {
		return
	}
	m.sum += float64(times) * o.IoU()
	m.count[class] += times
	m.overlap[class].Intersection += times * o.Intersection
	m.overlap[class].Union += times * o.Union
}

func (m *masks) scores() (mean, pooled float64, ok bool) {
	var all, classes int64
	for c, n := range m.count {
		all += n
		if n > 0 {
			classes++
			pooled += m.overlap[c].IoU()
		}
	}
	return m.sum / float64(max(1, all)), pooled / float64(max(1, classes)), all > 0
}

// BestOverlap is the index of the mask with the highest IoU, the first of equal ones; -1 without masks.
func BestOverlap(masks []Overlap) int {
	best := -1
	for i, m := range masks {
		if best < 0 || m.IoU() > masks[best].IoU() {
			best = i
		}
	}
	return best
}
