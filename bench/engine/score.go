package engine

import (
	"cmp"
	"fmt"
	"slices"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// level is the confidence of intervals.
const level = 0.95

// Metrics lists the scores of a cell.
var Metrics = []struct{ Name, Doc string }{
	{"mIoU", "mean over classes of intersection over union, pooled over the data set"},
	{"mAcc", "mean over classes of recall"},
	{"aAcc", "share of pixels that are right"},
	{"FWIoU", "IoU weighted by the classes' share of pixels"},
	{"mDice", "mean over classes of 2I/(T+P)"},
}

// Score turns records into the cells of a run, data set by data set and method by method. It depends on the
// records alone, not on their order. Intervals come from bootstrap resamples of the images; 0 gives none.
func Score(run *results.Run, recs []Record, resamples int, seed uint64) ([]results.Cell, error) {
	convention := metrics.MMSeg
	if name, ok := run.Protocol.Fields["convention"].(string); ok {
		var err error
		if convention, err = metrics.FindConvention(name); err != nil {
			return nil, err
		}
	}
	recs = slices.Clone(recs)
	slices.SortFunc(recs, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Index, b.Index))
	})
	var cells []results.Cell
	for _, d := range run.Datasets {
		for _, m := range run.Methods {
			var images []metrics.Sparse
			for _, r := range recs {
				if r.Dataset != d.Name {
					continue
				}
				confusion, ok := r.Methods[m.Name]
				if !ok {
					return nil, fmt.Errorf("the record of %s in %s lacks method %q", r.ID, d.Name, m.Name)
				}
				s, err := confusion.sparse()
				if err != nil {
					return nil, fmt.Errorf("the record of %s in %s: %w", r.ID, d.Name, err)
				}
				images = append(images, s)
			}
			c, err := scoreCell(d, images, convention, resamples, seed)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", d.Name, m.Name, err)
			}
			c.Dataset, c.Method = d.Name, m.Name
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// scoreCell pools the images of one data set and method.
func scoreCell(d results.Dataset, images []metrics.Sparse, v metrics.Convention, resamples int, seed uint64) (results.Cell, error) {
	c := results.Cell{Task: "segmentation", Convention: v.Name, Images: len(images)}
	total, err := metrics.NewConfusion(len(d.Classes))
	if err != nil {
		return c, err
	}
	for _, s := range images {
		if err := total.Add(s); err != nil {
			return c, err
		}
	}
	stats := map[string]func(metrics.Areas) (float64, bool){
		"mIoU": v.MIoU, "mAcc": v.MAcc, "aAcc": metrics.AAcc, "FWIoU": v.FWIoU, "mDice": metrics.MDice,
	}
	for _, s := range total.Scores(v) {
		score := results.Score{Name: s.Name, Value: s.Value}
		if lo, hi, ok := metrics.Bootstrap(images, len(d.Classes), resamples, seed, level, stats[s.Name]); ok && len(images) > 1 {
			score.Low, score.High, score.Level, score.Resamples = &lo, &hi, level, resamples
		}
		c.Scores = append(c.Scores, score)
	}
	for _, k := range total.PerClass(v) {
		row := results.ClassScore{Class: d.Classes[k.Class], Pixels: k.Truth, Predicted: k.Pred}
		for _, s := range k.Scores {
			value := s.Value
			switch s.Name {
			case "IoU":
				row.IoU = &value
			case "Acc":
				row.Acc = &value
			case "Precision":
				row.Precision = &value
			case "Dice":
				row.Dice = &value
			}
		}
		c.Classes = append(c.Classes, row)
	}
	if len(images) > 1 && len(images) < 100 && resamples > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("intervals from %d images are rough; a hundred or more make them useful", len(images)))
	}
	return c, nil
}
