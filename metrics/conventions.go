package metrics

import (
	"fmt"
	"strings"
)

// Convention is a rule for turning pooled areas into scores. Reference tools agree on IoU = I/U
// and disagree on classes without pixels. It is immutable and may be shared.
//
// All rules read the same records, so one run can be scored under each of them. Pixels whose
// truth is ignored are in no record: whatever was predicted there counts under no convention.
type Convention struct {
	Name  string
	iou   classRule
	final bool // the mean of mIoU and aAcc is a score of its own
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
	iou:  iouOfSeen,
}

// CityscapesIoU is the class IoU of cityscapesScripts' pixel-level evaluation for a matrix of the
// 19 training classes: predicting an ignored label, which is out of range here, is a miss.
// [CityscapesStatistic] has the whole evaluation.
var CityscapesIoU = Convention{
	Name: "cityscapes",
	iou:  iouOfSeen,
}

// COCOStuff is the rule of the COCO-Stuff API and of detectron2's SemSegEvaluator: a class counts
// only if the truth has pixels of it, so that one which is only predicted costs nothing but the
// misses of the true class.
//
// Note: detectron2 also drops pixels whose prediction is out of range, which an arg-max over the
// classes never makes; the COCO-Stuff API refuses them. Here they are misses.
var COCOStuff = Convention{
	Name: "cocostuff",
	iou: func(i, t, p int64) (float64, bool) {
		iou, ok := iouOfSeen(i, t, p)
		return iou, ok && t > 0
	},
}

// ADE20K is the rule of the scene parsing development kit: classes absent from truth and
// prediction have IoU 0 and stay in the mean over all classes. Its final score is the mean of
// mIoU and pooled pixel accuracy. (Its divisors carry an epsilon of 2^-52, which no count of
// pixels feels.)
var ADE20K = Convention{
	Name: "ade20k",
	iou: func(i, t, p int64) (float64, bool) {
		iou, _ := iouOfSeen(i, t, p)
		return iou, true
	},
	final: true,
}

// ImageNetSIoU is the headline mIoU of ImageNet-S's evaluator, for a matrix whose class 0 is the
// background: I / (U + 1e-10), with the mean over all classes. [ImageNetSStatistic] has the
// whole evaluation.
var ImageNetSIoU = Convention{
	Name: "imagenet_s",
	iou: func(i, t, p int64) (float64, bool) {
		return float64(i) / (float64(t+p-i) + imageNetSEpsilon), true
	},
}

const imageNetSEpsilon = 1e-10

// iouOfSeen is I/U, undefined for a class absent from truth and prediction.
func iouOfSeen(i, t, p int64) (float64, bool) { return ratio(i, t+p-i) }

func recall(i, t, _ int64) (float64, bool) { return ratio(i, t) }

// Conventions lists all rules; the first is the default.
var Conventions = []Convention{MMSeg, CityscapesIoU, COCOStuff, ADE20K, ImageNetSIoU}

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

// OfImages is the convention for an image alone: as v, but a class absent from truth and prediction never counts. Under
// a rule that scores absent classes 0, an image of 5 of 150 classes could not reach 0.04.
func (v Convention) OfImages() Convention {
	rule := v.iou
	v.iou = func(i, t, p int64) (float64, bool) {
		iou, ok := rule(i, t, p)
		return iou, ok && t+p > 0
	}
	return v
}

// Final is the mean of mIoU and aAcc, where the tool has it.
func (v Convention) Final(a Areas) (float64, bool) {
	iou, ok1 := v.MIoU(a)
	acc, ok2 := AAcc(a)
	return (iou + acc) / 2, v.final && ok1 && ok2
}
