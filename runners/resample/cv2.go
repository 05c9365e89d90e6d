package resample

import "math"

// cvBits is the number of fractional bits of an OpenCV weight.
const cvBits = 11

// CV2Linear is src resized to w x h pixels as cv2.resize(src, (w, h),
// interpolation=cv2.INTER_LINEAR) does it for 8-bit images: no antialiasing, 11-bit
// fixed-point weights. Where both sizes halve exactly OpenCV takes INTER_AREA, the
// rounded mean of 2x2 pixels; the weights give the same bytes there.
// The result never shares memory with src. The order of the channels does not matter.
func CV2Linear(src RGB, w, h int) RGB {
	mustBePositive(src.W, src.H, w, h)
	mustHave("image", len(src.Pix), 3*src.W*src.H)
	if w == src.W && h == src.H {
		return RGB{W: w, H: h, Pix: append([]uint8(nil), src.Pix...)}
	}
	dst := NewRGB(w, h)
	across, down := newCVTaps(src.W, w, true), newCVTaps(src.H, h, false)
	upper, lower := make([]int32, 3*w), make([]int32, 3*w)
	row := func(sums []int32, y int) {
		from := src.Pix[3*src.W*y:][:3*src.W]
		for x, t := range across {
			a, b := from[3*t.i0:][:3], from[3*t.i1:][:3]
			for c := range 3 {
				sums[3*x+c] = t.w0*int32(a[c]) + t.w1*int32(b[c])
			}
		}
	}
	have0, have1 := -1, -1 // the source rows that upper and lower hold
	for y, t := range down {
		if t.i0 == have1 {
			upper, lower, have0, have1 = lower, upper, have1, have0
		}
		if t.i0 != have0 {
			row(upper, t.i0)
		}
		if t.i1 != have1 {
			row(lower, t.i1)
		}
		have0, have1 = t.i0, t.i1
		to := dst.Pix[3*w*y:][:3*w]
		for i := range to {
			to[i] = uint8((t.w0*(upper[i]>>4)>>16 + t.w1*(lower[i]>>4)>>16 + 2) >> 2)
		}
	}
	return dst
}

// cvTap is the two source pixels under one output pixel and their weights, which sum to
// 1<<cvBits. Outside the outermost centres both are the border pixel.
type cvTap struct {
	i0, i1 int
	w0, w1 int32
}

// newCVTaps places the taps of one axis. Outside the outermost centres OpenCV gives all
// weight to one tap along a row (whole) but not down a column. That shows: a column
// adds two truncated products.
func newCVTaps(in, out int, whole bool) []cvTap {
	taps := make([]cvTap, out)
	scale := float64(in) / float64(out)
	for i := range taps {
		at := float32((float64(i)+0.5)*scale - 0.5)
		i0 := int(math.Floor(float64(at)))
		frac := at - float32(i0)
		if whole && (i0 < 0 || i0 >= in-1) {
			frac = 0
		}
		taps[i] = cvTap{
			i0: min(max(i0, 0), in-1), i1: min(max(i0+1, 0), in-1),
			w0: int32(math.RoundToEven(float64((1 - frac) * (1 << cvBits)))),
			w1: int32(math.RoundToEven(float64(frac * (1 << cvBits)))),
		}
	}
	return taps
}
