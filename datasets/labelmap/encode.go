package labelmap

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
)

// Encode writes a label map as VOC's are stored: a PNG of palette indices, [Ignore] as 255.
func Encode(w io.Writer, l Map) error {
	img := &image.Paletted{Pix: make([]uint8, len(l.Pix)), Stride: l.W, Rect: image.Rect(0, 0, l.W, l.H),
		Palette: Palette()}
	for p, v := range l.Pix {
		switch {
		case v == Ignore:
			img.Pix[p] = 255
		case v < 255:
			img.Pix[p] = uint8(v)
		default:
			return fmt.Errorf("label %d at pixel %d: a label map of one byte ends at 254", v, p)
		}
	}
	return png.Encode(w, img)
}

// Palette is VOC's colour map: bits 0, 1, 2 of an index become the top bits of red, green and blue, bits 3, 4, 5 the
// next.
func Palette() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		var c color.NRGBA
		c.A = 255
		for bit, v := 7, i; bit >= 0; bit, v = bit-1, v>>3 {
			c.R |= uint8(v&1) << bit
			c.G |= uint8(v>>1&1) << bit
			c.B |= uint8(v>>2&1) << bit
		}
		p[i] = c
	}
	return p
}
