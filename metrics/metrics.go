// Package metrics answers: how good is it?
//
// Metrics are functions of plain slices. What one image contributes is a small record of
// integers (here [Sparse]); records are added in any order and any grouping, and only the sums
// are divided, so that shards, resumed runs and re-scoring give equal numbers.
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
