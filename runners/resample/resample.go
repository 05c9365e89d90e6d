// Package resample answers: what does this library's resize give, to the last bit?
//
// CLIP's preprocessing resizes bytes with Pillow ([Pillow]), mmseg's pipelines with
// OpenCV ([CV2Linear]), and every model and decoder resizes float maps and positional
// tables with torch ([Bilinear], [BilinearCells], [Bicubic], [BicubicAntialias]).
// The four differ in antialiasing, cubic parameter, borders and rounding, and each
// difference moves published scores.
//
// [Mosaic] stitches the maps of windows, and [Rule] reads labels off it, without a map of every class.
// [PAMR] lets the colours of an image refine maps at its size.
//
// Everything here is a pure function of its arguments and may be called from any
// goroutine. Nothing but PAMR runs in parallel inside: callers work on many images at once.
// Sizes that are not positive and slices of the wrong length are programming errors
// and panic.
package resample

import (
	"fmt"
	"image"
)

// RGB is an 8-bit image: W x H pixels, row-major, three bytes R, G, B each, no padding.
// The zero RGB is empty and cannot be resized. Copies share their pixels.
type RGB struct {
	W, H int
	Pix  []uint8
}

// NewRGB is a black image of w x h pixels.
func NewRGB(w, h int) RGB {
	mustBePositive(w, h)
	return RGB{W: w, H: h, Pix: make([]uint8, 3*w*h)}
}

// FromNRGBA copies the colours of img and drops its alpha, as Pillow's convert("RGB")
// does: a transparent pixel keeps its colour, nothing is composited on a background.
func FromNRGBA(img *image.NRGBA) RGB {
	out := NewRGB(img.Rect.Dx(), img.Rect.Dy())
	for y := range out.H {
		from := img.Pix[y*img.Stride:][:4*out.W]
		to := out.Pix[3*y*out.W:][:3*out.W]
		for len(from) >= 4 && len(to) >= 3 {
			to[0], to[1], to[2] = from[0], from[1], from[2]
			from, to = from[4:], to[3:]
		}
	}
	return out
}

func mustBePositive(sizes ...int) {
	for _, n := range sizes {
		if n <= 0 {
			panic(fmt.Sprintf("resample: size %d is not positive", n))
		}
	}
}

func mustHave(what string, have, want int) {
	if have != want {
		panic(fmt.Sprintf("resample: %s has %d elements, its sizes say %d", what, have, want))
	}
}
