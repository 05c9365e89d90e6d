package metrics

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// APRule is a definition of average precision. It is immutable and may be shared.
type APRule struct {
	Name string
	Doc  string // one line
	ap   func(list []ranked, times []int32) float64
	// zero is set where a class without positives has AP 0 and counts; elsewhere it has none.
	zero bool
}

// StepAP is the sum over distinct scores of (R_k - R_(k-1)) P_k, recall and precision of the images
// from that score up: scikit-learn's average_precision_score. Equal scores are one step, so that
// the order of the images does not matter.
var StepAP = APRule{
	Name: "sklearn",
	Doc:  "scikit-learn: steps of recall times precision, equal scores are one step",
	ap:   stepAP,
}

// VOC07AP is the mean of the highest precision at recall 0, 0.1, ..., 1 or above: PASCAL VOC up to
// 2009. Equal scores rank by image.
//
// Note: the thresholds are multiples of the float 0.1 as in the tools in use, so that a recall of
// exactly 3/10, 6/10 or 7/10 misses its own.
var VOC07AP = APRule{
	Name: "voc07-11pt",
	Doc:  "PASCAL VOC 2007: mean of the best precision at 11 levels of recall",
	ap:   voc07AP,
}

// VOCEnvelopeAP is the area under the highest precision at each recall or above: PASCAL VOC since
// 2010, Query2Label, SSGRL. Equal scores rank by image. It is never below the steps.
var VOCEnvelopeAP = APRule{
	Name: "voc-envelope",
	Doc:  "PASCAL VOC since 2010: area under the monotone envelope",
	ap:   vocEnvelopeAP,
}

// ASLAP is the mean of the precision at each positive, with 1e-8 added to their number: ASL,
// DualCoOp, TaI-DPT. A class without positives has 0 and counts.
//
// Note: equal scores rank as the sort there happens to leave them; here the later image goes first,
// which is what that code does with a stable sort.
var ASLAP = APRule{
	Name: "asl",
	Doc:  "ASL, DualCoOp, TaI-DPT: mean precision at the positives; classes without any are 0",
	ap:   aslAP,
	zero: true,
}

// APRules lists all rules; the first is the default.
var APRules = []APRule{StepAP, VOC07AP, VOCEnvelopeAP, ASLAP}

// AP is the average precision of a class, and whether it is defined. Image i counts times[i]
// times, as if it stood in its place that often; nil is once each. It panics outside the classes
// or with fewer times than images.
func (r *Ranking) AP(class int, rule APRule, times []int32) (float64, bool) {
	if times != nil {
		times = times[:r.images]
	}
	list := r.lists[class]
	for _, x := range list {
		if x.present() && (times == nil || times[x.image()] > 0) {
			return rule.ap(list, times), true
		}
	}
	return 0, rule.zero
}

// MAP is the mean AP over the classes where it is defined, and the number of classes without
// positives. times is as in [Ranking.AP].
func (r *Ranking) MAP(rule APRule, times []int32) (mean float64, undefined int, ok bool) {
	var m average
	for class := range r.lists {
		ap, ok := r.AP(class, rule, times)
		if !ok || rule.zero && ap == 0 {
			undefined++
		}
		m.addIf(ap, ok)
	}
	mean, ok = m.of()
	return mean, undefined, ok && r.images > 0
}

// MAPStatistic is the mean AP of resampled images, for [Resample]: linear in the number of images,
// without sorting again.
func (r *Ranking) MAPStatistic(rule APRule) Statistic {
	return func(d Draw) (float64, bool) {
		if len(d.Times) != r.images || !slices.ContainsFunc(d.Times, func(n int32) bool { return n > 0 }) {
			return 0, false
		}
		mean, _, ok := r.MAP(rule, d.Times)
		return mean, ok
	}
}

// count is how often an image counts.
func (r ranked) count(times []int32) int64 {
	if times == nil {
		return 1
	}
	return int64(times[r.image()])
}

func stepAP(list []ranked, times []int32) float64 {
	var right, all, before int64
	var sum float64
	for _, x := range list {
		n := x.count(times)
		all += n
		right += n * int64(x&rankedPresent)
		if x.last() && right > before {
			sum += float64(right-before) * (float64(right) / float64(all))
			before = right
		}
	}
	return sum / float64(right)
}

// precisions are those at each positive, from the first.
func precisions(list []ranked, times []int32) []float64 {
	var out []float64
	right, all := 0, int64(0)
	for _, x := range list {
		n := x.count(times)
		if !x.present() {
			all += n
			continue
		}
		for range n {
			all++
			right++
			out = append(out, float64(right)/float64(all))
		}
	}
	return out
}

// envelopes are the highest precisions at each positive or a later one.
func envelopes(list []ranked, times []int32) []float64 {
	out := precisions(list, times)
	for i := len(out) - 2; i >= 0; i-- {
		out[i] = max(out[i], out[i+1])
	}
	return out
}

func voc07AP(list []ranked, times []int32) float64 {
	best := envelopes(list, times)
	var sum float64
	at := 0
	for k := range 11 {
		for float64(at+1)/float64(len(best)) < float64(k)*0.1 {
			at++
		}
		sum += best[at]
	}
	return sum / 11
}

func vocEnvelopeAP(list []ranked, times []int32) float64 {
	best := envelopes(list, times)
	return floats.Sum(best) / float64(len(best))
}

func aslAP(list []ranked, times []int32) float64 {
	turned := make([]ranked, 0, len(list))
	for first, i := 0, 0; i < len(list); i++ {
		if list[i].last() {
			for k := i; k >= first; k-- {
				turned = append(turned, list[k])
			}
			first = i + 1
		}
	}
	at := precisions(turned, times)
	return floats.Sum(at) / (float64(len(at)) + 1e-8)
}
