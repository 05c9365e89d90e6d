package metrics

// MIoU is the mean IoU over the classes that count.
func (v Convention) MIoU(a Areas) (float64, bool) { return a.mean(v.iou) }

// MAcc is the mean recall over the classes that count.
func (v Convention) MAcc(a Areas) (float64, bool) { return a.mean(recall) }

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

// mean adds in class order, so that equal areas give equal floats. Without any pixel of truth
// there is no mean, not even under a rule that scores absent classes.
func (a Areas) mean(rule classRule) (float64, bool) {
	var m average
	var pixels int64
	for c, i := range a.Intersection {
		pixels += a.Truth[c]
		m.addIf(rule(i, a.Truth[c], a.Pred[c]))
	}
	value, ok := m.of()
	return value, ok && pixels > 0
}

// ClassScores are the scores of one class with the pixels they come from.
type ClassScores struct {
	Class                     int
	Intersection, Truth, Pred int64
	Scores                    []Score // IoU, Acc, Precision, Dice; undefined ones are left out
}

// PerClass lists every class with the scores that are defined under v.
func (v Convention) PerClass(a Areas) []ClassScores {
	out := make([]ClassScores, len(a.Truth))
	for k := range out {
		i, t, p := a.Intersection[k], a.Truth[k], a.Pred[k]
		out[k] = ClassScores{Class: k, Intersection: i, Truth: t, Pred: p}
		for _, s := range []struct {
			name string
			rule classRule
		}{{"IoU", v.iou}, {"Acc", recall}, {"Precision", precision}, {"Dice", dice}} {
			if x, ok := s.rule(i, t, p); ok {
				out[k].Scores = append(out[k].Scores, Score{s.name, x})
			}
		}
	}
	return out
}

func precision(i, _, p int64) (float64, bool) { return ratio(i, p) }

// IoU is that of one class, and whether the class counts.
func (v Convention) IoU(a Areas, class int) (float64, bool) {
	return v.iou(a.Intersection[class], a.Truth[class], a.Pred[class])
}
