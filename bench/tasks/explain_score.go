package tasks

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"ovbench/bench/records"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
)

// explained is what the records of one data set and method say. Images are numbered by record, as resamples count them;
// original has the records with the numbers of the split, whose even and odd halves lend each other thresholds.
type explained struct {
	context         Context
	records         []records.Record
	images, classes int
	original, maps  []metrics.ExplainRecord
	odd             []bool // images by the parity of their index in the split
	energy          []metrics.EnergyRecord
	squared         []metrics.ImageNetSegmentationRecord
	judged          []metrics.PointIoURecord
	games           []Game
	flaws           map[methods.Flaw]int
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

func (c Context) explained(recs []records.Record) (*explained, error) {
	out := &explained{context: c, records: recs, images: len(recs), classes: len(c.Dataset.Classes),
		flaws: map[methods.Flaw]int{}}
	for _, g := range Games(records.Evidence{}) {
		out.games = append(out.games, Game{Suffix: g.Suffix})
	}
	for i, r := range recs {
		e, err := r.Evidence(c.Method)
		if err != nil {
			return nil, err
		}
		out.odd = append(out.odd, r.Index%2 == 1)
		out.original = append(out.original, e.Explain...)
		for _, f := range e.Flaws {
			out.flaws[methods.Flaw(f)]++
		}
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
		for _, x := range e.Judged {
			x.Image = i
			out.judged = append(out.judged, x)
		}
		for k, g := range Games(e) {
			for _, x := range g.Events {
				x.Image = i
				out.games[k].Events = append(out.games[k].Events, x)
			}
		}
	}
	return out, nil
}

func (e *explained) size() int { return e.images }

func (e *explained) image(i int) (*explained, error) { return e.context.explained(e.records[i : i+1]) }

// The conventions of the task's cells.
const (
	foreground           = "foreground"
	imageNetSegmentation = "imagenet-segmentation"
	overPoints           = "points"
)

// ofMaps is a score of the maps of the classes present.
func ofMaps(name, doc string) metric[*explained] {
	stat := func(e *explained) (metrics.Statistic, error) {
		return metrics.ExplainStatistic(e.maps, e.images, e.classes, name)
	}
	return metric[*explained]{name: name, doc: doc, of: stat, each: alone(stat)}
}

// explainMetrics are the scores of task explain. The value of a single image under fg-mIoU is at the threshold that is
// best for all of them, since one searched on a single image says nothing.
var explainMetrics = slices.Concat([]metric[*explained]{
	ofMaps("fg-mIoU", "foreground IoU of each class present, at the best threshold of a grid, averaged over classes").
		alone((*explained).atBest),
	{name: "fg-mIoU@other-half", doc: "as fg-mIoU, each half of the images at the threshold of the other",
		of: func(e *explained) (metrics.Statistic, error) {
			return metrics.OtherHalfStatistic(e.maps, e.images, e.classes, func(image int) bool { return e.odd[image] })
		}},
	ofMaps("fg-mIoU@0.5", "as fg-mIoU, at threshold 0.5"),
	ofMaps("fg-mIoU@otsu", "as fg-mIoU, each map at Otsu's threshold"),
	{name: "fg-mIoU-image", doc: "IoU of each map alone, averaged over classes, at its best threshold", bare: true,
		of: ofMaps("fg-mIoU-image", "").of},
	ofMaps("PxAP", "average precision of pixels"),
	ofMaps("mSC", "mean value inside minus outside of the mask, in -1..1"),
	ofMaps("mSC-pairs", "as mSC, averaged over all maps alike").shared(),
}, pointingMetrics(), []metric[*explained]{
	ofEnergy("energy", "share of a map's sum that lies inside of the mask"),
	ofEnergy("energy-class", "as energy, averaged over classes").shared(),
})

// squaredMetrics are those of the ImageNet-segmentation protocol.
var squaredMetrics = []metric[*explained]{
	ofSquared("pixAcc", "share of pixels that are right"),
	ofSquared("mIoU", "mean of the IoU of foreground and background"),
	ofSquared("mAP", "mean over maps of their average precision"),
	ofSquared("mF1", "mean over maps of the F1 of the foreground"),
}

// judgedMetrics are those of points that people judged.
var judgedMetrics = []metric[*explained]{
	ofJudged("p-mIoU",
		"IoU of the judged points that are on a class, at threshold 0.5, points pooled, averaged over classes"),
	ofJudged("p-mIoU-both", "as p-mIoU, of the mean of the points on and off the class"),
}

// alone is the metric with other values of single images.
func (m metric[E]) alone(each func(E) ([]float64, error)) metric[E] {
	m.each = each
	return m
}

// shared is the metric whose values of single images are those of one before it.
func (m metric[E]) shared() metric[E] {
	m.sharesEach = true
	return m
}

// pointingMetrics are the scores of every form of the pointing game.
func pointingMetrics() (out []metric[*explained]) {
	forms := []string{
		"highest pixel within 15 pixels of the mask", "highest pixel inside of the mask",
		"on filled boxes, as TorchRay plays it on VOC", "on masks of COCO's things",
	}
	for k, g := range Games(records.Evidence{}) {
		for _, score := range []struct{ name, doc string }{
			{"pointing", "mean over all classes"}, {"pointing-seen", "mean over the classes that occur"},
			{"pointing-micro", "all events together"},
		} {
			out = append(out, metric[*explained]{
				name: score.name + g.Suffix, doc: "pointing game, " + forms[k] + ", " + score.doc,
				sharesEach: score.name != "pointing",
				has:        func(e *explained) bool { return len(e.games[k].Events) > 0 },
				events:     func(e *explained) []Event { return eventsOf(e.games[k].Events) },
				each: func(e *explained) ([]float64, error) {
					return shareOfHits(eventsOf(e.games[k].Events), e.images), nil
				},
				of: func(e *explained) (metrics.Statistic, error) {
					return metrics.PointingStatistic(e.games[k].Events, e.images, e.classes, score.name)
				},
			})
		}
	}
	return out
}

func ofEnergy(name, doc string) metric[*explained] {
	stat := func(e *explained) (metrics.Statistic, error) {
		return metrics.EnergyStatistic(e.energy, e.images, e.classes, name)
	}
	return metric[*explained]{name: name, doc: doc, of: stat, each: alone(stat)}
}

func ofSquared(name, doc string) metric[*explained] {
	stat := func(e *explained) (metrics.Statistic, error) {
		return metrics.ImageNetSegmentationStatistic(e.squared, e.images, name)
	}
	return metric[*explained]{name: name, doc: doc, of: stat, each: alone(stat)}
}

func ofJudged(name, doc string) metric[*explained] {
	stat := func(e *explained) (metrics.Statistic, error) {
		return metrics.PointIoUStatistic(e.judged, e.images, e.classes, name)
	}
	return metric[*explained]{name: name, doc: doc, of: stat, each: alone(stat)}
}

func (explain) Cells(c Context, recs []records.Record) ([]Cell, error) {
	e, err := c.explained(recs)
	if err != nil {
		return nil, err
	}
	var cells []Cell
	if len(e.judged) > 0 {
		cells = append(cells, Cell{overPoints, statisticsOf(overPoints, judgedMetrics, e), e.describeJudged})
	}
	if len(e.judged) == 0 || len(e.maps) > 0 {
		cells = append(cells, Cell{foreground, statisticsOf(foreground, explainMetrics, e), e.describe})
	}
	if len(e.squared) > 0 {
		stats := statisticsOf(imageNetSegmentation, squaredMetrics, e)
		cells = append(cells, Cell{imageNetSegmentation, stats, func(cell *results.Cell) error {
			flat := 0
			for _, r := range e.squared {
				if r.Flat {
					flat++
				}
			}
			cell.Counts["maps"], cell.Counts["flat_maps"] = len(e.squared), flat
			return nil
		}})
	}
	return cells, nil
}

// describeJudged counts points and the classes with one on them.
func (e *explained) describeJudged(cell *results.Cell) error {
	on := map[int]bool{}
	var points int64
	for _, r := range e.judged {
		points += r.TP + r.FP + r.FN + r.TN
		if r.TP+r.FN > 0 {
			on[r.Class] = true
		}
	}
	maps.Copy(cell.Counts,
		map[string]int{"maps": len(e.judged), "judged_points": int(points), "classes_with_points": len(on)})
	return nil
}

// describe adds counts, the curve over thresholds and what was found on these images.
func (e *explained) describe(cell *results.Cell) error {
	summary, err := metrics.SummarizeExplain(e.original, e.classes)
	if err != nil {
		return err
	}
	cell.Curves = thresholdCurve(summary.Curve)
	cell.Warnings = append(cell.Warnings, flawed(e.flaws, summary.Maps)...)
	if summary.Maps > 0 {
		maps.Copy(cell.Counts, map[string]int{
			"maps": summary.Maps, "nan_maps": summary.NaN, "constant_maps": summary.Constant, "tied_maps": summary.Tied,
			"full_maps": summary.Full, "undefined_classes": e.classes - summary.Classes,
		})
		cell.Counts["nan_maps"] += e.flaws[methods.NotFinite]
		if n := e.flaws[methods.AllNegative]; n > 0 {
			cell.Counts["negative_maps"] = n
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
		n, err := metrics.CountPoints(g.Events, e.classes)
		if err != nil {
			return err
		}
		name := "events" + g.Suffix
		cell.Counts[name], cell.Counts["skipped_"+name] = int(n.Hits+n.Misses), int(n.Skipped)
		cell.Counts["tied_"+name], cell.Counts["classes_without_"+name] = int(n.Tied), n.Absent
	}
	if len(e.energy) > 0 {
		cell.Counts["empty_maps"] = 0
		for _, r := range e.energy {
			if r.Total == 0 {
				cell.Counts["empty_maps"]++
			}
		}
	}
	return nil
}

// flawed says how many of the maps show nothing because of what their values are. They are counted as maps of zeros.
func flawed(flaws map[methods.Flaw]int, maps int) (warnings []string) {
	for _, f := range []struct {
		flaw methods.Flaw
		why  string
	}{{methods.AllNegative, "no value above zero"}, {methods.NotFinite, "values that are not numbers"}} {
		if n := flaws[f.flaw]; n > 0 {
			warnings = append(warnings, fmt.Sprintf("%d of %d maps have %s and are scored as empty", n, maps, f.why))
		}
	}
	return warnings
}

// atBest is, by image, the mean IoU of its maps at the threshold that is best for all images.
func (e *explained) atBest() ([]float64, error) {
	summary, err := metrics.SummarizeExplain(e.maps, e.classes)
	if err != nil {
		return nil, err
	}
	sums, counts := make([]float64, e.images), make([]float64, e.images)
	for _, x := range e.maps {
		sums[x.Image] += x.IoU(int(math.Round(summary.Best * metrics.Thresholds)))
		counts[x.Image]++
	}
	for i := range sums {
		sums[i] /= counts[i] // NaN without maps
	}
	return sums, nil
}

// eventsOf are the judged points of records whose images count the records from 0.
func eventsOf(points []metrics.PointRecord) []Event {
	out := []Event{}
	for _, p := range points {
		if p.Outcome != metrics.Skipped {
			out = append(out, Event{p.Image, p.Class, p.Outcome == metrics.Hit})
		}
	}
	return out
}

// shareOfHits is, by image, the share of its events that hit.
func shareOfHits(events []Event, images int) []float64 {
	hits, all := make([]float64, images), make([]float64, images)
	for _, e := range events {
		all[e.Image]++
		if e.Hit {
			hits[e.Image]++
		}
	}
	for i := range hits {
		hits[i] /= all[i] // 0/0 is NaN: the image has no event
	}
	return hits
}
