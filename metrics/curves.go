package metrics

// PrecisionRecall is the mean over the classes with positives of the interpolated precision, the highest one at a
// recall of at least k/steps, for k in 0..steps: section 4.2 of Everingham et al., IJCV 2010, with finer steps.
// Scores that tie are taken together. It is nil if no class has positives.
func (r *Ranking) PrecisionRecall(steps int) []float64 {
	sum := make([]float64, steps+1)
	classes := 0
	for _, list := range r.lists {
		if addInterpolated(sum, list, steps) {
			classes++
		}
	}
	if classes == 0 {
		return nil
	}
	for k := range sum {
		sum[k] /= float64(classes)
	}
	return sum
}

// addInterpolated adds the interpolated precisions of a class, and reports whether it has positives.
func addInterpolated(sum []float64, list []ranked, steps int) bool {
	positives := 0
	for _, x := range list {
		positives += int(x & rankedPresent)
	}
	if positives == 0 {
		return false
	}
	best := make([]float64, steps+1) // by the highest step that a recall reaches, then by any below
	right := 0
	for i, x := range list {
		if right += int(x & rankedPresent); x.last() {
			k := right * steps / positives
			best[k] = max(best[k], float64(right)/float64(i+1))
		}
	}
	for k := steps - 1; k >= 0; k-- {
		best[k] = max(best[k], best[k+1])
	}
	for k := range sum {
		sum[k] += best[k]
	}
	return true
}
