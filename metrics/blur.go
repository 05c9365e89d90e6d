package metrics

import (
	"fmt"
	"math"
)

// RISE's blur: the kernel of its evaluation script.
const (
	riseKernel = 11
	riseSigma  = 5
)

// BlurSubstrate is the image from which RISE's insertion starts: image, [3, height, width] or any
// number of channels, blurred by an 11 x 11 Gaussian of sigma 5 with zeros beyond the border. In
// normalised space zero is the mean colour of the training data; the substrate of deletion is zero
// everywhere, a fresh slice.
//
// It sums in float64, rows first; RISE convolves in float32, which differs in the seventh digit.
func BlurSubstrate(image []float32, width, height int) ([]float32, error) {
	if width < 1 || height < 1 || width > maxPixels/height || len(image) == 0 || len(image)%(width*height) != 0 {
		return nil, fmt.Errorf("an image of %d values in planes of %d x %d pixels", len(image), width, height)
	}
	out := make([]float32, len(image))
	rows := make([]float64, width*height)
	line := make([]float64, max(width, height))
	for plane := 0; plane < len(image); plane += width * height {
		in, to := image[plane:plane+width*height], out[plane:plane+width*height]
		for y := range height {
			for x := range width {
				line[x] = float64(in[y*width+x])
			}
			for x := range width {
				rows[y*width+x] = blurAt(line[:width], x)
			}
		}
		for x := range width {
			for y := range height {
				line[y] = rows[y*width+x]
			}
			for y := range height {
				to[y*width+x] = float32(blurAt(line[:height], y))
			}
		}
	}
	return out, nil
}

// blurAt is the blurred value at one place of a line.
func blurAt(line []float64, at int) float64 {
	from := max(0, at-riseKernel/2)
	to := min(len(line), at+riseKernel/2+1)
	sum := 0.0
	for i := from; i < to; i++ {
		sum += line[i] * riseWeights[i-at+riseKernel/2]
	}
	return sum
}

// riseWeights is one axis of the kernel. RISE makes it with scipy.ndimage.gaussian_filter on an
// 11-pixel line that is 1 in the middle, so it is not a Gaussian cut off: the tails up to four sigmas
// are reflected into the line, which makes it flatter at the ends, and it sums to 1.
var riseWeights = func() (w [riseKernel]float64) {
	const radius = 4 * riseSigma
	gauss := func(d int) float64 { return math.Exp(-0.5 / (riseSigma * riseSigma) * float64(d*d)) }
	sum := 0.0
	for d := -radius; d <= radius; d++ {
		sum += gauss(d)
	}
	for i := range w {
		for d := -radius; d <= radius; d++ {
			at := (i + d) % (2 * riseKernel) // reflected about the borders of the line, period 22
			if at < 0 {
				at += 2 * riseKernel
			}
			if at >= riseKernel {
				at = 2*riseKernel - 1 - at
			}
			if at == riseKernel/2 {
				w[i] += gauss(d) / sum
			}
		}
	}
	return w
}()
