// Package metrics answers: how good is it?
//
// What one image contributes is a small record of integers or of values of that image (here [Sparse]). A score is a
// [Statistic]: a function of how often each image counts. With every image counted once it is the number in a table
// ([Statistic.Once]); with drawn images it gives intervals ([Resample]) and paired comparisons ([Difference];
// [SignFlip] and [McNemar] test single images). There is no other way to a score, so the three cannot differ; and
// since only the records of images are kept, shards, resumed runs and re-scoring give equal numbers.
//
// Scores follow the rules of a named source, said beside each.
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

// average adds up values. The zero value is ready.
type average struct {
	sum float64
	n   int
}

func (a *average) add(v float64) { a.sum, a.n = a.sum+v, a.n+1 }

// addIf adds a value that is defined.
func (a *average) addIf(v float64, ok bool) {
	if ok {
		a.add(v)
	}
}

// of is the mean, undefined without values.
func (a *average) of() (float64, bool) { return a.sum / float64(max(1, a.n)), a.n > 0 }
