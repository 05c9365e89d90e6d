package tasks

import (
	"fmt"
	"math"
	"slices"

	"ovbench/metrics"
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

// mapName is the score's name: mAP is scikit-learn's.
func mapName(rule metrics.APRule) string {
	if rule.Name == metrics.StepAP.Name {
		return "mAP"
	}
	return "mAP_" + rule.Name
}

// TagScores is what a table is worth.
type TagScores struct {
	Scores  []metrics.Score
	Classes []metrics.ClassScores
	Counts  map[string]int
}

// scores are mAP in every variant, AP by class, and precision and recall of the top 3 and 5.
func (t *TagTable) Scores() (*TagScores, error) {
	ranking, err := metrics.Rank(t.Values, t.Tags, t.Classes, t.Difficult)
	if err != nil {
		return nil, err
	}
	out := &TagScores{Counts: map[string]int{}}
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
	for c := range t.Classes {
		row := metrics.ClassScores{Class: c}
		for i := range t.Images {
			if t.present(t.Tags[i*t.Classes+c]) {
				row.Truth++
			}
		}
		if ap, ok := ranking.AP(c, metrics.StepAP, nil); ok {
			row.Scores = append(row.Scores, metrics.Score{Name: "AP", Value: ap})
		}
		out.Classes = append(out.Classes, row)
	}
	for _, k := range t.topKs() {
		total, err := metrics.NewTags(t.Classes, metrics.PlainTags)
		if err != nil {
			return nil, err
		}
		top, err := t.top(k)
		if err == nil {
			err = AddAll(total.Add, top)
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

func (t *TagTable) topKs() []int {
	return slices.DeleteFunc(slices.Clone(topKs), func(k int) bool { return k > t.Classes })
}

// present says whether a tag counts as one of a class that is there.
func (t *TagTable) present(tag metrics.Tag) bool {
	return tag == metrics.TagPresent || tag == metrics.TagDifficult && t.Difficult == metrics.DifficultPositive
}

// count counts tags that are marked difficult, and images of which no class is present.
func (t *TagTable) count(counts map[string]int) {
	counts["difficult_labels"], counts["images_without_labels"] = 0, 0
	for row := range slices.Chunk(t.Tags, t.Classes) {
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
func (t *TagTable) top(k int) ([]metrics.TagRecord, error) {
	out := make([]metrics.TagRecord, t.Images)
	for i := range out {
		from, to := i*t.Classes, (i+1)*t.Classes
		var err error
		if out[i], err = metrics.TopK(t.Values[from:to], t.Tags[from:to], k, math.Inf(-1), t.Difficult); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// statistics are those of its scores. Average precision ranks images within a class, so one image has none; F1 of the highest
// classes it has.
func (t *TagTable) Statistics(convention string) (out []Statistic) {
	for _, rule := range metrics.APRules {
		out = append(out, Statistic{Convention: convention, Score: mapName(rule), NoInterval: rule.Name != metrics.StepAP.Name,
			Pooled: func() (metrics.Statistic, error) {
				ranking, err := metrics.Rank(t.Values, t.Tags, t.Classes, t.Difficult)
				if err != nil {
					return nil, err
				}
				return ranking.MAPStatistic(rule), nil
			}})
	}
	for _, k := range t.topKs() {
		for _, score := range []string{"CF1", "OF1"} {
			s := Statistic{Convention: convention, Score: fmt.Sprintf("%s@%d", score, k), Pooled: func() (metrics.Statistic, error) {
				top, err := t.top(k)
				if err != nil {
					return nil, err
				}
				return metrics.TagsStatistic(top, t.Classes, metrics.PlainTags, score)
			}}
			if score == "OF1" {
				s.Each = func() ([]float64, error) { return t.imageF1(k) }
			}
			out = append(out, s)
		}
	}
	return out
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
