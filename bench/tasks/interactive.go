package tasks

import (
	"cmp"
	"fmt"
	"math"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
	"ovbench/runners/sam"
)

// interactive asks how well maps prompt an interactive segmenter, so that nobody has to click (arXiv 2304.05653,
// section 4.4). The map of each class that is present makes points, which lie on the object or not, and a box; a
// segmenter makes masks of either. What the map says without a segmenter, over a threshold, is scored beside them.
// Without a segmenter there are points and that alone.
//
// The truth of a class is one mask, of all its things together, which the masks of a segmenter, made for one thing or a
// part of it, cannot always cover.
type interactive struct{}

func (interactive) Needs() Needs {
	return Needs{Whole: true, Surgery: true, Segmenter: true, Classes: classesPresent}
}

func (interactive) Check(s datasets.Sample) error {
	if s.Labels.W == 0 {
		return fmt.Errorf("it has no label maps, which task interactive needs")
	}
	return nil
}

func (interactive) Measure(v *View) (Measured, error) {
	var maps [][]uint16
	var prompts [][]Prompted
	m, err := v.each(func(s *Seen) (out records.Evidence, err error) {
		picked := newClaims(v)
		var kept []Prompted
		for _, class := range present(v.Sample.Labels.Pix, v.Info) {
			r, p, err := promptClass(v, s, class)
			if err != nil {
				return out, err
			}
			out.Prompts = append(out.Prompts, r)
			picked.claim(p)
			if v.KeepMasks {
				kept = append(kept, p)
			}
		}
		maps, prompts = append(maps, picked.labels), append(prompts, kept)
		return out, nil
	})
	if v.Segment != nil {
		m.Labels, m.Prompts = maps, prompts
	}
	return m, err
}

// Prompted is the prompts made from the map of one class, and the masks that came of them; nil where the map makes no
// prompt.
type Prompted struct {
	Class               int
	Points, Box         sam.Prompt
	FromPoints, FromBox *sam.Masks
}

// PointParams are the options of a protocol's points, by the names of its fields.
func PointParams(p configs.Protocol) map[string]any {
	return map[string]any{
		"point_threshold": cmp.Or(p.PointThreshold, configs.DefaultPointThreshold), "point_shrink": cmp.Or(p.PointShrink,
			configs.DefaultPointShrink),
		"max_points": p.MaxPoints, "map_threshold": cmp.Or(p.MapThreshold, configs.DefaultMapThreshold),
	}
}

// pointOptions are those of a protocol, and the value of a map that bounds its mask and its box.
func pointOptions(p configs.Protocol) (points methods.PointOptions, threshold float32) {
	return methods.PointOptions{
		Threshold: float32(cmp.Or(p.PointThreshold, configs.DefaultPointThreshold)),
		Shrink:    cmp.Or(p.PointShrink, configs.DefaultPointShrink), Most: p.MaxPoints,
	}, float32(cmp.Or(p.MapThreshold, configs.DefaultMapThreshold))
}

// promptClass measures the prompts of one class.
func promptClass(v *View, s *Seen, class int) (r metrics.PromptRecord, p Prompted, err error) {
	p.Class = class
	cells, err := v.surgical(s, class)
	if err != nil {
		return r, p, err
	}
	w, h := v.Sample.Labels.W, v.Sample.Labels.H
	options, threshold := pointOptions(v.Protocol)
	truth := metrics.ClassMask(v.Sample.Labels.Pix, uint16(class), labelmap.Ignore)
	var judged []metrics.Prompt
	for _, q := range methods.Points(cells, s.Rows, s.Cols, w, h, options) {
		p.Points.Points = append(p.Points.Points, sam.Point{X: float64(q.X), Y: float64(q.Y), Positive: q.Label == 1})
		judged = append(judged, metrics.Prompt{X: q.X, Y: q.Y, Positive: q.Label == 1})
	}
	if r, err = metrics.PromptsAt(judged, truth, w, v.Index, class); err != nil {
		return r, p, err
	}
	saliency, flaw := s.Map(cells, h, w)
	r.Constant = flaw != ""
	if r.Map, err = overlapOver(saliency, threshold, truth); err != nil || v.Segment == nil {
		return r, p, err
	}
	if x0, y0, x1, y1, ok := methods.Box(saliency, w, h, threshold); ok {
		p.Box.Box = &sam.Box{X0: float64(x0), Y0: float64(y0), X1: float64(x1), Y1: float64(y1)}
	}
	if r.FromPoints, p.FromPoints, err = masksOf(v, p.Points, truth); err == nil {
		r.FromBox, p.FromBox, err = masksOf(v, p.Box, truth)
	}
	return r, p, err
}

// overlapOver compares what is over a threshold with the truth.
func overlapOver(saliency []float32, threshold float32, truth []uint8) (*metrics.Overlap, error) {
	over := make([]uint8, len(saliency))
	for i, x := range saliency {
		if x >= threshold {
			over[i] = metrics.Inside
		}
	}
	o, err := metrics.OverlapOf(over, truth)
	return &o, err
}

// masksOf compares the masks of a prompt with the truth. Where a map makes no prompt the mask is empty.
func masksOf(v *View, p sam.Prompt, truth []uint8) (*metrics.PromptMasks, *sam.Masks, error) {
	if len(p.Points) == 0 && p.Box == nil {
		empty, err := metrics.OverlapOf(make([]uint8, len(truth)), truth)
		return &metrics.PromptMasks{Overlaps: []metrics.Overlap{empty}}, nil, err
	}
	m, err := v.Segment(p)
	if err != nil {
		return nil, nil, err
	}
	out := &metrics.PromptMasks{Chosen: m.Best()}
	for i := range m.IoU {
		o, err := metrics.OverlapOf(m.Mask(i), truth) // 1 is Inside
		if err != nil {
			return nil, nil, err
		}
		out.Overlaps = append(out.Overlaps, o)
	}
	return out, m, nil
}

// claims is a label map made of masks: a pixel in several goes to the one of the highest expected IoU.
type claims struct {
	labels []uint16
	iou    []float32
}

func newClaims(v *View) *claims {
	c := &claims{make([]uint16, len(v.Sample.Labels.Pix)), make([]float32, len(v.Sample.Labels.Pix))}
	for i := range c.labels {
		if c.iou[i] = float32(math.Inf(-1)); !v.Info.Background {
			c.labels[i] = labelmap.Ignore
		}
	}
	return c
}

// claim gives the chosen mask from points its pixels.
func (c *claims) claim(p Prompted) {
	if p.FromPoints == nil {
		return
	}
	best := p.FromPoints.Best()
	iou := p.FromPoints.IoU[best]
	for i, on := range p.FromPoints.Mask(best) {
		if on != 0 && iou > c.iou[i] {
			c.labels[i], c.iou[i] = uint16(p.Class), iou
		}
	}
}

// prompted is what the records of one data set and method say of prompts. Images are numbered by record.
type prompted struct {
	context  Context
	evidence []records.Record
	records  []metrics.PromptRecord
}

func (e *prompted) size() int { return len(e.evidence) }

func (e *prompted) image(i int) (*prompted, error) { return e.context.prompted(e.evidence[i : i+1]) }

func (c Context) prompted(recs []records.Record) (*prompted, error) {
	out := &prompted{context: c, evidence: recs}
	for i, r := range recs {
		e, err := r.Evidence(c.Method)
		if err != nil {
			return nil, err
		}
		for _, p := range e.Prompts {
			p.Image = i
			out.records = append(out.records, p)
		}
	}
	return out, nil
}

// promptConvention is that of the task's cells.
const promptConvention = "prompts"

// promptMetrics are the scores of task interactive.
var promptMetrics = func() (out []metric[*prompted]) {
	for _, s := range metrics.PromptScores() {
		stat := func(e *prompted) (metrics.Statistic, error) {
			return metrics.PromptStatistic(e.records, e.size(), s.Name)
		}
		m := metric[*prompted]{name: s.Name, doc: s.Doc, of: stat, each: alone(stat)}
		if s.Name == "hit@1" {
			m.events = (*prompted).events
		}
		out = append(out, m)
	}
	return out
}()

// events are the strongest points.
func (e *prompted) events() []Event {
	out := []Event{}
	for _, r := range e.records {
		if r.First != metrics.Skipped {
			out = append(out, Event{r.Image, r.Class, r.First == metrics.Hit})
		}
	}
	return out
}

func (interactive) Cells(c Context, recs []records.Record) ([]Cell, error) {
	e, err := c.prompted(recs)
	if err != nil {
		return nil, err
	}
	return []Cell{{promptConvention, statisticsOf(promptConvention, promptMetrics, e), func(cell *results.Cell) error {
		e.describe(cell, c.Dataset.Classes)
		return nil
	}}}, nil
}

// describe adds counts, and the IoU of each class: of the mask that the segmenter chose or, without one, of the map.
func (e *prompted) describe(cell *results.Cell, classes []string) {
	cell.Counts["maps"], cell.Counts["constant_maps"] = len(e.records), 0
	scores := make([]results.ClassScore, len(classes))
	sums := make([]metrics.Overlap, len(classes))
	for _, r := range e.records {
		if r.Constant {
			cell.Counts["constant_maps"]++
		}
		o := r.Main()
		sums[r.Class].Intersection += o.Intersection
		sums[r.Class].Union += o.Union
		scores[r.Class].Images++
		scores[r.Class].Pixels += r.Truth
		scores[r.Class].Predicted += o.Union - r.Truth + o.Intersection
	}
	for i, name := range classes {
		scores[i].Class = name
		if scores[i].Images > 0 {
			iou := sums[i].IoU()
			scores[i].IoU = &iou
		}
	}
	cell.Classes = scores
}
