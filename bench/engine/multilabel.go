package engine

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
)

// multilabel ranks the images of each class by the class token: by cosine, by softmax over the classes, by feature surgery.
type multilabel struct{}

func (multilabel) check(s datasets.Sample) error {
	if s.Tags == nil && s.Labels.W == 0 {
		return fmt.Errorf("it says of no image which classes are in it, which task multilabel needs")
	}
	return nil
}

func (multilabel) heat(j *job, m *methodOf, class int, sim similarity) ([]float32, error) {
	return explain{}.heat(j, m, class, sim)
}

func (multilabel) read(j *job, _ *methodOf, _ int, _ datasets.Sample, sim similarity) (reading, error) {
	return reading{evidence: Evidence{Cosines: slices.Clone(sim.cos[:len(j.texts)])}}, nil
}

// tags are a sample's own, or else the classes of its label map.
func (multilabel) tags(j *job, s datasets.Sample) []int8 {
	out := make([]int8, len(j.info.Classes))
	if s.Tags == nil {
		for _, c := range present(s.Labels.Pix, j) {
			out[c] = int8(datasets.Present)
		}
		return out
	}
	for c, t := range s.Tags {
		out[c] = int8(t)
	}
	return out
}

// classScores are the ways to rank images by the cosines of the class token: one cell each, named as its convention.
var classScores = []struct {
	name string
	of   func(cos []float32, scale float64, form methods.Redundant) ([]float64, error)
}{
	{"cosine", func(cos []float32, _ float64, _ methods.Redundant) ([]float64, error) { return widen(cos), nil }},
	{"softmax", func(cos []float32, scale float64, _ methods.Redundant) ([]float64, error) {
		return methods.Softmax(cos, scale), nil
	}},
	{"surgery", func(cos []float32, _ float64, form methods.Redundant) ([]float64, error) {
		row := append([]float32(nil), cos...)
		err := methods.FeatureSurgery(form, row, len(row), nil)
		return widen(row), err
	}},
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// ranked is what the records of one data set and method say: tags, and scores of every way to rank, [images, classes].
type ranked struct {
	images, classes int
	tags            []metrics.Tag
	scores          [][]float64 // by classScores
}

func (c cellContext) ranked(recs []Record) (*ranked, error) {
	scale, err := strconv.ParseFloat(fmt.Sprint(c.run.Protocol.Fields["scale"]), 64)
	if err != nil {
		return nil, fmt.Errorf("protocol scale: %w", err)
	}
	form := methods.Labels
	if c.run.Protocol.Fields["redundant"] == string(methods.Paper) {
		form = methods.Paper
	}
	out := &ranked{images: len(recs), classes: len(c.dataset.Classes), scores: make([][]float64, len(classScores))}
	for _, r := range recs {
		if len(r.Tags) != out.classes {
			return nil, fmt.Errorf("the record of %s has %d tags for %d classes", r.ID, len(r.Tags), out.classes)
		}
		for _, t := range r.Tags {
			out.tags = append(out.tags, metrics.Tag(t))
		}
		for w, way := range classScores {
			row, err := way.of(r.Methods[c.method].Cosines, scale, form)
			if err == nil {
				row, err = bestQueries(row, c.dataset.Queries)
			}
			if err != nil {
				return nil, fmt.Errorf("the record of %s: %w", r.ID, err)
			}
			out.scores[w] = append(out.scores[w], row...)
		}
	}
	return out, nil
}

func (t multilabel) score(c cellContext, recs []Record) ([]results.Cell, error) {
	r, err := c.ranked(recs)
	if err != nil {
		return nil, err
	}
	var cells []results.Cell
	for w, way := range classScores {
		cell, err := c.tagCell(way.name, r.scores[w], r.tags, r.images)
		if err != nil {
			return nil, err
		}
		c.intervals(&cell, r.statistics(w))
		cells = append(cells, cell)
	}
	return cells, nil
}

func (multilabel) statistics(c cellContext, recs []Record) (out []statistic, err error) {
	r, err := c.ranked(recs)
	if err != nil {
		return nil, err
	}
	for w := range classScores {
		out = append(out, r.statistics(w)...)
	}
	return out, nil
}

// statistics are those of one way to rank. Average precision ranks images within a class, so one image has none; F1 of the
// highest classes it has.
func (r *ranked) statistics(way int) (out []statistic) {
	for _, rule := range metrics.APRules {
		out = append(out, statistic{
			convention: classScores[way].name, score: mapName(rule), noInterval: rule.Name != metrics.StepAP.Name,
			pooled: func() (metrics.Statistic, error) {
				ranking, err := metrics.Rank(r.scores[way], r.tags, r.classes, metrics.DifficultSkip)
				if err != nil {
					return nil, err
				}
				return ranking.MAPStatistic(rule), nil
			}})
	}
	for _, k := range topKs {
		if k > r.classes {
			continue
		}
		for _, score := range []string{"CF1", "OF1"} {
			s := statistic{convention: classScores[way].name, score: fmt.Sprintf("%s@%d", score, k), pooled: func() (metrics.Statistic, error) {
				top, err := topOf(r.scores[way], r.tags, r.classes, k, metrics.DifficultSkip)
				if err != nil {
					return nil, err
				}
				return metrics.TagsStatistic(top, r.classes, metrics.PlainTags, score)
			}}
			if score == "OF1" {
				s.each = func() ([]float64, error) { return r.imageF1(way, k) }
			}
			out = append(out, s)
		}
	}
	return out
}

// imageF1 is the F1 of the k highest classes of each image, NaN where no class is present.
func (r *ranked) imageF1(way, k int) ([]float64, error) {
	top, err := topOf(r.scores[way], r.tags, r.classes, k, metrics.DifficultSkip)
	if err != nil {
		return nil, err
	}
	out := make([]float64, r.images)
	for i, record := range top {
		var right, predicted, present float64
		for _, p := range record {
			predicted += count(p.Predicted)
			present += count(p.Present)
			right += count(p.Predicted && p.Present)
		}
		if out[i] = 2 * right / (predicted + present); present == 0 {
			out[i] = math.NaN()
		}
	}
	return out, nil
}

func count(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// bestQueries reduces scores by query to classes: the largest of a class's queries.
func bestQueries(row []float64, queries [][]string) ([]float64, error) {
	out := make([]float64, len(queries))
	at := 0
	for class, qs := range queries {
		if len(qs) == 0 || at+len(qs) > len(row) {
			return nil, fmt.Errorf("%d cosines do not fit the queries", len(row))
		}
		out[class] = row[at]
		for _, v := range row[at : at+len(qs)] {
			out[class] = max(out[class], v)
		}
		at += len(qs)
	}
	if at != len(row) {
		return nil, fmt.Errorf("%d cosines do not fit the queries", len(row))
	}
	return out, nil
}

// tagCell scores one ranking of all classes. Difficult classes of an image are left out, as VOC's development kit does; where
// there are some, mAP is also given under the other two rules.
func (c cellContext) tagCell(convention string, scores []float64, tags []metrics.Tag, images int) (results.Cell, error) {
	cell := results.Cell{Convention: convention, Images: images, Warnings: c.few(images)}
	if images == 0 {
		return cell, nil
	}
	f, _, err := scoreTags(scores, tags, len(c.dataset.Classes), metrics.DifficultSkip)
	if err != nil {
		return cell, err
	}
	cell.Scores, cell.Counts = scoresOf("", f.Scores), f.Counts
	if f.Counts["difficult_labels"] == 0 {
		return cell, nil
	}
	for _, rule := range []metrics.DifficultRule{metrics.DifficultNegative, metrics.DifficultPositive} {
		ranking, err := metrics.Rank(scores, tags, len(c.dataset.Classes), rule)
		if err != nil {
			return cell, err
		}
		if v, _, ok := ranking.MAP(metrics.StepAP, nil); ok {
			cell.Scores = append(cell.Scores, results.Score{Name: "mAP-difficult-" + string(rule), Value: v})
		}
	}
	return cell, nil
}
