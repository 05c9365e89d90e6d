package draw

import (
	"image"
	"image/color"
	"math"
)

// Labels that are no class.
const (
	Void8  = 0xff   // of maps with 8 bits
	Void16 = 0xffff // of maps with 16 bits
)

// VOC is the colour of a label in the PASCAL VOC development kit: bits 0, 1, 2
// of the label go to the highest free bit of red, green, blue, and so on with
// the next three. It is a different colour for every label below 2^24; that of
// the void label 255 is the light yellow (224, 224, 192) everyone knows.
func VOC(label int) color.RGBA {
	c := color.RGBA{A: 255}
	for bit := 7; bit >= 0; bit-- {
		c.R |= uint8(label&1) << bit
		c.G |= uint8(label>>1&1) << bit
		c.B |= uint8(label>>2&1) << bit
		label >>= 3
	}
	return c
}

// LabelImage is a label map [h, w] over classes 0..classes-1 as a picture that
// keeps the labels: indices of the VOC palette with 8 bits, or grey values with
// 16 bits where there are more than 255 classes. All other labels become void,
// 255 or 65535. It panics if labels has not w*h elements.
func LabelImage(labels []uint16, w, h, classes int) image.Image {
	if len(labels) != w*h {
		panic("reports: label map has not w*h elements")
	}
	rect := image.Rect(0, 0, w, h)
	if classes <= Void8 {
		palette := make(color.Palette, 256)
		for i := range palette {
			palette[i] = VOC(i)
		}
		out := image.NewPaletted(rect, palette)
		for i, l := range labels {
			out.Pix[i] = Void8
			if int(l) < classes {
				out.Pix[i] = uint8(l)
			}
		}
		return out
	}
	out := image.NewGray16(rect)
	for i, l := range labels {
		if int(l) >= classes {
			l = Void16
		}
		out.Pix[2*i], out.Pix[2*i+1] = uint8(l>>8), uint8(l)
	}
	return out
}

// MapImage is a map [h, w] of values in 0..1 as a grey picture, black 0 and
// white 1; the fraction below 1/255 is cut off. Values outside are clamped, NaN
// is 0. It panics if saliency has not w*h elements.
func MapImage(saliency []float32, w, h int) *image.Gray {
	if len(saliency) != w*h {
		panic("reports: map has not w*h elements")
	}
	out := image.NewGray(image.Rect(0, 0, w, h))
	for i, x := range saliency {
		switch {
		case x >= 1:
			out.Pix[i] = 255
		case x > 0:
			out.Pix[i] = uint8(x * 255)
		}
	}
	return out
}

// Jet is the piecewise-linear colour map known by that name: each channel is a
// trapezoid of slope 4 around 1/4 (blue), 1/2 (green) and 3/4 (red).
var Jet = func() (table [256]color.RGBA) {
	channel := func(i, quarter int) uint8 {
		y := 382.5 - math.Abs(float64(4*i-255*quarter)) // 255 (3/2 - |4x - quarter|), x = i/255
		return uint8(math.RoundToEven(min(max(y, 0), 255)))
	}
	for i := range table {
		table[i] = color.RGBA{R: channel(i, 3), G: channel(i, 2), B: channel(i, 1), A: 255}
	}
	return table
}()

// OkabeIto are eight colours that colour-blind readers can tell apart (Okabe and Ito, 2008), strong ones first.
var OkabeIto = [...]color.RGBA{
	{0, 114, 178, 255},   // blue
	{230, 159, 0, 255},   // orange
	{0, 158, 115, 255},   // bluish green
	{204, 121, 167, 255}, // reddish purple
	{86, 180, 233, 255},  // sky blue
	{213, 94, 0, 255},    // vermilion
	{240, 228, 66, 255},  // yellow
	{0, 0, 0, 255},       // black
}

// SeriesColor is the colour of the i-th series; after eight the same ones come again, each time lighter.
func SeriesColor(i int) color.RGBA {
	c := OkabeIto[i%len(OkabeIto)]
	for range i / len(OkabeIto) {
		c.R, c.G, c.B = lighter(c.R), lighter(c.G), lighter(c.B)
	}
	return c
}

func lighter(x uint8) uint8 { return uint8((int(x) + 255) / 2) }
