package metrics

import (
	"fmt"
	"slices"
)

// TagRecord is what one image contributes to precision and recall of tags: the classes that are
// predicted or present, by class. nil is an image with neither. Skipped classes are not in it.
type TagRecord []TagPair

// TagPair says what is true of a class in an image; at least one of the two is.
type TagPair struct {
	Class              uint16
	Predicted, Present bool
}

// TopK predicts the k classes with the highest scores of one image: exactly k, the lower class
// first among equal scores, as in evaluations of zero-shot tags on NUS-WIDE (K = 3 and 5). Classes
// that d skips are no candidates; with fewer than k candidates left all are predicted.
func TopK(scores []float64, truth []Tag, k int, d DifficultRule) (TagRecord, error) {
	if k < 1 || k > len(scores) {
		return nil, fmt.Errorf("top %d of %d classes", k, len(scores))
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if len(scores) != len(truth) || len(scores) > MaxClasses {
		return nil, fmt.Errorf("%d scores and %d truths, want both to be 1..%d classes", len(scores), len(truth), MaxClasses)
	}
	pairs := make([]TagPair, len(scores))
	best := make([]int, 0, k+1)
	for c, score := range scores {
		if score != score || truth[c] > TagDifficult {
			return nil, badTag(c, score, truth[c])
		}
		counts, present := d.asked(truth[c])
		pairs[c] = TagPair{Class: uint16(c), Present: present}
		at := len(best)
		for at > 0 && scores[best[at-1]] < score {
			at--
		}
		if counts && at < k {
			best = slices.Insert(best, at, c)
			best = best[:min(k, len(best))]
		}
	}
	for _, c := range best {
		pairs[c].Predicted = true
	}
	return slices.DeleteFunc(pairs, func(p TagPair) bool { return !p.Predicted && !p.Present }), nil
}

func (r TagRecord) check(classes int) error {
	for i, p := range r {
		switch {
		case int(p.Class) >= classes:
			return fmt.Errorf("tag %d: class %d of %d", i, p.Class, classes)
		case i > 0 && r[i-1].Class >= p.Class:
			return fmt.Errorf("tag %d: class %d is out of order or repeated", i, p.Class)
		case !p.Predicted && !p.Present:
			return fmt.Errorf("tag %d: class %d is neither predicted nor present", i, p.Class)
		}
	}
	return nil
}

// TagScores are the names of [TagsStatistic].
var TagScores = []string{"CP", "CR", "CF1", "OP", "OR", "OF1"}

// TagsStatistic is one of the scores over resampled images: CP, CR and CF1 per class, then averaged over the classes
// that are present somewhere, as mAP is; OP, OR and OF1 of all classes together. Precision is 0 where nothing is
// predicted, and an F1, the harmonic mean of the two before it, where both of its parts are. Without a class that is
// present they are undefined.
func TagsStatistic(records []TagRecord, classes int, score string) (Statistic, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	if err := known(score, TagScores...); err != nil {
		return nil, err
	}
	for i, r := range records {
		if err := r.check(classes); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	t := &tags{make([]int64, classes), make([]int64, classes), make([]int64, classes)}
	return pooled(t, records, len(records), same, score), nil
}

// tags are images by class.
type tags struct {
	right     []int64 // predicted and present
	predicted []int64
	present   []int64
}

func (t *tags) clear() {
	clear(t.right)
	clear(t.predicted)
	clear(t.present)
}

func (t *tags) add(r TagRecord, times int64) {
	for _, p := range r {
		if p.Predicted {
			t.predicted[p.Class] += times
		}
		if p.Present {
			t.present[p.Class] += times
		}
		if p.Predicted && p.Present {
			t.right[p.Class] += times
		}
	}
}

func (t *tags) Scores() []Score {
	var cp, cr float64
	var right, predicted, present int64
	classes := 0
	for k, n := range t.present {
		right += t.right[k]
		predicted += t.predicted[k]
		present += n
		if n > 0 {
			classes++
			cr += float64(t.right[k]) / float64(n)
			cp += float64(t.right[k]) / float64(max(1, t.predicted[k]))
		}
	}
	if classes == 0 {
		return nil
	}
	cp, cr = cp/float64(classes), cr/float64(classes)
	op, or := float64(right)/float64(max(1, predicted)), float64(right)/float64(present)
	f1 := func(p, r float64) float64 {
		if p+r == 0 {
			return 0
		}
		return 2 * p * r / (p + r)
	}
	return []Score{{"CP", cp}, {"CR", cr}, {"CF1", f1(cp, cr)}, {"OP", op}, {"OR", or}, {"OF1", f1(op, or)}}
}
