package analysis

import (
	"fmt"
	"slices"
	"strings"

	"ovbench/bench/tasks"
	"ovbench/metrics"
	"ovbench/runners/files"
	"ovbench/runners/tensor"
)

// TagScoring says how scores of labels made elsewhere are scored.
type TagScoring struct {
	Truth, Pred string // .npy files [images, classes]; truth is 1 for present, and 0 and -1
	Absent      Absent
	Classes     int // that both must have; 0 for any number
	Difficult   metrics.DifficultRule
	Resamples   int
	Seed        uint64
}

// ScoreTags compares a matrix of scores with one of labels: mAP in every variant, and precision and recall of the top
// 3 and 5.
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
	tags, warnings, err := s.Absent.tags(truth.data, classes, s.Difficult)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Truth, err)
	}
	table := &tasks.TagTable{Images: images, Classes: classes, Tags: tags, Values: pred.data, Difficult: s.Difficult}
	out := &FileScores{Task: "multilabel", Convention: metrics.StepAP.Name, Images: images, Warnings: warnings}
	stats := slices.DeleteFunc(table.Statistics(""),
		func(s tasks.Statistic) bool { return strings.HasPrefix(s.Score, "mAP-") })
	if out.Classes, out.Counts, err = table.PerClass(); err == nil {
		out.Scores, err = tasks.Evaluate(stats, images, s.Resamples, metrics.NewLots(images, s.Seed))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Pred, err)
	}
	if out.Score("mAP") == nil {
		out.Warnings = append(out.Warnings, "no class is present in any image: mAP is undefined")
	}
	return out, nil
}

// Absent says which value of a truth means that a class is absent: 0, and then -1 is difficult, or -1 as VOC,
// WIDER-Attribute and NUS lists have it, and then 0 is difficult or unknown.
type Absent string

// The readings of a truth. Without one, 0 is absent, unless the counts look like the other.
const (
	AbsentUnsaid   Absent = ""
	AbsentZero     Absent = "0"
	AbsentNegative Absent = "-1"
)

// tags reads the values of a truth.
func (a Absent) tags(truth []float64, classes int,
	rule metrics.DifficultRule) (tags []metrics.Tag, warnings []string, err error) {
	count := map[float64]int{}
	for i, v := range truth {
		if v != 0 && v != 1 && v != -1 {
			return nil, nil, fmt.Errorf("value %v at [%d, %d]; want 1 for present, and 0 and -1, see --absent", v, i/classes,
				i%classes)
		}
		count[v]++
	}
	const both = "%d values are -1 and %d are 0: written as VOC, WIDER-Attribute and NUS lists are, -1 is absent and 0 " +
		"is not counted " +
		"(--absent -1); else 0 is absent and -1 difficult (--absent 0)"
	switch {
	case a == AbsentUnsaid && count[0] == 0 && rule == metrics.DifficultNegative: // -1 is absent, either way
	case a == AbsentUnsaid && count[-1] > count[0]:
		return nil, nil, fmt.Errorf(both+"; say which", count[-1], count[0])
	case a == AbsentNegative && count[0] > count[-1]:
		warnings = append(warnings, fmt.Sprintf("more values are not counted than are absent: "+both, count[-1], count[0]))
	case a == AbsentZero && count[-1] > count[0]:
		warnings = append(warnings, fmt.Sprintf("more values are difficult than are absent: "+both, count[-1], count[0]))
	}
	difficult := -1.0
	if a == AbsentNegative {
		difficult = 0
	}
	tags = make([]metrics.Tag, len(truth))
	for i, v := range truth {
		switch v {
		case 1:
			tags[i] = metrics.TagPresent
		case difficult:
			tags[i] = metrics.TagDifficult
		}
	}
	return tags, warnings, nil
}

// maxLabels bounds a matrix, in elements: a million images with 256 classes.
const maxLabels = 1 << 28

// matrix is a .npy file [images, classes].
type matrix struct {
	shape []int
	data  []float64
}

func readMatrix(path string) (matrix, error) {
	f, err := files.Open(path)
	if err != nil {
		return matrix{}, err
	}
	defer f.Close()
	shape, data, err := tensor.ReadNPY64(f, maxLabels)
	if err == nil && (len(shape) != 2 || shape[0] < 1 || shape[1] < 1) {
		err = fmt.Errorf("shape %v, want [images, classes], at least one of each", shape)
	}
	if err != nil {
		return matrix{}, fmt.Errorf("%s: %w", path, err)
	}
	return matrix{shape, data}, nil
}
