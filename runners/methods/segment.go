package methods

import (
	"math"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// segments gives every patch of a grid the text that most of its pixels are of.
type segments struct {
	rows, cols int
	text       []int
}

// segment is the segmentation between ResCLIP's parts: patch cosines [1+N, T] are upsampled to the pixels [3, H, W], refined by the image's
// colours and turned into probabilities. A pixel whose best one is below threshold is of the first text, the background. Memory does not grow with the texts.
func segment(pixels, cosines tensor.Dense, rows, cols, patch int, scale, threshold float64) segments {
	h, w := pixels.Shape[1], pixels.Shape[2]
	texts := cosines.Shape[1]
	labels := make([]uint16, h*w)
	const iterations = 10
	resample.Whole(cosines.Data[texts:], cols, rows, texts, w, h).
		Refine(labels, w, h, resample.Rule{Scale: scale, Threshold: threshold}, resample.NewPAMR(pixels.Data, w, h), iterations)
	s := segments{rows, cols, make([]int, rows*cols)}
	votes := make([]int, texts)
	for i := range s.text {
		clear(votes)
		for y := i / cols * patch; y < (i/cols+1)*patch; y++ {
			for x := i % cols * patch; x < (i%cols+1)*patch; x++ {
				votes[labels[y*w+x]]++
			}
		}
		for t, n := range votes { // the first of equals, as torch.mode
			if n > votes[s.text[i]] {
				s.text[i] = t
			}
		}
	}
	return s
}

// affinity says how much patches belong together, [N, N] in 0..1: 1 for patches of one text, blurred along each row over patches in
// reading order, each row divided by its sum and all by the largest. With split, patches count less, by exp(-d/D), if the line between
// them leaves the segment; d is their distance in steps of a king, D the largest one.
func (s segments) affinity(sigma float64, split bool) []float64 {
	n := len(s.text)
	out := make([]float64, n*n)
	row := make([]float64, n)
	kernel := gaussianKernel(sigma, n)
	half := len(kernel) / 2
	lines := newLines(s)
	top := 0.0
	for i := range n {
		for j := range n {
			row[j] = 0
			if s.text[i] == s.text[j] {
				row[j] = 1
				if split && !lines.inside(i, j) {
					row[j] = math.Exp(-float64(lines.steps(i, j)) / float64(lines.longest))
				}
			}
		}
		dst := out[i*n:][:n]
		sum := 0.0
		for j := range dst {
			for k, v := range kernel {
				if at := j + k - half; at >= 0 && at < n {
					dst[j] += v * row[at]
				}
			}
			sum += dst[j]
		}
		for j := range dst {
			dst[j] /= sum + 1e-8
			top = max(top, dst[j])
		}
	}
	for i := range out {
		out[i] /= top
	}
	return out
}

// gaussianKernel has an odd number of taps within three sigma either side, about as many as there are cells at most, and sum 1.
func gaussianKernel(sigma float64, cells int) []float64 {
	size := min(cells, int(6*sigma+1)) | 1
	out := make([]float64, size)
	sum := 0.0
	for i := range out {
		x := float64(i - size/2)
		out[i] = math.Exp(-x * x / (2 * sigma * sigma))
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// lines walks over the grid from patch to patch as the authors' code does: all lines are cut into as many steps as the longest one
// has, and only the first steps, as many as the patches are apart, are looked at.
//
// Note: so the far end of a short line is not seen. A walk to the end would be another method.
type lines struct {
	segments
	longest int
	at      []float32 // the share of a line that lies behind each step
}

func newLines(s segments) lines {
	l := lines{segments: s, longest: max(s.rows, s.cols) - 1}
	for k := range l.longest + 1 { // torch.linspace(0, 1), which counts the second half from its end
		step := 1 / float32(max(l.longest, 1))
		if k < (l.longest+1)/2 {
			l.at = append(l.at, float32(step*float32(k)))
		} else {
			l.at = append(l.at, 1-float32(step*float32(l.longest-k)))
		}
	}
	return l
}

// steps is the distance of patches i and j.
func (l *lines) steps(i, j int) int {
	return max(abs(i/l.cols-j/l.cols), abs(i%l.cols-j%l.cols))
}

// inside reports whether the line from i to j keeps to i's segment as far as it is walked.
func (l *lines) inside(i, j int) bool {
	between := func(a, b int, t float32) int { // rounded to even, each operation in float32
		return int(math.RoundToEven(float64(float32(float32(a)*(1-t)) + float32(float32(b)*t))))
	}
	for _, t := range l.at[:l.steps(i, j)+1] {
		y, x := between(i/l.cols, j/l.cols, t), between(i%l.cols, j%l.cols, t)
		if l.text[y*l.cols+x] != l.text[i] {
			return false
		}
	}
	return true
}
