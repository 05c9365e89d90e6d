package metrics

import (
	"fmt"
	"strings"
)

// Convention is a rule for turning pooled areas into scores. Reference tools agree on IoU = I/U
// and disagree on classes without pixels. It is immutable and may be shared.
type Convention struct {
	Name string
	Doc  string // one line
	iou  classRule
	acc  classRule
}

// classRule scores one class from its pixels and says whether the class counts in the mean.
type classRule func(intersection, truth, pred int64) (float64, bool)

// MMSeg is the rule of mmsegmentation's IoUMetric, behind most open-vocabulary tables. A class
// that is predicted but absent from the truth has IoU 0 and counts; one absent from both does
// not; predictions out of range are misses of the true class and nobody's false positives.
//
// Note: mmsegmentation 1.x adds up in float32, which loses pixels above 2^24 a class. These are
// integers, so its logs may differ in the fourth digit of percent.
var MMSeg = Convention{
	Name: "mmseg",
	Doc:  "mmsegmentation: absent but predicted classes have IoU 0, classes absent from both are left out",
	iou:  func(i, t, p int64) (float64, bool) { return ratio(i, t+p-i) },
	acc:  func(i, t, _ int64) (float64, bool) { return ratio(i, t) },
}

// Conventions lists all rules; the first is the default.
var Conventions = []Convention{MMSeg}

// FindConvention finds a rule by name.
func FindConvention(name string) (Convention, error) {
	known := make([]string, len(Conventions))
	for i, c := range Conventions {
		if c.Name == name {
			return c, nil
		}
		known[i] = c.Name
	}
	return Convention{}, fmt.Errorf("convention %q is not known (known: %s)", name, strings.Join(known, ", "))
}

// Scores pools the images first and divides then: mIoU, mAcc, aAcc, FWIoU and mDice, in that
// order, without those that are undefined. An empty matrix has none.
func (c *Confusion) Scores(v Convention) []Score {
	a := c.areas()
	var out []Score
	for _, s := range []struct {
		name string
		stat func(Areas) (float64, bool)
	}{{"mIoU", v.MIoU}, {"mAcc", v.MAcc}, {"aAcc", AAcc}, {"FWIoU", v.FWIoU}, {"mDice", MDice}} {
		if x, ok := s.stat(a); ok {
			out = append(out, Score{s.name, x})
		}
	}
	return out
}

// MIoU is the mean IoU over the classes that count.
func (v Convention) MIoU(a Areas) (float64, bool) { return a.mean(v.iou) }

// MAcc is the mean recall over the classes that count.
func (v Convention) MAcc(a Areas) (float64, bool) { return a.mean(v.acc) }

// FWIoU is the sum over classes with pixels of (their share of the pixels) * IoU: Long et al.,
// "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 5.
func (v Convention) FWIoU(a Areas) (float64, bool) {
	var pixels int64
	var sum float64
	for c, t := range a.Truth {
		if iou, ok := v.iou(a.Intersection[c], t, a.Pred[c]); ok && t > 0 {
			sum += float64(t) * iou
			pixels += t
		}
	}
	return sum / float64(max(1, pixels)), pixels > 0
}

// AAcc is the share of pixels that are right, all classes together.
func AAcc(a Areas) (float64, bool) {
	var right, pixels int64
	for c, t := range a.Truth {
		right += a.Intersection[c]
		pixels += t
	}
	return ratio(right, pixels)
}

// MDice is the mean of 2I/(T+P) over classes with pixels in truth or prediction.
func MDice(a Areas) (float64, bool) { return a.mean(dice) }

func dice(i, t, p int64) (float64, bool) { return ratio(2*i, t+p) }

// mean adds in class order, so that equal areas give equal floats.
func (a Areas) mean(rule classRule) (float64, bool) {
	var sum float64
	n := 0
	for c, i := range a.Intersection {
		if x, ok := rule(i, a.Truth[c], a.Pred[c]); ok {
			sum += x
			n++
		}
	}
	return sum / float64(max(1, n)), n > 0
}

// ClassScores are the scores of one class with the pixels they come from.
type ClassScores struct {
	Class                     int
	Intersection, Truth, Pred int64
	Scores                    []Score // IoU, Acc, Precision, Dice; undefined ones are left out
}

// PerClass lists every class, those without any pixel with no scores.
func (c *Confusion) PerClass(v Convention) []ClassScores {
	a := c.areas()
	out := make([]ClassScores, c.classes)
	for k := range out {
		i, t, p := a.Intersection[k], a.Truth[k], a.Pred[k]
		out[k] = ClassScores{Class: k, Intersection: i, Truth: t, Pred: p}
		for _, s := range []struct {
			name string
			rule classRule
		}{{"IoU", v.iou}, {"Acc", v.acc}, {"Precision", precision}, {"Dice", dice}} {
			if x, ok := s.rule(i, t, p); ok {
				out[k].Scores = append(out[k].Scores, Score{s.name, x})
			}
		}
	}
	return out
}

func precision(i, _, p int64) (float64, bool) { return ratio(i, p) }
