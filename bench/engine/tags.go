package engine

import (
	"fmt"
	"math"
	"slices"

	"ovbench/metrics"
)

// tagTable is one ranking of all classes: scores and tags [images, classes].
type tagTable struct {
	images, classes int
	tags            []metrics.Tag
	values          []float64
	difficult       metrics.DifficultRule
}

// topKs are the numbers of classes that are predicted for every image.
var topKs = []int{3, 5}

// mapName is the score's name: mAP is scikit-learn's.
func mapName(rule metrics.APRule) string {
	if rule.Name == metrics.StepAP.Name {
		return "mAP"
	}
	return "mAP_" + rule.Name
}

// scores are mAP in every variant, AP by class, and precision and recall of the top 3 and 5.
func (t *tagTable) scores() (*FileScores, error) {
	ranking, err := metrics.Rank(t.values, t.tags, t.classes, t.difficult)
	if err != nil {
		return nil, err
	}
	out := &FileScores{Task: "multilabel", Convention: metrics.StepAP.Name, Images: t.images, Counts: map[string]int{}}
	for _, rule := range metrics.APRules {
		value, undefined, ok := ranking.MAP(rule, nil)
		if rule.Name == metrics.StepAP.Name {
			out.Counts["classes_without_positives"] = undefined
		}
		if ok {
			out.Scores = append(out.Scores, metrics.Score{Name: mapName(rule), Value: value})
		}
	}
	t.count(out.Counts)
	for c := range t.classes {
		row := metrics.ClassScores{Class: c}
		for i := range t.images {
			if t.present(t.tags[i*t.classes+c]) {
				row.Truth++
			}
		}
		if ap, ok := ranking.AP(c, metrics.StepAP, nil); ok {
			row.Scores = append(row.Scores, metrics.Score{Name: "AP", Value: ap})
		}
		out.Classes = append(out.Classes, row)
	}
	for _, k := range t.topKs() {
		total, err := metrics.NewTags(t.classes, metrics.PlainTags)
		if err != nil {
			return nil, err
		}
		top, err := t.top(k)
		if err == nil {
			err = addAll(total.Add, top)
		}
		if err != nil {
			return nil, err
		}
		for _, s := range total.Scores() {
			out.Scores = append(out.Scores, metrics.Score{Name: fmt.Sprintf("%s@%d", s.Name, k), Value: s.Value})
		}
	}
	return out, nil
}

func (t *tagTable) topKs() []int {
	return slices.DeleteFunc(slices.Clone(topKs), func(k int) bool { return k > t.classes })
}

// present says whether a tag counts as one of a class that is there.
func (t *tagTable) present(tag metrics.Tag) bool {
	return tag == metrics.TagPresent || tag == metrics.TagDifficult && t.difficult == metrics.DifficultPositive
}

// count counts tags that are marked difficult, and images of which no class is present.
func (t *tagTable) count(counts map[string]int) {
	counts["difficult_labels"], counts["images_without_labels"] = 0, 0
	for row := range slices.Chunk(t.tags, t.classes) {
		labelled := false
		for _, tag := range row {
			if tag == metrics.TagDifficult {
				counts["difficult_labels"]++
			}
			labelled = labelled || t.present(tag)
		}
		if !labelled {
			counts["images_without_labels"]++
		}
	}
}

// top predicts the k highest classes of each image.
func (t *tagTable) top(k int) ([]metrics.TagRecord, error) {
	out := make([]metrics.TagRecord, t.images)
	for i := range out {
		from, to := i*t.classes, (i+1)*t.classes
		var err error
		if out[i], err = metrics.TopK(t.values[from:to], t.tags[from:to], k, math.Inf(-1), t.difficult); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// statistics are those of its scores. Average precision ranks images within a class, so one image has none; F1 of the highest
// classes it has.
func (t *tagTable) statistics(convention string) (out []statistic) {
	for _, rule := range metrics.APRules {
		out = append(out, statistic{convention: convention, score: mapName(rule), noInterval: rule.Name != metrics.StepAP.Name,
			pooled: func() (metrics.Statistic, error) {
				ranking, err := metrics.Rank(t.values, t.tags, t.classes, t.difficult)
				if err != nil {
					return nil, err
				}
				return ranking.MAPStatistic(rule), nil
			}})
	}
	for _, k := range t.topKs() {
		for _, score := range []string{"CF1", "OF1"} {
			s := statistic{convention: convention, score: fmt.Sprintf("%s@%d", score, k), pooled: func() (metrics.Statistic, error) {
				top, err := t.top(k)
				if err != nil {
					return nil, err
				}
				return metrics.TagsStatistic(top, t.classes, metrics.PlainTags, score)
			}}
			if score == "OF1" {
				s.each = func() ([]float64, error) { return t.imageF1(k) }
			}
			out = append(out, s)
		}
	}
	return out
}

// imageF1 is the F1 of the k highest classes of each image, NaN where no class is present.
func (t *tagTable) imageF1(k int) ([]float64, error) {
	top, err := t.top(k)
	if err != nil {
		return nil, err
	}
	out := make([]float64, t.images)
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
