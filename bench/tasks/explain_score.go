package tasks

import (
	"fmt"
	"math"

	"ovbench/bench/records"
	"ovbench/metrics"
	"ovbench/reports/results"
)

// explained is what the records of one data set and method say. Images are numbered by record, as resamples count them;
// original has the records with the numbers of the split, whose even and odd halves lend each other thresholds.
type explained struct {
	images, classes int
	original, maps  []metrics.ExplainRecord
	odd             []bool // images by the parity of their index in the split
	energy          []metrics.EnergyRecord
	squared         []metrics.ImageNetSegmentationRecord
	games           []Game
}

// Game is one form of the pointing game: the suffix of its scores, and its events.
type Game struct {
	Suffix string
	Events []metrics.PointRecord
}

// Games are the forms of the pointing game that one method played on one image.
func Games(e records.Evidence) []Game {
	return []Game{{"", e.Points}, {"-in-mask", e.PointsIn}, {"-boxes", e.Boxes}, {"-masks", e.Masks}}
}

func (c Context) explained(recs []records.Record) *explained {
	out := &explained{images: len(recs), classes: len(c.Dataset.Classes)}
	for _, g := range Games(records.Evidence{}) {
		out.games = append(out.games, Game{Suffix: g.Suffix})
	}
	for i, r := range recs {
		e := r.Methods[c.Method]
		out.odd = append(out.odd, r.Index%2 == 1)
		out.original = append(out.original, e.Explain...)
		for _, x := range e.Explain {
			x.Image = i
			out.maps = append(out.maps, x)
		}
		for _, x := range e.Energy {
			x.Image = i
			out.energy = append(out.energy, x)
		}
		for _, x := range e.Squared {
			x.Image = i
			out.squared = append(out.squared, x)
		}
		for k, g := range Games(e) {
			for _, x := range g.Events {
				x.Image = i
				out.games[k].Events = append(out.games[k].Events, x)
			}
		}
	}
	return out
}

// foreground and imageNetSegmentation are the conventions of the task's cells.
const (
	foreground           = "foreground"
	imageNetSegmentation = "imagenet-segmentation"
)

func (t explain) Score(c Context, recs []records.Record) ([]results.Cell, error) {
	e := c.explained(recs)
	ms, err := t.Statistics(c, recs)
	if err != nil {
		return nil, err
	}
	cell, err := c.foregroundCell(e)
	if err != nil {
		return nil, err
	}
	c.intervals(&cell, ms)
	cells := []results.Cell{cell}
	if len(e.squared) > 0 {
		var total metrics.ImageNetSegmentation
		if err := AddAll(total.Add, e.squared); err != nil {
			return nil, err
		}
		cell := results.Cell{Convention: imageNetSegmentation, Images: len(recs), Scores: scoresOf("", total.Scores()),
			Counts: map[string]int{"maps": len(e.squared), "flat_maps": total.Flat()}}
		c.intervals(&cell, ms)
		cells = append(cells, cell)
	}
	return cells, nil
}

// scoresOf are scores with a suffix on their names.
func scoresOf(suffix string, list []metrics.Score) (out []results.Score) {
	for _, s := range list {
		out = append(out, results.Score{Name: s.Name + suffix, Value: s.Value})
	}
	return out
}

func (c Context) foregroundCell(e *explained) (results.Cell, error) {
	cell := results.Cell{Convention: foreground, Images: e.images, Warnings: c.few(e.images), Counts: map[string]int{}}
	maps, err := metrics.NewExplainability(e.classes)
	if err == nil {
		err = AddAll(maps.Add, e.original)
	}
	if err != nil {
		return cell, err
	}
	summary := maps.Summary()
	cell.Scores, cell.Curves = scoresOf("", summary.Scores), thresholdCurve(maps)
	if summary.Maps > 0 {
		cell.Counts = map[string]int{
			"maps": summary.Maps, "nan_maps": summary.NaN, "constant_maps": summary.Constant, "tied_maps": summary.Tied,
			"full_maps": summary.Full, "undefined_classes": e.classes - summary.Classes,
		}
		searched := fmt.Sprintf("fg-mIoU is at threshold %.2f, searched on these images", summary.Best)
		if cell.Score("fg-mIoU@other-half") != nil {
			searched += fmt.Sprintf("; %.2f and %.2f on their halves", summary.BestOfEven, summary.BestOfOdd)
		}
		cell.Warnings = append(cell.Warnings, searched)
	}
	for _, g := range e.games {
		if len(g.Events) == 0 {
			continue
		}
		points, err := metrics.NewPointing(e.classes)
		if err == nil {
			err = AddAll(points.Add, g.Events)
		}
		if err != nil {
			return cell, err
		}
		n := points.Counts()
		cell.Scores = append(cell.Scores, scoresOf(g.Suffix, points.Scores())...)
		name := "events" + g.Suffix
		cell.Counts[name], cell.Counts["skipped_"+name] = int(n.Hits+n.Misses), int(n.Skipped)
		cell.Counts["tied_"+name], cell.Counts["classes_without_"+name] = int(n.Tied), n.Absent
	}
	var energy metrics.Energy
	if err := AddAll(energy.Add, e.energy); err != nil {
		return cell, err
	}
	cell.Scores = append(cell.Scores, scoresOf("", energy.Scores())...)
	if len(e.energy) > 0 {
		cell.Counts["empty_maps"] = energy.Empty()
	}
	return cell, nil
}

func (explain) Statistics(c Context, recs []records.Record) ([]Statistic, error) {
	e := c.explained(recs)
	out := e.mapStatistics()
	for _, g := range e.games {
		if len(g.Events) == 0 {
			continue
		}
		events := eventsOf(g.Events)
		each := func() ([]float64, error) { return shareOfHits(events, e.images), nil }
		for _, score := range []string{"pointing", "pointing-seen", "pointing-micro"} {
			out = append(out, Statistic{Convention: foreground, Score: score + g.Suffix, Each: each, Events: events, SharesEach: score != "pointing",
				Pooled: func() (metrics.Statistic, error) {
					return metrics.PointingStatisticOf(g.Events, e.images, e.classes, score)
				}})
		}
	}
	for _, score := range []string{"energy", "energy-class"} {
		out = append(out, Statistic{Convention: foreground, Score: score, SharesEach: score != "energy",
			Pooled: func() (metrics.Statistic, error) {
				return metrics.EnergyStatistic(e.energy, e.images, e.classes, score)
			},
			Each: e.alone(func(one *explained) (metrics.Statistic, error) {
				return metrics.EnergyStatistic(one.energy, 1, e.classes, score)
			})})
	}
	for _, score := range []string{"mIoU", "pixAcc", "mAP", "mF1"} {
		out = append(out, Statistic{Convention: imageNetSegmentation, Score: score,
			Pooled: func() (metrics.Statistic, error) {
				return metrics.ImageNetSegmentationStatistic(e.squared, e.images, score)
			},
			Each: e.alone(func(one *explained) (metrics.Statistic, error) {
				return metrics.ImageNetSegmentationStatistic(one.squared, 1, score)
			})})
	}
	return out, nil
}

// mapStatistics are those of the maps. The value of a single image is at the threshold that is best for all of them, since one
// searched on a single image says nothing.
func (e *explained) mapStatistics() (out []Statistic) {
	for _, score := range []string{"fg-mIoU", "fg-mIoU@0.5", "fg-mIoU@otsu", "PxAP", "mSC", "mSC-pairs"} {
		single := func(one *explained) (metrics.Statistic, error) {
			return metrics.ExplainStatistic(one.maps, 1, e.classes, score)
		}
		if score == "fg-mIoU" {
			single = nil
		}
		m := Statistic{Convention: foreground, Score: score, SharesEach: score == "mSC-pairs", Pooled: func() (metrics.Statistic, error) {
			return metrics.ExplainStatistic(e.maps, e.images, e.classes, score)
		}}
		if m.Each = e.alone(single); single == nil {
			m.Each = e.atBest
		}
		out = append(out, m)
	}
	return append(out, Statistic{Convention: foreground, Score: "fg-mIoU@other-half", Pooled: func() (metrics.Statistic, error) {
		return metrics.OtherHalfStatistic(e.maps, e.images, e.classes, func(image int) bool { return e.odd[image] })
	}})
}

// alone gives each image's own score, by the statistic of that image.
func (e *explained) alone(of func(one *explained) (metrics.Statistic, error)) func() ([]float64, error) {
	return func() ([]float64, error) {
		ones := make([]explained, e.images)
		for _, x := range e.maps {
			i := x.Image
			x.Image = 0
			ones[i].maps = append(ones[i].maps, x)
		}
		for _, x := range e.energy {
			i := x.Image
			x.Image = 0
			ones[i].energy = append(ones[i].energy, x)
		}
		for _, x := range e.squared {
			i := x.Image
			x.Image = 0
			ones[i].squared = append(ones[i].squared, x)
		}
		out := make([]float64, e.images)
		for i := range ones {
			stat, err := of(&ones[i])
			if err != nil {
				return nil, err
			}
			v, ok := stat(once(1))
			if out[i] = v; !ok {
				out[i] = math.NaN()
			}
		}
		return out, nil
	}
}

// atBest is, by image, the mean IoU of its maps at the threshold that is best for all images.
func (e *explained) atBest() ([]float64, error) {
	maps, err := metrics.NewExplainability(e.classes)
	if err == nil {
		err = AddAll(maps.Add, e.maps)
	}
	if err != nil {
		return nil, err
	}
	sums, counts := make([]float64, e.images), make([]float64, e.images)
	best := maps.Summary().Best
	for _, x := range e.maps {
		sums[x.Image] += x.IoU(int(math.Round(best * metrics.Thresholds)))
		counts[x.Image]++
	}
	for i := range sums {
		sums[i] /= counts[i] // NaN without maps
	}
	return sums, nil
}

func AddAll[R any](add func(R) error, records []R) error {
	for _, r := range records {
		if err := add(r); err != nil {
			return err
		}
	}
	return nil
}
