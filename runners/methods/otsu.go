package methods

// Otsu is the threshold of a map in 0..1 that best parts it in two: of 256 equal steps the one with the greatest
// variance between what is below and what is at or over it (Otsu, "A threshold selection method from gray-level
// histograms", 1979). The lowest wins a tie; a map within one step gives 0.
func Otsu(saliency []float32) float32 {
	const steps = 256
	var count, sum [steps]float64
	all := 0.0
	for _, v := range saliency {
		i := min(max(int(v*steps), 0), steps-1)
		count[i]++
		sum[i] += float64(v)
		all += float64(v)
	}
	n, below, total := float64(len(saliency)), 0.0, 0.0
	best, at := 0.0, 0
	for i := 1; i < steps; i++ {
		below += count[i-1]
		total += sum[i-1]
		if below == 0 || below == n {
			continue
		}
		apart := total/below - (all-total)/(n-below)
		if variance := below * (n - below) * apart * apart; variance > best {
			best, at = variance, i
		}
	}
	return float32(at) / steps
}
