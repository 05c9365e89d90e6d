package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Expected with scikit-learn: precision_recall_curve of each class, the highest precision at a recall of k/10 or more,
// the mean over both classes.
func TestPrecisionRecall(t *testing.T) {
	scores := []float64{.9, .2, .8, .2, .7, .9, .6, .1, .5, .4, .5, .3, .4, .8}
	truth := []Tag{1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0}
	r, err := Rank(scores, truth, 2, DifficultSkip)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{2. / 3, 2. / 3, 2. / 3, .5, .5, .5, 0.45238095238095233, 0.45238095238095233, 0.45238095238095233,
		0.45238095238095233, 0.45238095238095233}
	if diff := cmp.Diff(want, r.PrecisionRecall(10), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	none, err := Rank(scores, make([]Tag, len(scores)), 2, DifficultSkip)
	if err != nil {
		t.Fatal(err)
	}
	if got := none.PrecisionRecall(10); got != nil {
		t.Errorf("without positives: %v, want nil", got)
	}
}
