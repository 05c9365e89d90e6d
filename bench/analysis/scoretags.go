package analysis

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"ovbench/bench/tasks"
	"ovbench/metrics"
	"ovbench/runners/tensor"
)

// TagScoring says how scores of labels made elsewhere are scored.
type TagScoring struct {
	Truth, Pred string // .npy files [images, classes]; truth is 1, 0, or -1 for difficult
	Classes     int    // that both must have; 0 for any number
	Difficult   metrics.DifficultRule
	Resamples   int
	Seed        uint64
}

// ScoreTags compares a matrix of scores with one of labels: mAP in every variant, and precision and recall of the top 3 and 5.
func ScoreTags(s TagScoring) (*FileScores, error) {
	truth, err := readMatrix(s.Truth)
	if err != nil {
		return nil, err
	}
	pred, err := readMatrix(s.Pred)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(truth.shape, pred.shape) {
		return nil, fmt.Errorf("%s has shape %v, %s %v; both are [images, classes]", s.Truth, truth.shape, s.Pred, pred.shape)
	}
	images, classes := truth.shape[0], truth.shape[1]
	if s.Classes > 0 && classes != s.Classes {
		return nil, fmt.Errorf("%s has %d classes, not %d", s.Truth, classes, s.Classes)
	}
	if s.Difficult == metrics.DifficultSkip && slices.Contains(truth.data, -1) && !slices.Contains(truth.data, 0) {
		return nil, fmt.Errorf("%s: labels are 1 and -1 only, and -1 is a difficult one, so that nothing is absent; write 0 for absent, or take -1 for absent with --difficult negative", s.Truth)
	}
	tags := make([]metrics.Tag, len(truth.data))
	for i, v := range truth.data {
		switch v {
		case 0:
		case 1:
			tags[i] = metrics.TagPresent
		case -1:
			tags[i] = metrics.TagDifficult
		default:
			return nil, fmt.Errorf("%s: value %v at [%d, %d]; want 1 for present, 0 for absent, -1 for difficult", s.Truth, v, i/classes, i%classes)
		}
	}
	table := &tasks.TagTable{Images: images, Classes: classes, Tags: tags, Values: pred.data, Difficult: s.Difficult}
	out := &FileScores{Task: "multilabel", Convention: metrics.StepAP.Name, Images: images}
	stats := slices.DeleteFunc(table.Statistics(""), func(s tasks.Statistic) bool { return strings.HasPrefix(s.Score, "mAP-") })
	if out.Classes, out.Counts, err = table.PerClass(); err == nil {
		out.Scores, err = tasks.Evaluate(stats, images, s.Resamples, s.Seed)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Pred, err)
	}
	if out.Score("mAP") == nil {
		out.Warnings = append(out.Warnings, "no class is present in any image: mAP is undefined")
	}
	return out, nil
}

// matrix is a .npy file [images, classes].
type matrix struct {
	shape []int
	data  []float64
}

func readMatrix(path string) (matrix, error) {
	f, err := os.Open(path)
	if err != nil {
		return matrix{}, err
	}
	defer f.Close()
	shape, data, err := tensor.ReadNPY64(f)
	if err == nil && (len(shape) != 2 || shape[0] < 1 || shape[1] < 1) {
		err = fmt.Errorf("shape %v, want [images, classes], at least one of each", shape)
	}
	if err != nil {
		return matrix{}, fmt.Errorf("%s: %w", path, err)
	}
	return matrix{shape, data}, nil
}
