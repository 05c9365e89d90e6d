package resample

import (
	"math"
	"runtime"
	"sync"
)

// PAMR is pixel-adaptive mask refinement (Araslanov and Roth, CVPR 2020, arXiv 2005.08104,
// section 3.3) for one image: every pixel of a mask becomes, again and again, the mean of
// 16 others, weighted by how much their colours are like its own. The 16 are the corners
// and sides of two squares around it, 8 and 16 pixels away; borders replicate. The pixel
// itself has no weight.
//
// The weights depend on the image alone, so one PAMR serves every class of every method.
// It is immutable: any number of goroutines may share it. It holds 64 bytes per pixel.
type PAMR struct {
	w, h     int
	affinity []float32 // [h, w, 16], each pixel's weights sum to 1
}

// reach is the distance of the farthest neighbour, in pixels.
const reach = 16

// neighbours are the steps to the pixels that a pixel is mixed of.
var neighbours = func() (out [16]struct{ x, y int }) {
	i := 0
	for _, d := range [2]int{reach / 2, reach} {
		for y := -d; y <= d; y += d {
			for x := -d; x <= d; x += d {
				if x != 0 || y != 0 {
					out[i].x, out[i].y = x, y
					i++
				}
			}
		}
	}
	return out
}()

// NewPAMR computes the weights of an image, planar [channels, h, w]. Published protocols
// hand over the network's normalised input, resized to the size of the masks by [Bilinear].
//
// With s the standard deviation (of n-1) of a channel over the neighbours and twice the
// pixel itself, the weights are a softmax over the neighbours of the channels' mean of
// -|difference| / (1e-8 + s/10).
func NewPAMR(pixels []float32, w, h int) *PAMR {
	mustBePositive(w, h)
	channels := max(len(pixels)/(w*h), 1)
	mustHave("image", len(pixels), channels*w*h)
	p := &PAMR{w, h, make([]float32, 16*w*h)}
	padded := newPadded(w, h)
	mean := make([]float64, 16*w*h) // over channels, of the negative distances
	for c := range channels {
		padded.fill(0, pixels[c*w*h:][:w*h])
		padded.replicate()
		inBands(h, func(y0, y1 int) {
			for y := y0; y < y1; y++ {
				for x := range w {
					padded.distances(x, y, (*[16]float64)(mean[16*(y*w+x):]), 1/float64(channels))
				}
			}
		})
	}
	inBands(h, func(y0, y1 int) {
		for i := y0 * w; i < y1*w; i++ {
			softmax16((*[16]float32)(p.affinity[16*i:]), (*[16]float64)(mean[16*i:]))
		}
	})
	return p
}

// distances adds to sum, times share, the distances of one channel's pixel to its neighbours.
func (b *padded) distances(x, y int, sum *[16]float64, share float64) {
	at := b.at(x, y)
	centre := float64(b.cells[at][0])
	var v [16]float64
	total := 2 * centre
	for n, step := range b.steps {
		v[n] = float64(b.cells[at+step][0])
		total += v[n]
	}
	const samples = 18
	mean := total / samples
	squares := 2 * (centre - mean) * (centre - mean)
	for _, u := range v {
		squares += (u - mean) * (u - mean)
	}
	scale := share / (1e-8 + 0.1*math.Sqrt(squares/(samples-1)))
	for n, u := range v {
		sum[n] -= math.Abs(centre-u) * scale
	}
}

func softmax16(dst *[16]float32, x *[16]float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for n, v := range x {
		x[n] = roughExp(v - top)
		sum += x[n]
	}
	for n, v := range x {
		dst[n] = float32(v / sum)
	}
}

// Apply refines planes [n, h, w] in place by so many iterations (10 in published
// protocols). It works on four planes at a time on all cores, and needs 32 bytes per pixel
// beside them, however many planes there are.
func (p *PAMR) Apply(planes []float32, iterations int) {
	p.apply(planes, iterations, p.scratch())
}

// scratch is what apply works in; it may be used again.
func (p *PAMR) scratch() *[2]*padded {
	return &[2]*padded{newPadded(p.w, p.h), newPadded(p.w, p.h)}
}

func (p *PAMR) apply(planes []float32, iterations int, scratch *[2]*padded) {
	size := p.w * p.h
	n := len(planes) / size
	mustHave("planes", len(planes), n*size)
	if n == 0 || iterations < 1 {
		return
	}
	from, to := scratch[0], scratch[1]
	for first := 0; first < n; first += 4 {
		group := planes[first*size : min(first+4, n)*size]
		for k := range len(group) / size {
			from.fill(k, group[k*size:][:size])
		}
		for range iterations {
			from.replicate()
			inBands(p.h, func(y0, y1 int) {
				for y := y0; y < y1; y++ {
					p.mix(to, from, y)
				}
			})
			from, to = to, from
		}
		for k := range len(group) / size {
			from.read(k, group[k*size:][:size])
		}
	}
}

// mix computes row y of one iteration for four planes.
func (p *PAMR) mix(to, from *padded, y int) {
	at := from.at(0, y)
	out := to.cells[at:][:p.w]
	weights := p.affinity[16*y*p.w:][:16*p.w]
	var rows [16][][4]float32
	for n, step := range from.steps {
		rows[n] = from.cells[at+step:][:p.w]
	}
	for x := range out {
		weight := (*[16]float32)(weights[16*x:])
		var a0, b0, c0, d0, a1, b1, c1, d1 float32
		for n := range 8 { // two sums each: half the waiting, half the rounding
			v, f, u, g := &rows[n][x], weight[n], &rows[n+8][x], weight[n+8]
			a0 += float32(v[0] * f)
			b0 += float32(v[1] * f)
			c0 += float32(v[2] * f)
			d0 += float32(v[3] * f)
			a1 += float32(u[0] * g)
			b1 += float32(u[1] * g)
			c1 += float32(u[2] * g)
			d1 += float32(u[3] * g)
		}
		out[x] = [4]float32{a0 + a1, b0 + b1, c0 + c1, d0 + d1}
	}
}

// padded is four planes, interleaved, with a border of reach pixels around them.
type padded struct {
	w, h, stride int
	cells        [][4]float32
	steps        [16]int // to each neighbour
}

func newPadded(w, h int) *padded {
	b := &padded{w: w, h: h, stride: w + 2*reach}
	b.cells = make([][4]float32, b.stride*(h+2*reach))
	for i, n := range neighbours {
		b.steps[i] = n.y*b.stride + n.x
	}
	return b
}

// at is the place of pixel x, y.
func (b *padded) at(x, y int) int { return (y+reach)*b.stride + x + reach }

func (b *padded) fill(k int, plane []float32) {
	for y := range b.h {
		to := b.cells[b.at(0, y):]
		for x, v := range plane[y*b.w:][:b.w] {
			to[x][k] = v
		}
	}
}

func (b *padded) read(k int, plane []float32) {
	for y := range b.h {
		from := b.cells[b.at(0, y):]
		for x := range b.w {
			plane[y*b.w+x] = from[x][k]
		}
	}
}

// replicate continues the planes' outermost pixels into the border.
func (b *padded) replicate() {
	for y := range b.h {
		row := b.cells[b.at(-reach, y):][:b.stride]
		for x := range reach {
			row[x], row[reach+b.w+x] = row[reach], row[reach+b.w-1]
		}
	}
	top, bottom := b.cells[b.at(-reach, 0):][:b.stride], b.cells[b.at(-reach, b.h-1):][:b.stride]
	for k := 1; k <= reach; k++ {
		copy(b.cells[b.at(-reach, -k):], top)
		copy(b.cells[b.at(-reach, b.h-1+k):], bottom)
	}
}

// inBands splits the rows 0..h among the cores. Results must not depend on where it cuts.
func inBands(h int, do func(y0, y1 int)) {
	bands := min(runtime.GOMAXPROCS(0), max(h/16, 1))
	if bands == 1 {
		do(0, h)
		return
	}
	var wait sync.WaitGroup
	for k := range bands {
		wait.Go(func() { do(k*h/bands, (k+1)*h/bands) })
	}
	wait.Wait()
}
