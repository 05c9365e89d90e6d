// Package metrics answers: how good is it?
//
// Metrics are functions of plain slices. What one image contributes is a small record of
// integers (here [Sparse]); records are added in any order and any grouping, and only the sums
// are divided, so that shards, resumed runs and re-scoring give equal numbers. A score as a
// function of the images drawn is a [Statistic], which intervals ([Resample]) and paired
// comparisons ([Difference], [SignFlip], [McNemar]) take.
//
// Scores follow the rules of a named source, said beside each. Some serve callers of this package
// alone and no task of the command: point prompts ([Prompting]), the difficult subset of the
// pointing game ([Difficult]), Wilcoxon's test, Chefer's schedule of deletion.
package metrics

// Score is one number under its usual name, a fraction in 0..1; a contrast (mSC) lies in -1..1. A
// score that is undefined, such as the accuracy of a class without pixels, is left out of lists and
// never NaN.
type Score struct {
	Name  string
	Value float64
}

// ratio is a/b and whether it is defined.
func ratio(a, b int64) (float64, bool) {
	if b == 0 {
		return 0, false
	}
	return float64(a) / float64(b), true
}
