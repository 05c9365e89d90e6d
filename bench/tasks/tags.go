package tasks

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"ovbench/metrics"
	"ovbench/reports/results"
)

// TagTable is one ranking of all classes: scores and tags [images, classes].
type TagTable struct {
	Images, Classes int
	Tags            []metrics.Tag
	Values          []float64
	Difficult       metrics.DifficultRule
}

// topKs are the numbers of classes that are predicted for every image.
var topKs = []int{3, 5}

// tagMetrics are the scores of task multilabel. Average precision ranks images within a class, so one image has none;
// F1 of the highest classes it has.
var tagMetrics = slices.Concat(precisionMetrics(), topMetrics(), []metric[*TagTable]{
	difficultAs(metrics.DifficultNegative), difficultAs(metrics.DifficultPositive),
})

// precisionMetrics are mAP in every variant: mAP is scikit-learn's.
func precisionMetrics() (out []metric[*TagTable]) {
	for _, rule := range metrics.APRules {
		m := metric[*TagTable]{
			name: "mAP",
			doc:  "mean over classes of average precision; " + rule.Doc,
			of: func(t *TagTable) (metrics.Statistic, error) {
				ranking, err := t.rank(t.Difficult)
				if err != nil {
					return nil, err
				}
				return ranking.MAPStatistic(rule), nil
			},
		}
		if m.bare = rule.Name != metrics.StepAP.Name; m.bare {
			m.name += "_" + rule.Name
		}
		out = append(out, m)
	}
	return out
}

// topMetrics are precision and recall of the highest classes of each image.
func topMetrics() (out []metric[*TagTable]) {
	docs := map[string]string{
		"CP": "precision, mean over classes", "CR": "recall, mean over classes", "CF1": "F1 of CP and CR",
		"OP": "precision, all classes together", "OR": "recall, all classes together", "OF1": "F1 of OP and OR",
	}
	for _, k := range topKs {
		for _, score := range metrics.TagScores {
			m := metric[*TagTable]{
				name: fmt.Sprintf("%s@%d", score, k), doc: fmt.Sprintf("the %d highest classes of each image: %s", k, docs[score]),
				bare: score != "CF1" && score != "OF1", has: func(t *TagTable) bool { return k <= t.Classes },
				of: func(t *TagTable) (metrics.Statistic, error) {
					top, err := t.top(k)
					if err != nil {
						return nil, err
					}
					return metrics.TagsStatistic(top, t.Classes, score)
				},
			}
			if score == "OF1" {
				m.each = func(t *TagTable) ([]float64, error) { return t.imageF1(k) }
			}
			out = append(out, m)
		}
	}
	return out
}

// difficultAs is mAP under another rule, where there are difficult tags that the table's own rule skips.
func difficultAs(rule metrics.DifficultRule) metric[*TagTable] {
	return metric[*TagTable]{
		name: "mAP-difficult-" + string(rule), doc: "mAP with difficult classes counted as " + string(rule), bare: true,
		has: func(t *TagTable) bool {
			return t.Difficult == metrics.DifficultSkip && slices.Contains(t.Tags, metrics.TagDifficult)
		},
		of: func(t *TagTable) (metrics.Statistic, error) {
			ranking, err := t.rank(rule)
			if err != nil {
				return nil, err
			}
			return ranking.MAPStatistic(metrics.StepAP), nil
		},
	}
}

// Statistics are those of its scores.
func (t *TagTable) Statistics(convention string) []Statistic {
	return statisticsOf(convention, tagMetrics, t)
}

func (t *TagTable) rank(rule metrics.DifficultRule) (*metrics.Ranking, error) {
	return metrics.Rank(t.Values, t.Tags, t.Classes, rule)
}

// PerClass is AP and positives by class, and what else a reader must know: classes without positives, tags that are
// marked difficult, images of which no class is present.
func (t *TagTable) PerClass() ([]metrics.ClassScores, map[string]int, error) {
	ranking, err := t.rank(t.Difficult)
	if err != nil {
		return nil, nil, err
	}
	counts := map[string]int{"classes_without_positives": 0, "difficult_labels": 0, "images_without_labels": 0}
	var out []metrics.ClassScores
	for c := range t.Classes {
		row := metrics.ClassScores{Class: c}
		for i := range t.Images {
			if t.present(t.Tags[i*t.Classes+c]) {
				row.Truth++
			}
		}
		if ap, ok := ranking.AP(c, metrics.StepAP, nil); ok {
			row.Scores = append(row.Scores, metrics.Score{Name: "AP", Value: ap})
		} else {
			counts["classes_without_positives"]++
		}
		out = append(out, row)
	}
	for row := range slices.Chunk(t.Tags, t.Classes) {
		if !slices.ContainsFunc(row, t.present) {
			counts["images_without_labels"]++
		}
		for _, tag := range row {
			if tag == metrics.TagDifficult {
				counts["difficult_labels"]++
			}
		}
	}
	return out, counts, nil
}

// present says whether a tag counts as one of a class that is there.
func (t *TagTable) present(tag metrics.Tag) bool {
	return tag == metrics.TagPresent || tag == metrics.TagDifficult && t.Difficult == metrics.DifficultPositive
}

// describe adds classes, counts and the curve of precision over recall.
func (t *TagTable) describe(cell *results.Cell, classes []string) error {
	if t.Images == 0 {
		return nil
	}
	rows, counts, err := t.PerClass()
	if err != nil {
		return err
	}
	maps.Copy(cell.Counts, counts)
	for _, k := range rows {
		row := results.ClassScore{Class: classes[k.Class], Images: k.Truth}
		for _, s := range k.Scores {
			row.AP = &s.Value
		}
		cell.Classes = append(cell.Classes, row)
	}
	ranking, err := t.rank(t.Difficult)
	if err != nil {
		return err
	}
	cell.Curves = rankingCurve(ranking)
	return nil
}

// top predicts the k highest classes of each image.
func (t *TagTable) top(k int) ([]metrics.TagRecord, error) {
	out := make([]metrics.TagRecord, t.Images)
	for i := range out {
		from, to := i*t.Classes, (i+1)*t.Classes
		var err error
		if out[i], err = metrics.TopK(t.Values[from:to], t.Tags[from:to], k, t.Difficult); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// imageF1 is the F1 of the k highest classes of each image, NaN where no class is present.
func (t *TagTable) imageF1(k int) ([]float64, error) {
	top, err := t.top(k)
	if err != nil {
		return nil, err
	}
	out := make([]float64, t.Images)
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
