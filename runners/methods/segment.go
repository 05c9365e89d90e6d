package methods

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// segments gives every patch of a grid the text that most of its pixels are of.
type segments struct {
	rows, cols int
	text       []int
}

// segment is the segmentation between ResCLIP's parts: patch cosines [N, T] are upsampled to the pixels [3, H, W],
// refined by the image's colours and turned into probabilities. A pixel whose best one is below threshold is of the
// first text, the background. Memory does not grow with the texts.
func segment(pixels, cosines tensor.Dense, rows, cols, patch int, scale, threshold float64) segments {
	h, w := pixels.Shape[1], pixels.Shape[2]
	texts := cosines.Shape[1]
	labels := make([]uint16, h*w)
	const iterations = 10
	resample.Whole(cosines.Data, cols, rows, texts, w, h).
		Refine(labels, w, h, resample.Rule{Scale: scale, Threshold: threshold}, resample.NewPAMR(pixels.Data, w, h),
			iterations)
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

// affinity says how much patches belong together, [N, N] in 0..1: 1 for patches of one text, blurred along each row
// over patches in reading order, each row divided by its sum and all by the largest. With split, patches count less, by
// exp(-d/D), if the line between them leaves the segment; d is their distance in steps of a king, D the largest one.
func (s segments) affinity(sigma float64, split bool) []float64 {
	n := len(s.text)
	out := make([]float64, n*n)
	kernel := gaussianKernel(sigma, n)
	lines := newLines(s)
	tops := make([]float64, n)
	inParallel(n, func(i int) {
		dst := out[i*n:][:n]
		for j, text := range s.text {
			if text == s.text[i] {
				blur(dst, j, lines.weight(i, j, split), kernel)
			}
		}
		sum := 0.0
		for _, v := range dst {
			sum += v
		}
		for j := range dst {
			dst[j] /= sum + 1e-8
			tops[i] = max(tops[i], dst[j])
		}
	})
	top := slices.Max(tops)
	for i := range out {
		out[i] /= top
	}
	return out
}

// blur adds to dst what a symmetric kernel makes of a value at one place.
func blur(dst []float64, at int, value float64, kernel []float64) {
	from := at - len(kernel)/2
	if from < 0 {
		kernel, from = kernel[-from:], 0
	}
	dst = dst[from:min(from+len(kernel), len(dst))]
	for k := range dst {
		dst[k] += kernel[k] * value
	}
}

// inParallel calls do for 0..n-1 on all cores.
func inParallel(n int, do func(i int)) {
	var (
		next atomic.Int64
		wait sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// gaussianKernel has an odd number of taps within three sigma either side, about as many as there are cells at most,
// and sum 1.
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

// lines walks over the grid from patch to patch as the authors' code does: all lines are cut into as many steps as the
// longest one has, and only the first steps, as many as the patches are apart, are looked at.
//
// Note: so the far end of a short line is not seen. A walk to the end would be another method.
type lines struct {
	segments
	longest int
	decay   []float64 // of a weight, by the distance in steps
	y, x    []int32   // [from, to, step]: where a step is along an axis, in cells from the grid's beginning
}

func newLines(s segments) *lines {
	l := &lines{segments: s, longest: max(s.rows, s.cols) - 1}
	at := make([]float32, l.longest+1) // the share of a line that lies behind each step
	for k := range at {                // torch.linspace(0, 1), which counts the second half from its end
		step := 1 / float32(max(l.longest, 1))
		if k < (l.longest+1)/2 {
			at[k] = float32(step * float32(k))
		} else {
			at[k] = 1 - float32(step*float32(l.longest-k))
		}
		l.decay = append(l.decay, math.Exp(-float64(k)/float64(l.longest)))
	}
	axis := func(cells, width int) (places []int32) {
		for a := range cells {
			for b := range cells {
				for _, t := range at { // rounded to even, each operation in float32
					v := math.RoundToEven(float64(float32(float32(a)*(1-t)) + float32(float32(b)*t)))
					places = append(places, int32(int(v)*width))
				}
			}
		}
		return places
	}
	l.y, l.x = axis(s.rows, s.cols), axis(s.cols, 1)
	return l
}

// weight is what patches i and j of one text count for each other.
func (l *lines) weight(i, j int, split bool) float64 {
	iy, ix, jy, jx := i/l.cols, i%l.cols, j/l.cols, j%l.cols
	steps := max(abs(iy-jy), abs(ix-jx))
	if !split || steps == 0 || l.inside(iy*l.rows+jy, ix*l.cols+jx, steps, l.text[i]) {
		return 1
	}
	return l.decay[steps]
}

// inside reports whether the line between a pair of rows and a pair of columns keeps to patches of a text as far as it
// is walked.
func (l *lines) inside(rows, cols, steps, text int) bool {
	y := l.y[rows*(l.longest+1):][:steps+1]
	x := l.x[cols*(l.longest+1):][:steps+1]
	for k, row := range y {
		if l.text[row+x[k]] != text {
			return false
		}
	}
	return true
}
