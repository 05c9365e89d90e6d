package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// TagRecord is what one image contributes to precision and recall of tags: the classes that are
// predicted or present, by class. nil is an image with neither. Skipped classes are not in it.
type TagRecord []TagPair

// TagPair says what is true of a class in an image; at least one of the two is.
type TagPair struct {
	Class              uint16
	Predicted, Present bool
}

// AtLeast predicts the classes with a score of the threshold or above, of one image.
func AtLeast(scores []float64, truth []Tag, threshold float64, d DifficultRule) (TagRecord, error) {
	if threshold != threshold {
		return nil, fmt.Errorf("threshold %v", threshold)
	}
	return tagRecord(scores, truth, d, func(candidates []int) []int {
		return slices.DeleteFunc(candidates, func(c int) bool { return scores[c] < threshold })
	})
}

// TopK predicts the k classes with the highest scores of one image: exactly k, the lower class
// first among equal scores, as in evaluations of zero-shot tags on NUS-WIDE (K = 3 and 5). Classes
// that d skips are no candidates; with fewer than k candidates left all are predicted. Of the k,
// those below floor are not predicted: math.Inf(-1) keeps all, and 0 for logits is what ML-GCN does.
func TopK(scores []float64, truth []Tag, k int, floor float64, d DifficultRule) (TagRecord, error) {
	if k < 1 || k > len(scores) {
		return nil, fmt.Errorf("top %d of %d classes", k, len(scores))
	}
	if floor != floor {
		return nil, fmt.Errorf("floor %v", floor)
	}
	return tagRecord(scores, truth, d, func(candidates []int) []int {
		best := make([]int, 0, k+1)
		for _, c := range candidates {
			at := len(best)
			for at > 0 && scores[best[at-1]] < scores[c] {
				at--
			}
			if at < k {
				best = slices.Insert(best, at, c)
				best = best[:min(k, len(best))]
			}
		}
		return slices.DeleteFunc(best, func(c int) bool { return scores[c] < floor })
	})
}

// tagRecord checks one image and makes its record. predict may reorder and shorten its argument.
func tagRecord(scores []float64, truth []Tag, d DifficultRule, predict func(candidates []int) []int) (TagRecord, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if len(scores) != len(truth) || len(scores) > MaxClasses {
		return nil, fmt.Errorf("%d scores and %d truths, want both to be 1..%d classes", len(scores), len(truth), MaxClasses)
	}
	pairs := make([]TagPair, len(scores))
	candidates := make([]int, 0, len(scores))
	for c, score := range scores {
		if score != score || truth[c] > TagDifficult {
			return nil, badTag(c, score, truth[c])
		}
		counts, present := d.asked(truth[c])
		pairs[c] = TagPair{Class: uint16(c), Present: present}
		if counts {
			candidates = append(candidates, c)
		}
	}
	for _, c := range predict(candidates) {
		pairs[c].Predicted = true
	}
	var out TagRecord
	for _, p := range pairs {
		if p.Predicted || p.Present {
			out = append(out, p)
		}
	}
	return out, nil
}

func badTag(class int, score float64, t Tag) error {
	if t > TagDifficult {
		return fmt.Errorf("class %d: truth %d, want 0 (absent), 1 (present) or 2 (difficult)", class, t)
	}
	return fmt.Errorf("class %d: score %v", class, score)
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

// labelled says whether any class is present.
func (r TagRecord) labelled() bool {
	return slices.ContainsFunc(r, func(p TagPair) bool { return p.Present })
}

// TagRule turns counts per class into scores. It is immutable and may be shared.
type TagRule struct {
	Name string
	Doc  string // one line
	// dropUnlabelled leaves out images in which no class is present.
	dropUnlabelled bool
	scores         func(c TagCounts) []Score
}

// PlainTags takes CP and CR as means over the classes that are present somewhere, as mAP
// is; precision is 0 where nothing is predicted, and an F1 where both of its parts are.
var PlainTags = TagRule{Name: "plain", Doc: "all images; classes that are present nowhere are left out of CP and CR", scores: plainTagScores}

// ZeroShotTags is the convention of zero-shot tagging on NUS-WIDE (BiAM, MKT, DualCoOp, TaI-DPT):
// PlainTags without the images in which no class is present. OP, OR and OF1 are its P, R and F1.
var ZeroShotTags = TagRule{Name: "zsl", Doc: "as plain, without the images that have no label", dropUnlabelled: true, scores: plainTagScores}

// MLGCNTags is ML-GCN's code: a class that is never predicted counts as predicted once, also in
// the divisor of OP; CP and CR are means over all classes, so that CR and CF1 are undefined once a
// class is present nowhere; an F1 is undefined where both of its parts are 0.
var MLGCNTags = TagRule{Name: "mlgcn", Doc: "ML-GCN's code: never predicted classes count as predicted once", scores: mlgcnTagScores}

// TagRules lists all rules; the first is the default.
var TagRules = []TagRule{PlainTags, ZeroShotTags, MLGCNTags}

// FindTagRule finds a rule by name.
func FindTagRule(name string) (TagRule, error) {
	known := make([]string, len(TagRules))
	for i, r := range TagRules {
		if r.Name == name {
			return r, nil
		}
		known[i] = r.Name
	}
	return TagRule{}, fmt.Errorf("tag rule %q is not known (known: %s)", name, strings.Join(known, ", "))
}

// TagCounts are images by class.
type TagCounts struct {
	Right     []int64 // predicted and present
	Predicted []int64
	Present   []int64
}

// Tags accumulates [TagRecord]s. Make one with [NewTags]. It holds integers only, so any order and
// grouping of Add and Merge give equal scores. It may be used by one goroutine at a time.
type Tags struct {
	rule   TagRule
	counts TagCounts
	images int64
	bare   int64 // of these, without any class present
}

// NewTags makes an empty accumulator of 1..MaxClasses classes.
func NewTags(classes int, rule TagRule) (*Tags, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	if rule.scores == nil {
		return nil, fmt.Errorf("no rule for tags; want one of metrics.TagRules")
	}
	return &Tags{rule: rule, counts: TagCounts{make([]int64, classes), make([]int64, classes), make([]int64, classes)}}, nil
}

// Add adds one image. It changes nothing if the record is not one that [AtLeast] or [TopK] makes.
func (t *Tags) Add(r TagRecord) error {
	if err := r.check(len(t.counts.Present)); err != nil {
		return err
	}
	t.add(r, 1)
	return nil
}

// add counts an image that many times.
func (t *Tags) add(r TagRecord, times int64) {
	t.images += times
	if !r.labelled() {
		t.bare += times
		if t.rule.dropUnlabelled {
			return
		}
	}
	for _, p := range r {
		if p.Predicted {
			t.counts.Predicted[p.Class] += times
		}
		if p.Present {
			t.counts.Present[p.Class] += times
		}
		if p.Predicted && p.Present {
			t.counts.Right[p.Class] += times
		}
	}
}

// Merge adds all images of another accumulator, of the same rule.
func (t *Tags) Merge(other *Tags) error {
	if len(other.counts.Present) != len(t.counts.Present) || other.rule.Name != t.rule.Name {
		return fmt.Errorf("tags of %d classes under %s and of %d under %s cannot be merged",
			len(t.counts.Present), t.rule.Name, len(other.counts.Present), other.rule.Name)
	}
	for c := range t.counts.Present {
		t.counts.Right[c] += other.counts.Right[c]
		t.counts.Predicted[c] += other.counts.Predicted[c]
		t.counts.Present[c] += other.counts.Present[c]
	}
	t.images += other.images
	t.bare += other.bare
	return nil
}

// Images is the number of images added, and how many of them have no class present; whether those
// count is the rule's to say.
func (t *Tags) Images() (all, unlabelled int64) { return t.images, t.bare }

// Counts are the pooled counts; they are not to be changed.
func (t *Tags) Counts() TagCounts { return t.counts }

// Scores are CP, CR, CF1 (per class, then averaged) and OP, OR, OF1 (all classes together), F1
// being the harmonic mean of the two before it. Undefined ones are left out. Without images that
// count there are none.
func (t *Tags) Scores() []Score {
	if t.images == 0 || t.rule.dropUnlabelled && t.images == t.bare {
		return nil
	}
	return t.rule.scores(t.counts)
}

func plainTagScores(c TagCounts) []Score {
	var cp, cr float64
	var right, predicted, present int64
	classes := 0
	for k, n := range c.Present {
		right += c.Right[k]
		predicted += c.Predicted[k]
		present += n
		if n > 0 {
			classes++
			cr += float64(c.Right[k]) / float64(n)
			cp += float64(c.Right[k]) / float64(max(1, c.Predicted[k]))
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

func mlgcnTagScores(c TagCounts) []Score {
	var cp, cr float64
	var right, predicted, present int64
	for k, n := range c.Present {
		guesses := max(1, c.Predicted[k])
		right += c.Right[k]
		predicted += guesses
		present += n
		cp += float64(c.Right[k]) / float64(guesses)
		cr += float64(c.Right[k]) / float64(n) // NaN of an absent class is meant
	}
	cp, cr = cp/float64(len(c.Present)), cr/float64(len(c.Present))
	op, or := float64(right)/float64(predicted), float64(right)/float64(present)
	f1 := func(p, r float64) float64 { return 2 * p * r / (p + r) }
	var out []Score
	for _, s := range []Score{{"CP", cp}, {"CR", cr}, {"CF1", f1(cp, cr)}, {"OP", op}, {"OR", or}, {"OF1", f1(op, or)}} {
		if !math.IsNaN(s.Value) {
			out = append(out, s)
		}
	}
	return out
}

// TagsStatistic is one of the scores of [Tags] over resampled images, by name: CP, CR, CF1, OP, OR or OF1.
func TagsStatistic(records []TagRecord, classes int, rule TagRule, score string) (Statistic, error) {
	sum, err := NewTags(classes, rule)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"CP", "CR", "CF1", "OP", "OR", "OF1"}, score) {
		return nil, fmt.Errorf("tag score %q has no statistic", score)
	}
	for i, r := range records {
		if err := r.check(classes); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	return func(times []int32) (float64, bool) {
		if len(times) != len(records) {
			return 0, false
		}
		sum.clear()
		for i, n := range times {
			if n > 0 {
				sum.add(records[i], int64(n))
			}
		}
		for _, s := range sum.Scores() {
			if s.Name == score {
				return s.Value, true
			}
		}
		return 0, false
	}, nil
}

func (t *Tags) clear() {
	clear(t.counts.Right)
	clear(t.counts.Predicted)
	clear(t.counts.Present)
	t.images, t.bare = 0, 0
}
