package resample

import "math"

// The torch rules below are those of torch.nn.functional.interpolate with
// align_corners=False on float32 tensors. Coordinates, weights and sums are float32 in
// the order of torch's generic CPU kernel: first along a row, then down the columns.
// Every product is rounded before it is added, so results do not depend on the machine.
// They have torch's bits where torch multiplies and adds separately and its planes are
// contiguous (ATEN_CPU_CAPABILITY=default). Its other kernels (fused multiply-add, channels
// last, small outputs) round coordinates and sums otherwise: measured up to 3e-6 of the
// largest value at 32 source cells a side, 1e-5 at 100.

// Bilinear upsamples or downsamples one plane of sw x sh numbers into dst, w x h, both
// row-major: interpolate(mode="bilinear", align_corners=False), without antialiasing.
func Bilinear(dst []float32, w, h int, src []float32, sw, sh int) {
	BilinearCells(dst, w, h, src, sw, sh, 1)
}

// BilinearWeights are what [Bilinear] takes of m cells in a line for each of n: [n, m].
func BilinearWeights(n, m int) []float32 {
	out, cells := make([]float32, n*m), make([]float32, m*m)
	for i := range m {
		cells[i*m+i] = 1
	}
	BilinearCells(out, 1, n, cells, 1, m, m)
	return out
}

// BilinearCells is [Bilinear] for a table of cells, channels last: src is
// [sh*sw, channels], dst [h*w, channels]. Positional embeddings and token maps lie so.
func BilinearCells(dst []float32, w, h int, src []float32, sw, sh, channels int) {
	resizeCells(dst, w, h, src, sw, sh, channels, bilinearTaps, 0, 0)
}

// Nearest is the cell of in that torch's nearest interpolation takes for cell i of out.
func Nearest(i, in, out int) int {
	return min(int(float32(i)*(float32(in)/float32(out))), in-1)
}

// BilinearCorners is [Bilinear] with the centres of the outer pixels on those of the outer cells:
// interpolate(mode="bilinear", align_corners=True).
func BilinearCorners(dst []float32, w, h int, src []float32, sw, sh int) {
	resizeCells(dst, w, h, src, sw, sh, 1, cornerTaps, 0, 0)
}

// Bicubic resizes a table of cells, src [sh*sw, channels] into dst [h*w, channels]:
// interpolate(mode="bicubic", align_corners=False), a = -0.75, without antialiasing.
// With channels = 1 a table is a plane.
//
// stepX and stepY are source cells per output cell; 0 stands for sw/w and sh/h.
// Torch called with scale_factor f samples with step 1/f and not in/out:
// a positional table of g x g cells stretched by f = (n+0.1)/g has step 1/f.
func Bicubic(dst []float32, w, h int, src []float32, sw, sh, channels int, stepX, stepY float64) {
	resizeCells(dst, w, h, src, sw, sh, channels, bicubicTaps, stepX, stepY)
}

// BicubicAntialias resizes a table of cells, src [sh*sw, channels] into dst
// [h*w, channels]: interpolate(mode="bicubic", align_corners=False, antialias=True),
// a = -0.5, whose kernel widens when shrinking. With channels = 1 a table is a plane.
func BicubicAntialias(dst []float32, w, h int, src []float32, sw, sh, channels int) {
	resizeCells(dst, w, h, src, sw, sh, channels, antialiasTaps, 0, 0)
}

// taps says which source cells make every output cell along one axis: output i is the
// sum of weight[j] times source index[j] for start[i] <= j < start[i+1].
type taps struct {
	start  []int
	index  []int
	weight []float32
}

func (t *taps) add(index int, weight float32) {
	t.index = append(t.index, index)
	t.weight = append(t.weight, weight)
}

func (t *taps) of(i int) ([]int, []float32) {
	return t.index[t.start[i]:t.start[i+1]], t.weight[t.start[i]:t.start[i+1]]
}

// resizeCells convolves the rows into a buffer of w x sh cells, then its columns.
func resizeCells(dst []float32, w, h int, src []float32, sw, sh, channels int,
	rule func(in, out int, step float64) taps, stepX, stepY float64) {
	mustBePositive(w, h, sw, sh, channels)
	mustHave("destination", len(dst), w*h*channels)
	mustHave("source", len(src), sw*sh*channels)
	across, down := rule(sw, w, stepX), rule(sh, h, stepY)
	n := w * channels
	rows := make([]float32, sh*n)
	for y := range sh {
		from, to := src[y*sw*channels:][:sw*channels], rows[y*n:][:n]
		if channels == 1 {
			convolveRow(to, from, across)
			continue
		}
		for x := range w {
			weigh(to[x*channels:][:channels], from, channels, across, x)
		}
	}
	for y := range h {
		weigh(dst[y*n:][:n], rows, n, down, y)
	}
}

// convolveRow is weigh for every output of a row of single numbers.
func convolveRow(dst, src []float32, t taps) {
	for x := range dst {
		index, weight := t.of(x)
		sum := src[index[0]] * weight[0]
		for j := 1; j < len(index); j++ {
			sum += float32(src[index[j]] * weight[j])
		}
		dst[x] = sum
	}
}

// weigh sets dst to output i of t over the blocks of n numbers in src.
func weigh(dst, src []float32, n int, t taps, i int) {
	index, weight := t.of(i)
	from := src[index[0]*n:][:len(dst)]
	for c, v := range from {
		dst[c] = v * weight[0]
	}
	for j := 1; j < len(index); j++ {
		from, f := src[index[j]*n:][:len(dst)], weight[j]
		for c, v := range from {
			dst[c] += float32(v * f)
		}
	}
}

// sourceStep is the distance of two output cells, in source cells.
func sourceStep(in, out int, step float64) float32 {
	if step != 0 {
		return float32(step)
	}
	return float32(in) / float32(out)
}

// sourceAt is the source coordinate of output i; cell k has its centre at k.
func sourceAt(i int, step float32) float32 {
	return float32(step*(float32(i)+0.5)) - 0.5
}

// bilinearTaps has exactly two taps per output. A coordinate left of the first centre is
// clamped to it, and the last cell is its own right neighbour, so that weights never
// leave 0..1.
func bilinearTaps(in, out int, step float64) taps {
	t := taps{start: make([]int, 1, out+1)}
	s := sourceStep(in, out, step)
	for i := range out {
		at := max(sourceAt(i, s), 0)
		i0 := min(int(at), in-1)
		frac := min(at-float32(i0), 1)
		t.add(i0, 1-frac)
		t.add(min(i0+1, in-1), frac)
		t.start = append(t.start, len(t.index))
	}
	return t
}

// cornerTaps has two taps per output; the only one of an axis takes the first cell.
func cornerTaps(in, out int, _ float64) taps {
	t := taps{start: make([]int, 1, out+1)}
	s := float32(in-1) / float32(max(out-1, 1))
	for i := range out {
		at := s * float32(i)
		i0 := min(int(at), in-1)
		frac := at - float32(i0)
		t.add(i0, 1-frac)
		t.add(min(i0+1, in-1), frac)
		t.start = append(t.start, len(t.index))
	}
	return t
}

// bicubicTaps has the four nearest cells per output, those outside replaced by the border.
func bicubicTaps(in, out int, step float64) taps {
	const a = -0.75
	t := taps{start: make([]int, 1, out+1)}
	s := sourceStep(in, out, step)
	for i := range out {
		at := sourceAt(i, s)
		floor := float32(math.Floor(float64(at)))
		i0 := min(int(floor), in-1)
		frac := min(max(at-float32(i0), 0), 1)
		weights := [4]float32{cubicFar(frac+1, a), cubicNear(frac, a), cubicNear(1-frac, a), cubicFar(1-frac+1, a)}
		for j, f := range weights {
			t.add(min(max(i0-1+j, 0), in-1), f)
		}
		t.start = append(t.start, len(t.index))
	}
	return t
}

// antialiasTaps has all cells under the kernel, normalised to sum 1.
func antialiasTaps(in, out int, step float64) taps {
	const a, halfWidth = -0.5, 2
	t := taps{start: make([]int, 1, out+1)}
	s := sourceStep(in, out, step)
	stretch := max(s, 1)
	support := halfWidth * stretch
	for i := range out {
		centre := s * (float32(i) + 0.5)
		first := max(int(centre-support+0.5), 0)
		last := min(int(centre+support+0.5), in)
		sum := float32(0)
		for j := first; j < last; j++ {
			x := float32(math.Abs(float64((float32(j) - centre + 0.5) * (1 / stretch))))
			f := float32(0)
			switch {
			case x < 1:
				f = cubicNear(x, a)
			case x < 2:
				f = cubicFar(x, a)
			}
			t.add(j, f)
			sum += f
		}
		for j := t.start[i]; j < len(t.weight); j++ {
			t.weight[j] /= sum
		}
		t.start = append(t.start, len(t.index))
	}
	return t
}

// cubicNear and cubicFar are Keys' cubic kernel with parameter a at distances 0..1 and
// 1..2 (R. Keys, Cubic Convolution Interpolation, IEEE TASSP 29, 1981).
func cubicNear(x, a float32) float32 {
	return float32(float32(float32(float32((a+2)*x)-(a+3))*x)*x) + 1
}

func cubicFar(x, a float32) float32 {
	return float32(float32(float32(float32(float32(a*x)-5*a)*x)+8*a)*x) - 4*a
}
