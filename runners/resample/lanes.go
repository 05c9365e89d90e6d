package resample

import "math"

// lanes is the number of maps that are worked on side by side: a cell holds one pixel of each.
const lanes = 16

// The functions of this file work on rows of cells. Each has a twin in lanes_amd64.s that gives the same bits: every
// product and sum is rounded to float32 by itself, nowhere fused.

// cell is number i of a row of cells.
func cell(row []float32, i int) *[lanes]float32 { return (*[lanes]float32)(row[lanes*i:]) }

// lerp sets dst to a*w0 + b*w1. It takes rows of any length.
func lerp(dst, a, b []float32, w0, w1 float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if n := len(dst) / lanes; vectors && n > 0 {
		lerpAVX2(&dst[0], &a[0], &b[0], w0, w1, n)
		dst, a, b = dst[n*lanes:], a[n*lanes:], b[n*lanes:]
	}
	for i, v := range a {
		dst[i] = float32(v*w0) + float32(b[i]*w1)
	}
}

// lerpAdd adds a*w0 + b*w1 to dst, of any length.
func lerpAdd(dst, a, b []float32, w0, w1 float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if n := len(dst) / lanes; vectors && n > 0 {
		lerpAddAVX2(&dst[0], &a[0], &b[0], w0, w1, n)
		dst, a, b = dst[n*lanes:], a[n*lanes:], b[n*lanes:]
	}
	for i, v := range a {
		dst[i] += float32(v*w0) + float32(b[i]*w1)
	}
}

// weighAdd adds to every cell of dst one of src times its weight.
func weighAdd(dst, src, weights []float32) {
	n := len(weights)
	dst, src = dst[:lanes*n], src[:lanes*n]
	if vectors && n > 0 {
		weighAddAVX2(&dst[0], &src[0], &weights[0], n)
		return
	}
	for i, w := range weights {
		to, from := cell(dst, i), cell(src, i)
		for k := range to {
			to[k] += float32(from[k] * w)
		}
	}
}

// stretch resizes a row of cells by taps into dst.
func stretch(dst, src []float32, taps []tap) {
	if len(taps) == 0 {
		return
	}
	last := taps[len(taps)-1]
	_, _ = dst[lanes*len(taps)-1], src[lanes*max(last.i0, last.i1)+lanes-1] // taps ascend
	if vectors {
		stretchAVX2(&dst[0], &src[0], &taps[0], len(taps))
		return
	}
	for i, p := range taps {
		to, a, b := cell(dst, i), cell(src, p.i0), cell(src, p.i1)
		for k := range to {
			to[k] = float32(a[k]*p.w0) + float32(b[k]*p.w1)
		}
	}
}

// divide divides every cell by a number below 2^24, where that is above 1.
func divide(row []float32, by []uint32) {
	_ = row[:lanes*len(by)]
	if vectors && len(by) > 0 {
		divideAVX2(&row[0], &by[0], len(by))
		return
	}
	for i, n := range by {
		if n > 1 {
			c := cell(row, i)
			for k := range c {
				c[k] /= float32(n)
			}
		}
	}
}

// mix sets dst to the sums of 16 neighbours times their weights [n, 16], in the order of neighbours. rows are the five
// rows of cells that the neighbours lie in, from the top, with reach cells before and behind those of dst.
func mix(dst []float32, rows *[5][]float32, weights []float32) {
	n := len(dst) / lanes
	for k := range rows {
		rows[k] = rows[k][:lanes*(n+2*reach)]
	}
	weights = weights[:16*n]
	if vectors && n > 0 {
		const first = lanes * reach
		mixAVX2(&dst[0], &rows[0][first], &rows[1][first], &rows[2][first], &rows[3][first], &rows[4][first], &weights[0], n)
		return
	}
	for i := range n {
		at, w := i+reach, (*[16]float32)(weights[16*i:])
		var near, far [lanes]float32
		k := 0
		for y := range 3 {
			for x := -1; x <= 1; x++ {
				if x == 0 && y == 1 {
					continue
				}
				a, b := cell(rows[1+y], at+apart*x), cell(rows[2*y], at+reach*x)
				f, g := w[k], w[k+8]
				for c := range near {
					near[c] += float32(a[c] * f)
					far[c] += float32(b[c] * g)
				}
				k++
			}
		}
		to := cell(dst, i)
		for c := range to {
			to[c] = near[c] + far[c]
		}
	}
}

// laneMask is all bits of the lanes that count, none of the others.
type laneMask [lanes]uint32

func maskOf(counts func(lane int) bool) *laneMask {
	m := new(laneMask)
	for k := range m {
		if counts(k) {
			m[k] = math.MaxUint32
		}
	}
	return m
}

// largest finds in every cell the largest of the lanes that count, and the first that has it. NaN counts as -Inf; where
// there is nothing else the first lane has it.
func largest(top []float32, lane []int32, cells []float32, mask *laneMask) {
	lane, cells = lane[:len(top)], cells[:lanes*len(top)]
	if vectors && len(top) > 0 {
		largestAVX2(&top[0], &lane[0], &cells[0], &mask[0], len(top))
		return
	}
	for i := range top {
		top[i], lane[i] = float32(math.Inf(-1)), 0
		for k, v := range cell(cells, i) {
			if v > top[i] && mask[k] != 0 {
				top[i], lane[i] = v, int32(k)
			}
		}
	}
}

// sumExp sums exp(scale*(v - top)) over the lanes v of every cell that count. A top is no smaller than its cell's
// lanes.
func sumExp(sum, top, cells []float32, mask *laneMask, scale float32) {
	top, cells = top[:len(sum)], cells[:lanes*len(sum)]
	if vectors && len(sum) > 0 {
		sumExpAVX2(&sum[0], &top[0], &cells[0], &mask[0], scale, len(sum))
		return
	}
	for i := range sum {
		var e [lanes]float32
		for k, v := range cell(cells, i) {
			if mask[k] != 0 {
				e[k] = exp32(float32(scale * (v - top[i])))
			}
		}
		for half := lanes / 2; half > 0; half /= 2 {
			for k := range half {
				e[k] += e[k+half]
			}
		}
		sum[i] = e[0]
	}
}

// exp32 is exp(x) for x <= 0 within 4e-7 of itself, and 0 below -87 and for NaN: 2^n times a Taylor polynomial of
// degree 6 in the rest, at most ln(2)/2.
func exp32(x float32) float32 {
	if !(x >= -87) {
		return 0
	}
	const (
		shift   = 0x1.8p23 // adding it rounds to an integer, in the low bits
		leading = 0x1.63p-1
		rest    = -0x1.bd0106p-13 // of ln(2)
	)
	t := float32(x*math.Log2E) + shift
	n := t - shift
	x -= float32(n * leading)
	x -= float32(n * rest)
	p := float32(x*(1.0/720)) + 1.0/120
	p = float32(p*x) + 1.0/24
	p = float32(p*x) + 1.0/6
	p = float32(p*x) + 1.0/2
	p = float32(p*x) + 1
	p = float32(p*x) + 1
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
}
